"""The log-polar keywords that every grid layer takes, and the stencil they make."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from inspect import currentframe
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from lpsc_nd import _checks
from lpsc_nd.geometry import (
    CausalPartition,
    Convention,
    LogPolarPartition,
    Partition,
    Stencil,
    ball_partition,
    ball_window,
)
from lpsc_nd.geometry.directions import check_directions

DirectionCount = int | Sequence[int] | ArrayLike | None


@dataclass(frozen=True, eq=False)
class LogPolarOptions:
    """The field of a layer: levels, directions and shape, as in :class:`LogPolarPartition`.

    With ``radius`` the field is a ball of that physical radius, else the largest ellipsoid in the window.
    """

    num_levels: int = 2
    num_directions: DirectionCount = None
    growth: float = 2.0
    eccentricity: float = 1.0
    angle: float = 0.0
    convention: Convention = "paper"
    radius: float | None = None
    causal: bool = False

    def changed(self, ndim: int) -> tuple[str, ...]:
        """Return the names of the options that are not at their default for ``ndim`` axes."""
        defaults = {f.name: f.default for f in fields(self)}
        changed = [name for name in defaults if name != "num_directions" and getattr(self, name) != defaults[name]]
        directions = self.num_directions
        if directions is not None and not np.array_equal(np.asarray(directions), np.asarray(default_directions(ndim))):
            changed.append("num_directions")
        return tuple(changed)

    def partition(self, kernel_size: tuple[int, ...], spacing: Any) -> LogPolarPartition:
        """Fit the partition to a window, or to the radius; on both sides of the centre, ``causal`` or not."""
        ndim = len(kernel_size)
        shape: dict[str, Any] = {
            "num_levels": self.num_levels,
            "num_directions": default_directions(ndim) if self.num_directions is None else self.num_directions,
            "growth": self.growth,
            "spacing": spacing,
            "convention": self.convention,
            "eccentricity": self.eccentricity,
            "angle": self.angle,
        }
        if self.radius is None:
            return LogPolarPartition.for_grid(kernel_size, **shape)
        return ball_partition(ndim, self.radius, **shape)

    def past(self, kernel_size: tuple[int, ...], spacing: Any) -> CausalPartition:
        """Fit the partition, and keep the levels before the centre.

        Raises:
            ValueError: other than one axis, or the convention "official".
        """
        if len(kernel_size) != 1:
            raise ValueError(f"causal must be False in {len(kernel_size)}-D, got True: only a line has a past")
        check_directions(1, 1 if self.num_directions is None else self.num_directions)
        return CausalPartition(replace(self, num_directions=1).partition(kernel_size, spacing))


def choose_window(
    ndim: int, kernel_size: int | Sequence[int] | None, radius: float | None, spacing: float | Sequence[float] | None
) -> tuple[int, ...]:
    """Return the window that is given, or the least one that holds the radius.

    Raises:
        TypeError: neither is given.
        ValueError: a window that would cut the ball off, or an argument out of its range.
    """
    if radius is None:
        if kernel_size is None:
            raise TypeError("kernel_size must be given where there is no radius to tell it, got None")
        return _checks.integers("kernel_size", kernel_size, ndim, minimum=1)
    least = ball_window(ndim, radius, spacing)
    if kernel_size is None:
        return least
    size = _checks.integers("kernel_size", kernel_size, ndim, minimum=1)
    if any((k - 1) // 2 < needed // 2 for k, needed in zip(size, least, strict=True)):
        raise ValueError(
            f"kernel_size must be at least {least} to hold the radius {radius:g}, got {size}; leave it out, or give a "
            f"partition, which the window may cut"
        )
    return size


def default_directions(ndim: int) -> int | tuple[int, ...]:
    """Return 2 on a line, 6 in the plane, and two bands per further axis."""
    if ndim <= 2:
        return 2 if ndim == 1 else 6
    return (*(2,) * (ndim - 2), 6)


def choose_partition(
    options: LogPolarOptions, partition: Partition | None, kernel_size: tuple[int, ...], spacing: Any
) -> Partition:
    """Return the partition that is given, or the one that the options describe.

    Raises:
        ValueError: both are given, or a partition of another number of axes.
    """
    if partition is None:
        return options.past(kernel_size, spacing) if options.causal else options.partition(kernel_size, spacing)
    changed = options.changed(len(kernel_size))
    if changed:
        raise ValueError(f"partition replaces {', '.join(changed)}; give one or the other")
    ndim = getattr(partition, "ndim", len(kernel_size))
    if ndim != len(kernel_size):
        raise ValueError(f"partition has {ndim} axes and kernel_size {kernel_size} has {len(kernel_size)}")
    return partition


def check_causal(causal: bool, padding_mode: str) -> bool:
    """Return ``causal`` if the padding keeps the future out.

    Raises:
        TypeError: ``causal`` is not a bool.
        ValueError: a padding mode that puts later values before the first one.
    """
    if not isinstance(causal, bool):
        raise TypeError(f"causal must be True or False, got {causal!r}")
    if causal and padding_mode in ("reflect", "circular"):
        raise ValueError(
            f"padding_mode must be 'zeros' or 'replicate' for a causal layer, got {padding_mode!r}, which puts values "
            f"of the future before the first one"
        )
    return causal


def warn_of_empty_regions(stencil: Stencil) -> None:
    """Say once which regions hold no cell of the window, at the line outside this package that built the layer."""
    if stencil.empty_regions:
        warnings.warn(
            f"{len(stencil.empty_regions)} of {stencil.num_regions} regions are empty on a window of "
            f"{stencil.kernel_size}: {_shortened(stencil.empty_regions)}. Their weights get no gradient; "
            f"a larger window, fewer levels or fewer directions avoid that.",
            UserWarning,
            stacklevel=_levels_up_to_the_user(),
        )


def _levels_up_to_the_user() -> int:
    package = __name__.partition(".")[0]
    level, frame = 1, currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == package:
        level, frame = level + 1, frame.f_back
    return level - 1


def _shortened(regions: tuple[int, ...]) -> str:
    shown = ", ".join(map(str, regions[:24]))
    return shown if len(regions) <= 24 else f"{shown} and {len(regions) - 24} more"
