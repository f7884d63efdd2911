"""What is timed: layers with their inputs and targets, as data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from lpsc_nd import LPSConvNd
from lpsc_nd.pooling.dispatch import Engine

Quantity = Literal[
    "x dense, forward",
    "x dense, forward + backward",
    "x dense in the default layout, forward",
    "floors, forward",
    "floors, forward + backward",
    "extra MB, forward",
    "extra MB, forward + backward",
]
"""What a target is about: "x dense" is dense time / our time, "floors" our time / that of the matrix products."""

Group = Literal["target", "2-D growth", "3-D growth", "smoke"]
"""What a case is for: a row of the table of targets, a point of a growth curve, or a trial of the program itself."""


@dataclass(frozen=True)
class Target:
    """A bound that a measured quantity shall keep: multiples of dense from below, all others from above."""

    quantity: Quantity
    bound: float

    @property
    def is_least(self) -> bool:
        """Whether the bound is the least value, rather than the largest, that will do."""
        return self.quantity.startswith("x dense")

    def met(self, value: float) -> bool:
        """Return whether a measured value keeps the bound."""
        return value >= self.bound if self.is_least else value <= self.bound

    def __str__(self) -> str:
        return f"{'≥' if self.is_least else '≤'} {self.bound:g}"


@dataclass(frozen=True)
class Case:
    """A layer, its input, and what is asked of it.

    Args:
        name: what the command line calls it.
        input_shape: (B, C, *size).
        out_channels: C'.
        kernel_size: cells of the window along every axis, odd; the padding is half of it.
        num_levels: distance levels.
        num_directions: directions.
        stride: steps of the output sites along every axis.
        groups: groups of channels.
        growth: ratio of successive level radii.
        targets: bounds to keep.
        group: what the case is for.
        short: whether it is in the short set.
    """

    name: str
    input_shape: tuple[int, ...]
    out_channels: int
    kernel_size: int
    num_levels: int
    num_directions: int | tuple[int, ...]
    stride: int = 1
    groups: int = 1
    growth: float = 2.0
    targets: tuple[Target, ...] = ()
    group: Group = "target"
    short: bool = False

    @property
    def ndim(self) -> int:
        """Number of spatial axes."""
        return len(self.input_shape) - 2

    @property
    def in_channels(self) -> int:
        """C."""
        return self.input_shape[1]

    @property
    def title(self) -> str:
        """Dimension, window (levels, directions), channels, batch and size, in words."""
        window = "x".join([str(self.kernel_size)] * self.ndim)
        directions = math.prod(self.num_directions) if isinstance(self.num_directions, tuple) else self.num_directions
        channels = f"{self.in_channels} → {self.out_channels}"
        kind = f"{self.in_channels} depthwise" if self.groups > 1 else channels
        stride = f" stride {self.stride}" if self.stride > 1 else ""
        batch, *size = self.input_shape[:1] + self.input_shape[2:]
        extent = " x ".join(map(str, size))
        return f"{self.ndim}-D {window} ({self.num_levels}, {directions}){stride}, {kind}, {batch} of {extent}"

    @property
    def is_growth(self) -> bool:
        """Whether the case is a point of a growth curve."""
        return self.group in ("2-D growth", "3-D growth")

    def layer(self, engine: Engine = "auto") -> LPSConvNd:
        """Build the layer.

        Raises:
            ValueError: an engine that cannot run it.
        """
        return LPSConvNd(
            self.ndim,
            self.in_channels,
            self.out_channels,
            self.kernel_size,
            self.stride,
            self.kernel_size // 2,
            groups=self.groups,
            num_levels=self.num_levels,
            num_directions=self.num_directions,
            growth=self.growth,
            engine=engine,
        )


def faster(forward: float, training: float) -> tuple[Target, ...]:
    """Ask for multiples of the dense convolution's speed, and for little memory."""
    return (
        Target("x dense, forward", forward),
        Target("x dense, forward + backward", training),
        Target("extra MB, forward", 32.0),
        Target("extra MB, forward + backward", 32.0),
    )


def floors(forward: float) -> tuple[Target, ...]:
    """Ask for nearly the speed of the matrix products alone."""
    return Target("floors, forward", forward), Target("floors, forward + backward", 1.3)


WIDE, NARROW = floors(1.2), floors(1.5)
DEFAULT_LAYOUT = Target("x dense in the default layout, forward", 20.0)
BALL = (2, 4)
IMAGES, MAPS, BATCH = (8, 64, 32, 32), (4, 64, 56, 56), (128, 3, 32, 32)

TARGETS = (
    Case("conv2d-9x9-64", IMAGES, 64, 9, 2, 6, targets=faster(5.5, 5.5) + WIDE, short=True),
    Case("conv2d-13x13-64", IMAGES, 64, 13, 3, 8, targets=faster(5.5, 5.5) + WIDE, short=True),
    Case("conv2d-31x31-64", (1, 64, 56, 56), 64, 31, 3, 8, targets=faster(30, 30) + WIDE),
    Case("conv2d-9x9-128", (4, 128, 28, 28), 128, 9, 2, 6, targets=faster(6.5, 6.5) + WIDE, short=True),
    Case("conv2d-9x9-16", (8, 16, 32, 32), 16, 9, 2, 6, targets=faster(1.5, 1.5), short=True),
    Case("stem2d-11x11-stride4", (8, 3, 32, 32), 64, 11, 3, 8, stride=4, targets=faster(0.95, 0.95), short=True),
    Case("conv2d-5x5-3", (8, 3, 32, 32), 64, 5, 2, 4, targets=faster(0.95, 0.95), short=True),
    Case("stem2d-11x11-stride4-batch128", BATCH, 64, 11, 3, 8, stride=4, targets=faster(0.95, 0.95)),
    Case("conv2d-5x5-3-batch128", BATCH, 64, 5, 2, 4, targets=faster(0.95, 0.95)),
    Case("conv3d-7x7x7-32", (1, 32, 24, 24, 24), 32, 7, 2, BALL, targets=faster(10, 11) + NARROW, short=True),
    Case("conv3d-11x11x11-32", (1, 32, 32, 32, 32), 32, 11, 3, BALL, targets=faster(30, 28) + NARROW),
    Case("conv1d-101-64", (8, 64, 4096), 64, 101, 4, 2, targets=faster(6, 6) + WIDE, short=True),
    Case("depthwise2d-31x31-64", MAPS, 64, 31, 3, 8, groups=64, targets=(*faster(2, 2), DEFAULT_LAYOUT)),
    Case("depthwise2d-13x13-64", MAPS, 64, 13, 3, 8, groups=64, targets=faster(1, 1)),
    Case("depthwise2d-9x9-64", MAPS, 64, 9, 2, 6, groups=64, targets=faster(1, 1), short=True),
)
"""The rows of the table of targets."""


def plane(kernel_size: int, num_levels: int) -> Case:
    """Return a point of the growth curve in the plane."""
    name = f"growth2d-{kernel_size}"
    return Case(name, (1, 64, 56, 56), 64, kernel_size, num_levels, 8, group="2-D growth")


def space(kernel_size: int, num_levels: int) -> Case:
    """Return a point of the growth curve in space."""
    name = f"growth3d-{kernel_size}"
    return Case(name, (1, 16, 20, 20, 20), 16, kernel_size, num_levels, BALL, group="3-D growth")


GROWTH = (
    *(plane(k, levels) for k, levels in ((3, 1), (5, 1), (7, 2), (9, 2), (13, 3), (17, 3), (23, 3), (31, 3))),
    *(space(k, levels) for k, levels in ((3, 1), (5, 1), (7, 2), (9, 3), (11, 3))),
)
"""Time against kernel size: as many levels as the window holds without an empty region, three at most."""

SMOKE = Case("smoke", (1, 4, 8, 8), 4, 5, 1, 6, group="smoke")
"""A tiny case to try the program with; it tells nothing about speed."""

CASES = {case.name: case for case in (*TARGETS, *GROWTH, SMOKE)}


def chosen(names: Sequence[str], *, full: bool) -> tuple[Case, ...]:
    """Return the named cases; without names the full or the short set.

    Raises:
        ValueError: a name that no case has.
    """
    unknown = sorted(set(names) - set(CASES))
    if unknown:
        raise ValueError(f"no case is called {', '.join(unknown)}; there are {', '.join(CASES)}")
    if names:
        return tuple(CASES[name] for name in names)
    return (*TARGETS, *GROWTH) if full else tuple(case for case in TARGETS if case.short)
