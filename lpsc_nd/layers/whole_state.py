"""A module that loads all of its parameters from a state dict, or none."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


class WholeStateModule(nn.Module):
    """nn.Module copies the parameters that fit before it reports those that do not; this class looks first."""

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        wrong = [
            f"size mismatch for {prefix}{name}: copying a param with shape {tuple(state_dict[prefix + name].shape)} "
            f"from checkpoint, the shape in current model is {tuple(parameter.shape)}."
            for name, parameter in self.named_parameters(recurse=False)
            if isinstance(state_dict.get(prefix + name), Tensor) and state_dict[prefix + name].shape != parameter.shape
        ]
        if wrong:
            args[-1].extend(wrong)  # error messages, from which load_state_dict makes its RuntimeError
        else:
            super()._load_from_state_dict(state_dict, prefix, *args)
