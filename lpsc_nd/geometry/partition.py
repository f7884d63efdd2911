"""A partition says which region an offset from the centre belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike

from lpsc_nd import _checks
from lpsc_nd.geometry._types import FloatArray, IntArray


@runtime_checkable
class Partition(Protocol):
    """What the layers ask of a partition; any object with these two members works.

    Regions are numbered 1..num_regions, and 0 means "in no region". A partition must be deterministic: plans are cached
    by the object if it is hashable.
    """

    @property
    def num_regions(self) -> int:
        """How many regions there are."""
        ...

    def region(self, offsets: ArrayLike) -> IntArray:
        """Return the region of each offset: (..., ndim) -> (...)."""
        ...


@dataclass(frozen=True, eq=False)
class Field:
    """An ellipsoid around the centre outside of which there is no region: ``|offset @ matrix| <= radius``.

    Args:
        matrix: invertible matrix (ndim, ndim).
        radius: finite, >= 0.

    Raises:
        ValueError: a matrix that is not square or cannot be inverted, a radius that is negative or not finite.

    >>> Field([[1.0, 0.0], [0.0, 2.0]], 4.0).reach  # twice as long along the first axis
    4.0
    """

    matrix: FloatArray
    radius: float

    def __post_init__(self) -> None:
        matrix = _checks.table("matrix", self.matrix)
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.size == 0:
            raise ValueError(f"matrix must have shape (ndim, ndim), got {matrix.shape}")
        if not np.isfinite(matrix).all() or np.linalg.matrix_rank(matrix) < len(matrix):
            raise ValueError(f"matrix must be finite and invertible, got {matrix.tolist()}")
        object.__setattr__(self, "matrix", matrix)
        object.__setattr__(self, "radius", _checks.number("radius", self.radius, minimum=0.0))

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.matrix)

    @property
    def reach(self) -> float:
        """The longest offset in the field: its largest semi-axis."""
        return float(self.radius / np.linalg.norm(self.matrix, ord=-2))


@runtime_checkable
class BoundedPartition(Protocol):
    """A partition that tells how far its regions reach, which point sets need: on a grid the window is the bound."""

    @property
    def num_regions(self) -> int:
        """How many regions there are."""
        ...

    def region(self, offsets: ArrayLike) -> IntArray:
        """Return the region of each offset: (..., ndim) -> (...)."""
        ...

    def field(self) -> Field:
        """Return an ellipsoid that contains every region; it may be larger than they are."""
        ...


def check_offsets(offsets: ArrayLike, ndim: int) -> FloatArray:
    """Return ``offsets`` as a float64 array (..., ndim).

    Raises:
        ValueError: the last axis is not ``ndim`` long, or an offset is NaN or infinite.
    """
    array = np.asarray(offsets, dtype=np.float64)
    if array.ndim == 0 or array.shape[-1] != ndim:
        raise ValueError(f"offsets must have shape (..., {ndim}), got {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError("offsets must be finite, got NaN or infinity")
    return array
