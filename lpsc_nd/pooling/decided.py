"""What is decided for a call; for one with a graph it serves for the next on an input of the same kind.

Checking input and parameters, trimming the window and choosing an engine depend on no values. Done once, they save a
hundredth of a millisecond in a loop of calls, two between other calls.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lpsc_nd.geometry import Reduction
from lpsc_nd.pooling.folding import divide
from lpsc_nd.pooling.plain import is_ordinary, is_unobserved
from lpsc_nd.pooling.table import compute_dtype
from lpsc_nd.pooling.window import Window

ConvEngine = Callable[[Tensor, Tensor, Tensor | None, Tensor | None, Window, int, Reduction], Tensor]
"""From input, weight, centre weight, bias, window, groups and reduction to output."""

Parameters = tuple[Tensor, Tensor | None, Tensor | None]
"""Weight, centre weight and bias."""

Run = Callable[[Tensor, Tensor, Tensor | None, Tensor | None], Tensor]
"""From input and parameters to output: what was decided, or prepared from that."""

WithWeights = Callable[[Tensor, Tensor | None], Tensor]
"""From input and bias to output, with weights that are given."""

Settings = tuple[Any, ...]
"""All that a call depends on beside its tensors."""

Answer = Callable[[Tensor, Sequence[Tensor | None], Settings], Tensor | None]
"""From input, parameters and settings to the output, or to None if it is another kind of call than the one before."""


@dataclass(frozen=True, eq=False)
class Decided:
    """An engine, and what it is asked to do.

    Each is equal to itself alone: the compiler of PyTorch 2.11 looks one up among others before it has any members.

    Args:
        name: what the engine is called.
        engine: the engine.
        window: what is run.
        groups: groups of channels.
        reduction: that of the layer.
        whole: the window whose counts a mean divides by, where the one that is run was trimmed; else None.
    """

    name: str
    engine: ConvEngine
    window: Window
    groups: int
    reduction: Reduction
    whole: Window | None = None

    @property
    def left_reduction(self) -> Reduction:
        """The reduction that is left to the engine: the counts of all cells are divided by before some are left out."""
        return self.reduction if self.whole is None else "sum"

    def __call__(self, x: Tensor, weight: Tensor, center_weight: Tensor | None, bias: Tensor | None) -> Tensor:
        """Run the engine: (B, C, *in) -> (B, C', *out)."""
        if self.whole is not None:
            weight = divide(weight, self.whole.stencil, self.reduction, compute_dtype(x.dtype))
        return self.engine(x, weight, center_weight, bias, self.window, self.groups, self.left_reduction)


def for_same_kind(x: Tensor, parameters: Parameters, settings: Settings, run: Run) -> Answer:
    """Return what makes a call with a graph again, on an input and parameters of the same kind: all but their values.

    It is one function, as each that is called costs microseconds where it has left the caches. No parameters are held.

    Args:
        x: the input, outside of autocast.
        parameters: weight, centre weight and bias.
        settings: what the layer says.
        run: makes such calls.
    """
    shape, strides, dtype, device, needs_gradient = x.shape, x.stride(), x.dtype, x.device, x.requires_grad
    shapes = tuple(None if parameter is None else parameter.shape for parameter in parameters)
    threads, device_type = torch.get_num_threads(), device.type
    has_autocast = torch.amp.is_autocast_available(device_type)

    def repeat(x: Tensor, parameters: Sequence[Tensor | None], now: Settings) -> Tensor | None:
        if not torch.is_grad_enabled() or not is_unobserved() or not is_ordinary(x):
            return None
        if x.shape != shape or x.stride() != strides or x.dtype != dtype or x.device != device:
            return None
        if x.requires_grad != needs_gradient or now != settings or torch.get_num_threads() != threads:
            return None
        if has_autocast and torch.is_autocast_enabled(device_type):
            return None
        for parameter, its_shape in zip(parameters, shapes, strict=True):
            if (parameter is None) != (its_shape is None):
                return None
            if parameter is None:
                continue
            if parameter.shape != its_shape or type(parameter) not in (nn.Parameter, Tensor):
                return None
            if parameter.dtype != dtype or parameter.device != device:
                return None
        return run(x, *parameters)  # type: ignore[arg-type]  # the weight is there, as it was before

    return repeat
