"""The paper's partition: directions times logarithmic distance levels, in any number of dimensions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from lpsc_nd import _checks
from lpsc_nd.geometry import frame, levels
from lpsc_nd.geometry._types import FloatArray, IntArray
from lpsc_nd.geometry.directions import Directions, DirectionSpec, check_directions, make_directions
from lpsc_nd.geometry.levels import Convention
from lpsc_nd.geometry.partition import Field, check_offsets


@dataclass(frozen=True)
class LogPolarPartition:
    """Regions by direction and logarithmic distance around a centre (Section 3.1 of the paper, in N dimensions).

    An offset o, seen from the field's frame, has the distance ``d = radius * |o / axes|`` and the direction o / |o|;
    its region is ``(level - 1) * directions + direction``, all counted from 1, and 0 outside the field and at the
    centre. The level radii grow geometrically, ``R_l = growth^(l-1) R_1`` (Eq. 2), up to ``radius``.

    Args:
        ndim: number of axes; offsets are in array-axis order, e.g. (z, y, x), the second-last growing downwards.
        radius: outer radius R, in the unit of the offsets.
        num_levels: number of distance levels.
        num_directions: 1-D: 2 (+, then -) or 1. 2-D: number of sectors, counter-clockwise on screen from "right".
            N-D: a tuple, polar bands of equal solid angle for the leading axes and the azimuth of the last two; or an
            (n, ndim) array of unit vectors, the nearest of which is the direction; in 3-D also 6, 8, 12, 20 or 26 for
            :func:`direction_set`.
        growth: ratio of successive level radii, > 1 (of squared radii with ``convention="literal"``).
        convention: "paper", "official" or "literal", see :mod:`lpsc_nd.geometry.levels`.
        eccentricity: 2-D shorthand for ``axes``: height / width of the field, its longer semi-axis being ``radius``.
        angle: radians by which field and directions are turned, counter-clockwise on screen, in the plane of the last
            two axes; direction 1 starts there.
        axes: semi-axes of the field along the frame's axes, in the unit of the offsets; ``radius`` each by default.
        rotation: orthogonal matrix (ndim, ndim) whose columns are the frame's axes, instead of ``angle``.
        min_inner_radius: least radius of the first level ("at least 2" of squared cells in the paper).

    Raises:
        ValueError: an argument out of its range, or two that contradict each other.
        TypeError: an argument of another type.

    >>> partition = LogPolarPartition(2, 4.0, num_levels=2, num_directions=6, growth=3.0)
    >>> partition.region([[0, 0], [0, 1], [-4, 0], [4, 4]])
    array([0, 1, 8, 0])
    """

    ndim: int
    radius: float
    num_levels: int
    num_directions: DirectionSpec
    growth: float
    _: KW_ONLY
    convention: Convention = "paper"
    eccentricity: float = 1.0
    angle: float = 0.0
    axes: tuple[float, ...] | None = None
    rotation: frame.Matrix | None = None
    min_inner_radius: float = 0.0

    def __post_init__(self) -> None:
        ndim = _checks.integer("ndim", self.ndim, minimum=1)
        checked: dict[str, Any] = {
            "ndim": ndim,
            "radius": _checks.number("radius", self.radius, above=0.0),
            "num_levels": _checks.integer("num_levels", self.num_levels, minimum=1),
            "num_directions": check_directions(ndim, self.num_directions),
            "growth": _checks.number("growth", self.growth, above=1.0),
            "convention": _checks.choice("convention", self.convention, levels.CONVENTIONS),
            "eccentricity": _checks.number("eccentricity", self.eccentricity, above=0.0),
            "angle": _checks.number("angle", self.angle),
            "axes": frame.check_axes(ndim, self.axes),
            "rotation": frame.check_rotation(ndim, self.rotation),
            "min_inner_radius": _checks.number("min_inner_radius", self.min_inner_radius, minimum=0.0),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        self._check_shape()

    def _check_shape(self) -> None:
        if self.eccentricity != 1.0 and self.ndim != 2:
            raise ValueError(
                f"eccentricity is height / width in 2-D, got {self.eccentricity:g} in {self.ndim}-D; "
                f"give axes instead, one length per axis"
            )
        if self.eccentricity != 1.0 and self.axes is not None:
            raise ValueError(
                f"eccentricity and axes both shape the field, got {self.eccentricity:g} and {self.axes}; give one"
            )
        if self.angle != 0.0 and self.ndim == 1:
            raise ValueError(f"angle needs at least two axes, got angle {self.angle:g} in 1-D")
        if self.angle != 0.0 and self.rotation is not None:
            raise ValueError(
                f"angle and rotation both turn the field, got {self.angle:g} and a matrix; give one of them"
            )

    @classmethod
    def for_grid(
        cls,
        kernel_size: int | Sequence[int],
        num_levels: int,
        num_directions: int | Sequence[int] | ArrayLike,
        growth: float,
        *,
        spacing: float | Sequence[float] | None = None,
        convention: Convention = "paper",
        eccentricity: float = 1.0,
        angle: float = 0.0,
        axes: Sequence[float] | None = None,
        rotation: ArrayLike | None = None,
        min_inner_radius: float | None = None,
    ) -> LogPolarPartition:
        """Fit the field to a kernel window: what ``LPSConvNd(kernel_size, ...)`` uses.

        The radius is half the longest side, (k - 1) / 2 cells, ``axes`` the half-sides of the window (a rectangular
        window gets the inscribed ellipse, a cubic one the ball), and ``min_inner_radius`` sqrt(n) cells, n being the
        number of axes along which the window extends. On a window of equally many cells along each of them the first
        level so holds all 3^n - 1 neighbours.

        Args:
            kernel_size: window size per axis; an integer means a square window if the other arguments fit 2-D.
            num_levels: number of distance levels.
            num_directions: as in the class.
            growth: ratio of successive radii.
            spacing: size of a cell per axis (anisotropic voxels); all lengths are then in this unit. A cell of
                ``min_inner_radius`` is the shortest one as the field measures distance, radius * spacing / axes.
            convention: as in the class.
            eccentricity: height / width of the largest such ellipse inside a 2-D window; 1 keeps the inscribed one.
            angle: as in the class.
            axes: semi-axes instead of the window's half-sides.
            rotation: as in the class.
            min_inner_radius: instead of sqrt(n) cells.

        Raises:
            ValueError: a window without cells around its centre, or any argument out of its range.

        >>> LogPolarPartition.for_grid((5, 9), 2, 6, 3.0).axes
        (2.0, 4.0)
        """
        ndim = _grid_ndim(kernel_size, num_directions, spacing)
        size = _checks.integers("kernel_size", kernel_size, ndim, minimum=1)
        cell = _checks.numbers("spacing", 1.0 if spacing is None else spacing, ndim, above=0.0)
        half = [(k - 1) / 2 * s for k, s in zip(size, cell, strict=True)]
        if max(half) == 0:
            raise ValueError(f"kernel_size {size} has no cells around its centre; use a 1x1 convolution instead")
        if axes is None:
            axes = _inscribed_axes(half, _checks.number("eccentricity", eccentricity, above=0.0))
            eccentricity = 1.0
        semi_axes = _checks.numbers("axes", axes, ndim, above=0.0)
        if min_inner_radius is None:
            lengths = [max(half) * s / a for k, s, a in zip(size, cell, semi_axes, strict=True) if k > 1]
            min_inner_radius = math.sqrt(len(lengths)) * min(lengths)
        return cls(
            ndim,
            max(half),
            num_levels,
            num_directions,  # type: ignore[arg-type]  # checked and frozen by __post_init__
            growth,
            convention=convention,
            eccentricity=eccentricity,
            angle=angle,
            axes=semi_axes,
            rotation=rotation,  # type: ignore[arg-type]
            min_inner_radius=min_inner_radius,
        )

    @property
    def num_regions(self) -> int:
        """Levels times directions."""
        return self.num_levels * self.directions.count

    @cached_property
    def directions(self) -> Directions:
        """The division of directions into sectors."""
        return make_directions(self.ndim, self.num_directions)

    @property
    def level_radii(self) -> tuple[float, ...]:
        """Outer radius of each level, innermost first, in the unit of ``radius``."""
        return tuple(math.sqrt(limit) for limit in self._squared_limits)

    def region(self, offsets: ArrayLike) -> IntArray:
        """Return the region of each offset.

        Args:
            offsets: array (..., ndim), in the unit of ``radius``.

        Returns:
            int64 array (...): 0 for no region, else 1..num_regions.

        Raises:
            ValueError: another last axis than ndim, or an offset that is NaN or infinite.
        """
        array = check_offsets(offsets, self.ndim)
        columns = np.ascontiguousarray(array.reshape(-1, self.ndim).T)  # one axis after the other is faster
        largest = np.abs(columns).max(axis=0, initial=0.0)
        center = largest == 0
        local = self._frame.T @ (columns / np.where(center, 1.0, largest))  # no overflow, however long the offset
        with np.errstate(over="ignore", under="ignore"):
            scaled = local * (self.radius / self._semi_axes)[:, None]
            squared = np.square(largest) * np.square(scaled).sum(axis=0)
            level = levels.levels(squared, center, self._squared_limits, self.convention)
        sector = self.directions.sectors(local.T)
        region = np.where(level > 0, (level - 1) * self.directions.count + sector + 1, 0)
        return region.reshape(array.shape[:-1])

    def field(self) -> Field:
        """Return the ellipsoid of the last level.

        Raises:
            ValueError: the convention "official", whose field is the square window of a grid.
        """
        if self.convention == "official":
            raise ValueError(
                "convention 'official' counts the whole square window of a grid, so it has no field on point sets; "
                "use convention='paper'"
            )
        return Field(self._frame * (self.radius / self._semi_axes), self.level_radii[-1])

    @cached_property
    def _squared_limits(self) -> tuple[float, ...]:
        return levels.squared_limits(self.radius, self.num_levels, self.growth, self.min_inner_radius, self.convention)

    @cached_property
    def _frame(self) -> FloatArray:
        return frame.turn(self.ndim, self.angle) if self.rotation is None else np.asarray(self.rotation)

    @cached_property
    def _semi_axes(self) -> FloatArray:
        if self.axes is not None:
            return np.asarray(self.axes)
        if self.ndim == 2:
            return np.asarray(frame.ellipse_axes(self.eccentricity, self.radius, self.radius))
        return np.full(self.ndim, self.radius)


def _grid_ndim(kernel_size: Any, num_directions: Any, spacing: Any) -> int:
    """Tell how many axes a grid has from whichever argument has one entry per axis; 2 if none says otherwise."""
    for value in (kernel_size, spacing):
        if value is not None and hasattr(value, "__len__") and not isinstance(value, str):
            return len(value)
    table = np.ndim(num_directions)
    return int(np.shape(num_directions)[1]) if table == 2 else int(np.shape(num_directions)[0]) + 1 if table == 1 else 2


def _inscribed_axes(half: list[float], eccentricity: float) -> tuple[float, ...]:
    """Return semi-axes that touch the window; an axis without extent gets the radius, as its offsets are all zero."""
    if eccentricity != 1.0 and len(half) == 2 and min(half) > 0:
        return frame.ellipse_axes(eccentricity, half[0], half[1])
    if eccentricity != 1.0:
        raise ValueError(f"eccentricity is height / width of a 2-D window; got {eccentricity:g} for half-sides {half}")
    return tuple(extent or max(half) for extent in half)
