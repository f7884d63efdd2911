"""From the direction of an offset to a sector: by sign, by angles, or by the nearest of given unit vectors.

Each class answers one question, ``sectors(offsets)``: which of its ``count`` sectors (from 0) every row of an
``(n, ndim)`` array points into. Offsets are in array-axis order, so the second-last axis is y and grows downwards.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaincinv

from lpsc_nd import _checks
from lpsc_nd.geometry._types import FloatArray, IntArray
from lpsc_nd.geometry.direction_sets import direction_set
from lpsc_nd.geometry.levels import count_passed

BORDER_TOLERANCE = 1e-6
"""Borders of sectors (radians or cosines) move back by this much: rounding never moves a cell that lies on one."""

DirectionSpec = int | tuple[int, ...] | tuple[tuple[float, ...], ...]
"""A checked ``num_directions``: a count, bands and azimuth, or unit vectors."""


class Directions(Protocol):
    """A division of all directions into ``count`` sectors."""

    @property
    def count(self) -> int:
        """How many sectors there are."""
        ...

    def sectors(self, offsets: FloatArray) -> IntArray:
        """Return the sector, from 0, of each row of ``offsets`` (n, ndim)."""
        ...


@dataclass(frozen=True)
class SignDirections:
    """The two directions of a line: 0 is +, 1 is -; with ``count`` 1 both sides are one sector."""

    count: int = 2

    def sectors(self, offsets: FloatArray) -> IntArray:
        """Return 0 for offsets >= 0 and 1 for negative ones."""
        if self.count == 1:
            return np.zeros(len(offsets), dtype=np.int64)
        return (offsets[:, 0] < 0).astype(np.int64)


@dataclass(frozen=True)
class AngularDirections:
    """Polar bands of equal solid angle for the leading axes, times azimuth sectors in the plane of the last two.

    In 2-D there are no bands: sector m covers the angles [2 pi m / A, 2 pi (m+1) / A), counter-clockwise as seen on
    screen from "right". In N-D the polar angle of leading axis j, within the axes j..N-1, runs from 0 (along +j) to pi
    and is cut where the hypersphere's measure, a Beta((n-1)/2, (n-1)/2) law of (1 + cos) / 2 with n = N - j, has equal
    shares: exact in any dimension. Sectors are numbered row-major, the azimuth running fastest.
    """

    bands: tuple[int, ...]
    azimuth: int

    @property
    def count(self) -> int:
        """Product of all band counts and of the azimuth count."""
        return math.prod(self.bands) * self.azimuth

    def sectors(self, offsets: FloatArray) -> IntArray:
        """Return the sector of each row; where an angle is undefined (at a pole) it counts as 0."""
        sector = np.zeros(len(offsets), dtype=np.int64)
        for axis, count in enumerate(self.bands):
            sector = sector * count + self._band(offsets[:, axis:], count)
        return sector * self.azimuth + self._azimuth_sector(offsets[:, -2:])

    def _band(self, offsets: FloatArray, count: int) -> IntArray:
        polar = np.arctan2(np.sqrt(np.square(offsets[:, 1:]).sum(axis=1)), offsets[:, 0])
        return count_passed(polar, polar_borders(offsets.shape[1], count) - BORDER_TOLERANCE, side="right")

    def _azimuth_sector(self, plane: FloatArray) -> IntArray:
        angle = np.arctan2(-plane[:, 0], plane[:, 1])
        angle += np.where(angle < 0, 2 * np.pi, 0.0)
        sector = ((angle + BORDER_TOLERANCE) * (self.azimuth / (2 * np.pi))).astype(np.int64)
        return np.where(sector == self.azimuth, 0, sector)


@dataclass(frozen=True)
class NearestDirections:
    """The sector of an offset is the unit vector with which it makes the smallest angle; ties go to the first."""

    vectors: tuple[tuple[float, ...], ...]

    @property
    def count(self) -> int:
        """The number of unit vectors."""
        return len(self.vectors)

    def sectors(self, offsets: FloatArray) -> IntArray:
        """Return the index of the nearest unit vector for each row."""
        products = np.asarray(self.vectors) @ offsets.T  # (vectors, n): the cosines times the lengths
        lengths = np.sqrt(np.square(offsets).sum(axis=1))
        near = products >= products.max(axis=0) - BORDER_TOLERANCE * lengths
        missing = np.ones(len(offsets), dtype=np.bool_)
        first = np.zeros(len(offsets), dtype=np.min_scalar_type(self.count))  # bytes: argmax is several times slower
        for row in near:
            missing &= ~row
            first += missing
        return first.astype(np.int64)


def polar_borders(ndim: int, count: int) -> FloatArray:
    """Return the ``count - 1`` polar angles that cut the unit sphere of R^ndim into bands of equal measure."""
    shape = (ndim - 1) / 2
    shares = 1.0 - np.arange(1, count) / count
    return np.asarray(np.arccos(2.0 * betaincinv(shape, shape, shares) - 1.0), dtype=np.float64)


def check_directions(ndim: int, num_directions: Any) -> DirectionSpec:
    """Check ``num_directions`` for ``ndim`` axes and return it as a hashable value.

    Raises:
        ValueError: a count below 1, another count than 1 or 2 on a line, a tuple that is not one count per polar band
            and one for the azimuth, an integer in 3-D that names no standard set, or vectors that are not unit length.
        TypeError: something else than an integer, a tuple of integers or an array of vectors.
    """
    if _is_table(num_directions):
        return _check_vectors(ndim, num_directions)
    if not isinstance(num_directions, (str, bytes)) and np.ndim(num_directions) == 1:
        return _check_bands(ndim, tuple(num_directions))
    count = _checks.integer("num_directions", num_directions, minimum=1)
    if ndim == 1 and count > 2:
        raise ValueError(f"num_directions must be 1 or 2 on a line, which has the directions + and -, got {count}")
    if ndim == 3:
        return _check_vectors(ndim, direction_set(count))
    if ndim > 3:
        raise ValueError(
            f"num_directions in {ndim} dimensions must be a tuple of {ndim - 1} counts (polar bands, then the azimuth) "
            f"or an (n, {ndim}) array of unit vectors, got {count}"
        )
    return count


def make_directions(ndim: int, spec: DirectionSpec) -> Directions:
    """Build the division that a checked ``num_directions`` describes."""
    if isinstance(spec, int):
        return SignDirections(spec) if ndim == 1 else AngularDirections((), spec)
    if isinstance(spec[0], tuple):
        return NearestDirections(tuple(vector for vector in spec if isinstance(vector, tuple)))
    counts = tuple(count for count in spec if isinstance(count, int))
    return AngularDirections(counts[:-1], counts[-1])


def _is_table(value: Any) -> bool:
    return getattr(value, "ndim", 0) == 2 or (
        isinstance(value, Sequence) and not isinstance(value, str) and any(isinstance(row, Sequence) for row in value)
    )


def _check_bands(ndim: int, counts: tuple[Any, ...]) -> DirectionSpec:
    if ndim == 1 or len(counts) != ndim - 1:
        if len(counts) == 1:
            return check_directions(ndim, counts[0])
        expected = "an integer" if ndim < 3 else f"a tuple of {ndim - 1} counts"
        raise ValueError(f"num_directions in {ndim} dimensions must be {expected}, got {counts!r}")
    checked = tuple(_checks.integer(f"num_directions[{axis}]", n, minimum=1) for axis, n in enumerate(counts))
    return checked if ndim > 2 else checked[0]


def _check_vectors(ndim: int, vectors: ArrayLike) -> tuple[tuple[float, ...], ...]:
    table = _checks.table("num_directions", vectors)
    if table.ndim != 2 or table.shape[1] != ndim or len(table) == 0:
        raise ValueError(f"num_directions as vectors must have shape (n, {ndim}) with n >= 1, got {table.shape}")
    if not np.allclose(np.linalg.norm(table, axis=1), 1.0, atol=1e-6):
        raise ValueError(
            f"num_directions as vectors must hold unit vectors, got {table.tolist()}; divide each row by its length"
        )
    return tuple(tuple(float(entry) for entry in row) for row in table)
