"""Calls that repeat the last one of a layer, where that was one dense convolution with a kernel that is kept.

A stem convolves a small batch for 0.15 ms. Checking the input, choosing an engine and finding the kernel take 0.02 ms
when they are repeated alone, and five times as long where a network's other layers have been in the caches meanwhile.
What they found for one input serves for the next of the same shape, as long as the weights are, value by value, those
that the kernel was written from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lpsc_nd.pooling import depthwise
from lpsc_nd.pooling.expand import CONVOLUTIONS, symmetric
from lpsc_nd.pooling.kept import Kept, find
from lpsc_nd.pooling.plain import is_plain
from lpsc_nd.pooling.window import Window

Settings = tuple[Any, ...]
"""All that a call depends on beside its tensors."""


class Call(NamedTuple):
    """A dense convolution, and what it was derived from.

    Args:
        settings: what the layer says.
        shape: that of the input.
        strides: those of the input.
        dtype: type of input, kernel and bias.
        kept: the kernel, and the weights that it was written from.
        convolve: PyTorch's convolution.
        arguments: stride, padding, dilation and groups.
    """

    settings: Settings
    shape: torch.Size
    strides: tuple[int, ...]
    dtype: torch.dtype
    kept: Kept
    convolve: Callable[..., Tensor]
    arguments: tuple[Any, ...]


class LastCall:
    """What a layer remembers of its last call; copies and pickles of the layer begin without."""

    __slots__ = ("_call",)

    def __init__(self) -> None:
        self._call: Call | None = None

    def repeat(
        self, x: Tensor, weight: Tensor, center_weight: Tensor | None, bias: Tensor | None, settings: Settings
    ) -> Tensor | None:
        """Return the output if this call is the last one again, on an input of other values, else None."""
        call = self._call
        if call is None or not isinstance(x, Tensor) or x.shape != call.shape or x.dtype != call.dtype:
            return None
        if x.stride() != call.strides or settings != call.settings or not call.kept.is_of(weight, center_weight):
            return None
        if not is_plain(x, weight) or torch.is_autocast_enabled("cpu"):
            return None
        if bias is not None and (bias.dtype != call.dtype or not is_plain(bias)):
            return None
        return call.convolve(x, call.kept.kernel, bias, *call.arguments)

    def remember(self, x: Tensor, weight: Tensor, window: Window, groups: int, engine: str, settings: Settings) -> None:
        """Remember a call that has been made, if it is to be repeated so.

        Args:
            x: the batched input as the engine had it.
            weight: the layer's own, after all preparation.
            window: the window that was run.
            groups: groups of channels.
            engine: the engine that ran.
            settings: what the layer says.
        """
        self._call = None
        if not is_plain(x, weight) or not _is_one_convolution(x, window, groups, engine):
            return
        kept = find(weight)
        if kept is not None and kept.kernel.dtype == x.dtype:
            _, padding = symmetric(x, window)
            arguments = (window.stride, padding, window.dilation, groups)
            self._call = Call(settings, x.shape, x.stride(), x.dtype, kept, CONVOLUTIONS[window.ndim], arguments)

    def __deepcopy__(self, memo: dict[int, Any]) -> LastCall:
        return LastCall()

    def __reduce__(self) -> tuple[type[LastCall], tuple[()]]:
        return LastCall, ()


def _is_one_convolution(x: Tensor, window: Window, groups: int, engine: str) -> bool:
    """Tell whether an engine hands its input to PyTorch's convolution as it is."""
    if any(before != after or before < 0 for before, after in window.padding):
        return False
    return engine == "expand" or (engine == "bags" and depthwise.takes_as_it_is(x, window, groups))
