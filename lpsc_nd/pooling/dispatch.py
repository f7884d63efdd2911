"""Which engine runs a problem, and why.

Every engine says what it cannot do; of those that can, the cheapest by a small cost model is taken, unless the caller
names one. The model counts floating-point work and divides it by rates measured on one thread of an AVX-512 processor;
only their ratios matter for the choice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, get_args

import torch

from lpsc_nd.geometry import Reduction
from lpsc_nd.pooling import depthwise
from lpsc_nd.pooling.expand import CONVOLUTIONS
from lpsc_nd.pooling.window import Window

Engine = Literal["auto", "reference", "expand", "bags", "maximum"]
ENGINES: tuple[str, ...] = get_args(Engine)

DENSE_RATE = 2.0e11
"""Floating-point operations per second of a dense convolution with many channels."""
PRODUCT_RATE = 1.5e11
"""Floating-point operations per second of the product of a pooled tile with the weights."""
POOL_RATE = 1.0e10
"""Cells summed per second by the bag sum."""
BAGS_OVERHEAD = 1.5e-4
"""Seconds that a call of the bag engine takes however small its input is."""
NARROW_CHANNELS = 16
"""Below this many input channels per cell, the bag sum's vectors run partly empty."""


@dataclass(frozen=True)
class Problem:
    """What an engine is asked to do: a window on an input of (batch, in_channels, *size)."""

    window: Window
    batch: int
    in_channels: int
    out_channels: int
    size: tuple[int, ...]
    groups: int
    reduction: Reduction
    device: str

    @property
    def sites(self) -> int:
        """Output sites of all images."""
        sites = self.batch
        for extent in self.window.output_size(self.size):
            sites = sites * extent
        return sites


@dataclass(frozen=True)
class Choice:
    """An engine, why it was taken, and what the model expects each possible engine to take (seconds, one thread)."""

    engine: str
    reason: str
    costs: dict[str, float] = field(default_factory=dict)


def choose(problem: Problem, engine: Engine = "auto") -> Choice:
    """Choose an engine, or check the one that is asked for.

    Raises:
        ValueError: an engine that cannot do this.
    """
    if engine != "auto":
        check_engine(engine, problem.window, problem.reduction)
        return Choice(engine, "asked for by name")
    if problem.reduction == "max":
        return Choice("maximum", "the only engine besides the reference that takes maxima")
    if torch.compiler.is_exporting() and problem.window.ndim in CONVOLUTIONS:
        return Choice("expand", "an exported graph holds PyTorch's own convolution")
    return _choose_sum(problem)


def check_engine(engine: Engine, window: Window, reduction: Reduction) -> None:
    """Refuse an engine that cannot do this on any input.

    Raises:
        ValueError: with the reason.
    """
    obstacle = None if engine == "auto" else _OBSTACLES[engine](window, reduction)
    if obstacle:
        raise ValueError(f"engine {engine!r} cannot run this: {obstacle}")


def _choose_sum(problem: Problem) -> Choice:
    if problem.window.ndim not in CONVOLUTIONS:
        return Choice("bags", f"PyTorch has no {problem.window.ndim}-D convolution to expand to")
    if problem.device != "cpu":
        return Choice("expand", f"the bag engine is made for the CPU, the input is on {problem.device}")
    if depthwise.suits(problem.window, problem.in_channels, problem.groups):
        return Choice("bags", "every channel is a group: dense and channels last forward, bag sums for the weights")
    costs = {"expand": _expand_cost(problem), "bags": _bags_cost(problem)}
    engine = "bags" if costs["bags"] < costs["expand"] else "expand"
    other = "expand" if engine == "bags" else "bags"
    return Choice(engine, f"cheaper than {other} by the cost model", costs)


def _expand_cost(problem: Problem) -> float:
    channels = problem.in_channels // problem.groups
    flops = 2 * problem.sites * problem.window.stencil.num_cells * channels * problem.out_channels
    narrow = max(1.0, NARROW_CHANNELS / channels) if problem.groups > 1 else 1.0
    return flops * narrow / DENSE_RATE


def _bags_cost(problem: Problem) -> float:
    window = problem.window
    cells = int(window.stencil.counts.sum()) + window.center
    added = problem.sites * cells * max(problem.in_channels, NARROW_CHANNELS)
    mixed = 2 * problem.sites * window.num_bags * problem.in_channels // problem.groups * problem.out_channels
    return BAGS_OVERHEAD + added / POOL_RATE + mixed / PRODUCT_RATE


def _cannot_expand(window: Window, reduction: Reduction) -> str | None:
    if reduction == "max":
        return "no dense kernel expresses a maximum"
    if window.ndim not in CONVOLUTIONS:
        return f"PyTorch has no {window.ndim}-D convolution"
    return None


def _cannot_sum_bags(window: Window, reduction: Reduction) -> str | None:
    return "it sums, and the reduction is 'max'" if reduction == "max" else None


def _cannot_take_maximum(window: Window, reduction: Reduction) -> str | None:
    return None if reduction == "max" else f"it takes maxima, and the reduction is {reduction!r}"


_OBSTACLES: dict[str, Callable[[Window, Reduction], str | None]] = {
    "reference": lambda window, reduction: None,
    "expand": _cannot_expand,
    "bags": _cannot_sum_bags,
    "maximum": _cannot_take_maximum,
}
