"""The log-polar keywords that every grid layer takes, and the stencil they make."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, fields
from inspect import currentframe
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from lpsc_nd.geometry import Convention, LogPolarPartition, Partition, Stencil

DirectionCount = int | Sequence[int] | ArrayLike | None


@dataclass(frozen=True, eq=False)
class LogPolarOptions:
    """The field of a layer: levels, directions and shape, as in :class:`LogPolarPartition`."""

    num_levels: int = 2
    num_directions: DirectionCount = None
    growth: float = 2.0
    eccentricity: float = 1.0
    angle: float = 0.0
    convention: Convention = "paper"

    def changed(self, ndim: int) -> tuple[str, ...]:
        """Return the names of the options that are not at their default for ``ndim`` axes."""
        defaults = {f.name: f.default for f in fields(self)}
        changed = [name for name in defaults if name != "num_directions" and getattr(self, name) != defaults[name]]
        directions = self.num_directions
        if directions is not None and not np.array_equal(np.asarray(directions), np.asarray(default_directions(ndim))):
            changed.append("num_directions")
        return tuple(changed)

    def partition(self, kernel_size: tuple[int, ...], spacing: Any) -> LogPolarPartition:
        """Fit the partition to a window."""
        return LogPolarPartition.for_grid(
            kernel_size,
            self.num_levels,
            default_directions(len(kernel_size)) if self.num_directions is None else self.num_directions,
            self.growth,
            spacing=spacing,
            convention=self.convention,
            eccentricity=self.eccentricity,
            angle=self.angle,
        )


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
        return options.partition(kernel_size, spacing)
    changed = options.changed(len(kernel_size))
    if changed:
        raise ValueError(f"partition replaces {', '.join(changed)}; give one or the other")
    ndim = getattr(partition, "ndim", len(kernel_size))
    if ndim != len(kernel_size):
        raise ValueError(f"partition has {ndim} axes and kernel_size {kernel_size} has {len(kernel_size)}")
    return partition


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
