"""What a layer decided for its last call with a graph, which serves for the next on an input of the same kind.

Checking input and parameters, trimming the window and choosing an engine depend on no values. Done once, they save a
hundredth of a millisecond in a loop of calls, two between other calls.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lpsc_nd.geometry import Reduction
from lpsc_nd.pooling.autocast import is_autocast
from lpsc_nd.pooling.folding import divide
from lpsc_nd.pooling.shapes import Derivatives, derivatives_of
from lpsc_nd.pooling.table import compute_dtype
from lpsc_nd.pooling.window import Window

ConvEngine = Callable[[Tensor, Tensor, Tensor | None, Tensor | None, Window, int, Reduction], Tensor]
"""From input, weight, centre weight, bias, window, groups and reduction to output."""

Parameters = tuple[Tensor, Tensor | None, Tensor | None]
"""Weight, centre weight and bias."""

Run = Callable[[Tensor, Tensor, Tensor | None, Tensor | None], Tensor]
"""From input and parameters to output: what was decided, or prepared from that."""

Settings = tuple[Any, ...]
"""All that a call depends on beside its tensors."""


@dataclass(frozen=True)
class Decided:
    """An engine, and what it is asked to do.

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


class Kind(NamedTuple):
    """All of a call that decisions depend on, but for type and device of the parameters, which are those of the input.

    Args:
        settings: what the layer says.
        shape: that of the input.
        weight_shape: that of the weight.
        others: those of centre weight and bias, None where there is none.
        dtype: type of the input.
        device: where it is.
        derivatives: for what there will be gradients.
        threads: how many PyTorch has.
    """

    settings: Settings
    shape: torch.Size
    weight_shape: torch.Size
    others: tuple[torch.Size | None, ...]
    dtype: torch.dtype
    device: torch.device
    derivatives: Derivatives
    threads: int

    @classmethod
    def of(cls, x: Tensor, parameters: Parameters, settings: Settings) -> Kind:
        """Return the kind of a call."""
        weight, center_weight, bias = parameters
        others = (None if center_weight is None else center_weight.shape, None if bias is None else bias.shape)
        shapes = (x.shape, weight.shape, others)
        return cls(settings, *shapes, x.dtype, x.device, derivatives_of(x), torch.get_num_threads())


class LastDecision:
    """What a layer decided for its last call with a graph; several threads may call the layer."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: tuple[Kind, Run] | None = None

    def find(self, x: Tensor, parameters: Parameters, settings: Settings) -> Run | None:
        """Return what makes the call if it is of the same kind, else None."""
        last = self._last  # read once, as another thread may exchange it
        if last is None or not isinstance(x, Tensor):
            return None
        kind, run = last
        if kind != Kind.of(x, parameters, settings) or is_autocast(x):
            return None
        for parameter in parameters:
            if parameter is not None and (parameter.dtype != kind.dtype or parameter.device != kind.device):
                return None
        return run

    def keep(self, x: Tensor, parameters: Parameters, settings: Settings, run: Run) -> None:
        """Keep what makes calls of this kind, outside of autocast."""
        self._last = Kind.of(x, parameters, settings), run
