"""Weights from a file to start from, such as those of an encoder that was trained on ImageNet."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor, nn

_COUNTER = "num_batches_tracked"  # files older than this buffer are read all the same


class WeightsError(ValueError):
    """A file of weights that is damaged or does not fit; the message begins with its path."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")


class InitialWeights(Callback):
    """Loads a state dict into a part of the task before it trains; evaluation and prediction do not need the file.

    Every parameter and buffer of the part must be in the file, in its shape. What else is there, such as a classifier
    above an encoder, is left. A run that goes on from a checkpoint has the checkpoint's weights.

    Args:
        path: what ``torch.save(state_dict, path)`` wrote.
        module: name of the part within the task, such as ``network.encoder``.
        prefixes: where names differ: beginnings of names in the part, and those of the file in their place.

    Raises:
        ValueError: when training starts, the task has no such part.
        FileNotFoundError: likewise, the file does not exist.
        WeightsError: likewise, it is damaged, or lacks a weight or has one of another shape.

    >>> InitialWeights("encoder.pth", "network", {"low.": "features."}).name_in_file("low.0.weight")
    'features.0.weight'
    """

    def __init__(self, path: str | Path, module: str, prefixes: Mapping[str, str] | None = None) -> None:
        self.path = Path(path)
        self.module = module
        self.prefixes = dict(prefixes or {})

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Load the weights; Lightning reads a checkpoint afterwards."""
        if stage == "fit":
            self.load_into(pl_module)

    def load_into(self, task: nn.Module) -> None:
        """Load the weights into the part of ``task``."""
        parts = dict(task.named_modules())
        if self.module not in parts:
            raise ValueError(f"module must be a part of the task, such as 'network', got {self.module!r}")
        part, content = parts[self.module], _read(self.path)
        found: dict[str, Tensor] = {}
        for name, own in part.state_dict().items():
            stored = content.get(self.name_in_file(name))
            if stored is None and name.endswith(_COUNTER):
                stored = torch.zeros_like(own)
            found[name] = self._fitting(name, own, stored)
        part.load_state_dict(found)

    def name_in_file(self, name: str) -> str:
        """Return the file's name of a weight of the part."""
        for own, other in self.prefixes.items():
            if name.startswith(own):
                return other + name[len(own) :]
        return name

    def _fitting(self, name: str, own: Tensor, stored: object) -> Tensor:
        if not isinstance(stored, Tensor):
            raise WeightsError(self.path, f"must hold {self.name_in_file(name)!r} for {self.module}.{name}")
        if stored.shape != own.shape:
            shapes = f"{tuple(own.shape)} for {self.module}.{name}, got {tuple(stored.shape)}"
            raise WeightsError(self.path, f"{self.name_in_file(name)!r} must have shape {shapes}")
        return stored


def _read(path: Path) -> dict[str, object]:
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} does not exist, from which training starts. Nothing is downloaded: put the file there, give "
            "another path, or leave InitialWeights out to start from random weights"
        )
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, OSError, EOFError, ValueError, KeyError) as error:
        raise WeightsError(path, f"cannot be read as weights, is it complete? ({error})") from error
    if not isinstance(content, dict):
        raise WeightsError(path, f"must hold a state dict, got {type(content).__name__}")
    return content
