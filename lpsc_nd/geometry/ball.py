"""A field of one physical radius in all directions, and the window of cells that holds it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from lpsc_nd import _checks
from lpsc_nd.geometry.frame import ellipse_axes
from lpsc_nd.geometry.levels import RELATIVE_TOLERANCE, Convention
from lpsc_nd.geometry.log_polar import LogPolarPartition


def ball_window(ndim: int, radius: float, spacing: float | Sequence[float] | None = None) -> tuple[int, ...]:
    """Return the least window that holds a ball: ``2 * floor(radius / spacing) + 1`` cells along each axis.

    Args:
        ndim: number of axes.
        radius: in the unit of ``spacing``.
        spacing: size of a cell, per axis or one for all; 1 by default.

    Raises:
        ValueError: a radius shorter than every cell, or an argument out of its range.

    >>> ball_window(3, 6.0, (3.0, 1.0, 1.0))
    (5, 13, 13)
    """
    reach = _checks.number("radius", radius, above=0.0) * math.sqrt(1 + RELATIVE_TOLERANCE)
    cell = _checks.numbers("spacing", 1.0 if spacing is None else spacing, ndim, above=0.0)
    size = tuple(2 * math.floor(reach / length) + 1 for length in cell)
    if max(size) == 1:
        raise ValueError(f"radius must reach at least one neighbouring cell, got {radius:g} with cells of {cell}")
    return size


def ball_partition(
    ndim: int,
    radius: float,
    num_levels: int,
    num_directions: Any,
    growth: float,
    *,
    spacing: float | Sequence[float] | None = None,
    convention: Convention = "paper",
    eccentricity: float = 1.0,
    angle: float = 0.0,
) -> LogPolarPartition:
    """Return the partition whose distances and directions are those of physical offsets, the same along all axes.

    Unlike :meth:`LogPolarPartition.for_grid`, which stretches the field to the window, its field is a ball of
    ``radius``; in 2-D ``eccentricity`` still makes it an ellipse whose longer semi-axis is the radius. The least radius
    of the first level is sqrt(n) of the shortest cell, n being the number of axes along which the ball holds more than
    one cell, as the field measures it; but never more than ``radius``.

    Args:
        ndim: number of axes.
        radius: in the unit of ``spacing``.
        num_levels, num_directions, growth, convention, eccentricity, angle: as in :class:`LogPolarPartition`.
        spacing: size of a cell, per axis or one for all; 1 by default.

    Raises:
        ValueError, TypeError: an argument out of its range or of another type.

    >>> ball_partition(3, 6.0, 2, (2, 4), 2.0, spacing=(3.0, 1.0, 1.0)).level_radii
    (3.0, 6.0)
    """
    window = ball_window(ndim, radius, spacing)
    cell = _checks.numbers("spacing", 1.0 if spacing is None else spacing, ndim, above=0.0)
    axes = (
        (radius,) * ndim
        if ndim != 2
        else ellipse_axes(_checks.number("eccentricity", eccentricity, above=0.0), radius, radius)
    )
    lengths = [radius * length / axis for k, length, axis in zip(window, cell, axes, strict=True) if k > 1]
    return LogPolarPartition(
        ndim,
        radius,
        num_levels,
        num_directions,
        growth,
        convention=convention,
        eccentricity=eccentricity,
        angle=angle,
        min_inner_radius=min(radius, math.sqrt(len(lengths)) * min(lengths)),
    )
