"""A module that remembers its last call, and forgets it with what is kept of its parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from lpsc_nd.layers.whole_state import WholeStateModule
from lpsc_nd.pooling.kept import forget
from lpsc_nd.pooling.repeated import LastCall


class RememberingModule(WholeStateModule):
    """Where parameters are converted, moved or loaded, what was made of them is dropped before."""

    def __init__(self) -> None:
        super().__init__()
        self._last_call = LastCall()

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> RememberingModule:
        self._forget()
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        self._forget()
        super()._load_from_state_dict(state_dict, prefix, *args)

    def _forget(self) -> None:
        self._last_call = LastCall()
        for parameter in self.parameters(recurse=False):
            forget(parameter)
