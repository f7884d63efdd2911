"""A partition says which region an offset from the centre belongs to."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike

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
