"""Which engine runs a problem, and why.

Every engine says what it cannot do; of those that can, the cheapest by a small cost model is taken, unless the caller
names one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, get_args

from lpsc_nd.geometry import Reduction
from lpsc_nd.pooling import depthwise
from lpsc_nd.pooling.costs import bags_seconds, expand_seconds
from lpsc_nd.pooling.depthwise_costs import by_kernel
from lpsc_nd.pooling.expand import CONVOLUTIONS
from lpsc_nd.pooling.inputs import check_fits
from lpsc_nd.pooling.plain import has_symbols, is_exported, is_traced
from lpsc_nd.pooling.shapes import Derivatives, Shapes
from lpsc_nd.pooling.threads import threads_now
from lpsc_nd.pooling.trim import trimmed
from lpsc_nd.pooling.window import Window

Engine = Literal["auto", "reference", "expand", "bags", "maximum"]
ENGINES: tuple[str, ...] = get_args(Engine)

MARGIN = 0.95
"""Part of the dense convolution's predicted time that bag sums have to stay below: where the model sees less than a
twentieth between the two, the one that cannot be slower than the dense convolution runs."""


@dataclass(frozen=True)
class Problem:
    """What an engine is asked to do.

    Args:
        window: how the stencil slides over the input.
        batch, in_channels, out_channels, size, groups: of the input (batch, in_channels, *size) and the output.
        reduction: over a region.
        device: where the input is.
        derivatives: for what there will be gradients.
        threads: how many PyTorch has.
        pools: whether nothing is mixed.
    """

    window: Window
    batch: int
    in_channels: int
    out_channels: int
    size: tuple[int, ...]
    groups: int
    reduction: Reduction
    device: str
    derivatives: Derivatives = "all"
    threads: int = field(default_factory=threads_now)
    pools: bool = False

    @property
    def sizes(self) -> tuple[int, ...]:
        """Images, and cells along every axis."""
        return self.batch, *self.size

    @property
    def shapes(self) -> Shapes:
        """The sizes on which the cost depends."""
        sizes = (self.batch, self.in_channels, self.out_channels, self.groups, self.size)
        return Shapes(*sizes, self.derivatives, self.threads)


@dataclass(frozen=True)
class Choice:
    """An engine, why it was taken, and what the model expects of each: seconds of all passes that count, on the threads
    that PyTorch has."""

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
    if is_exported(problem.sizes) and problem.window.ndim in CONVOLUTIONS:
        return Choice("expand", "an exported graph holds PyTorch's own convolution")
    return _choose_sum(problem)


def fitting_engine(problem: Problem, engine: Engine) -> str:
    """Name the engine of a problem whose window fits its input.

    Raises:
        RuntimeError: a window larger than the padded input.
        ValueError: an engine that cannot do this.
    """
    general = is_traced() or has_symbols(problem.sizes)
    return _fitting(problem, engine) if general else _fitting_before(problem, engine)


def _fitting(problem: Problem, engine: Engine) -> str:
    check_fits(problem.size, problem.window)
    return choose(problem, engine).engine


_fitting_before = lru_cache(maxsize=256)(_fitting)


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
    if problem.device != "cpu" and problem.pools:
        return Choice("bags", f"a convolution may round what is only to be added, as in TF32, on {problem.device}")
    if problem.device != "cpu":
        return Choice("expand", f"the bag engine is tuned for the CPU, the input is on {problem.device}")
    channels = (problem.in_channels, problem.out_channels, problem.groups)
    if depthwise.suits(problem.window, *channels, problem.device, False):
        return Choice("bags", "every channel is a group: dense in the faster layout, bag sums for the weight gradient")
    if by_kernel(problem.window, *channels, False):
        return Choice("bags", "every channel is a group, and a compiled kernel weights runs of cells")
    if problem.groups == problem.in_channels == problem.out_channels > 1:
        return Choice(
            "bags", "every channel is a group, and runs of cells are summed sooner than single cells weighted"
        )
    window = problem.window if is_traced() else trimmed(problem.window, problem.size)
    shapes = problem.shapes
    predicted = {"expand": expand_seconds(window, shapes), "bags": bags_seconds(window, shapes)}
    costs = {engine: seconds / problem.threads for engine, seconds in predicted.items()}
    if costs["bags"] < MARGIN * costs["expand"]:
        return Choice("bags", "cheaper than expand by the cost model", costs)
    if costs["bags"] < costs["expand"]:
        return Choice("expand", "bags are hardly cheaper by the cost model, and this is the dense convolution", costs)
    return Choice("expand", "cheaper than bags by the cost model", costs)


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
