"""The finest partition of a window: every cell its own region."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass

import numpy as np
from numpy.typing import ArrayLike

from lpsc_nd import _checks
from lpsc_nd.geometry._types import IntArray
from lpsc_nd.geometry.partition import Field, check_offsets


@dataclass(frozen=True)
class CellPartition:
    """One region per cell of a window, row-major, the centre included.

    With it and ``center=False`` a log-polar layer is nn.ConvNd, which makes it the tests' bridge to PyTorch, and a way
    to run an ordinary kernel on a point set. Offsets belong to the nearest cell, and to none outside the window.

    Args:
        kernel_size: window size, one entry per axis; the centre is cell (k - 1) // 2.
        spacing: size of a cell per axis.

    Raises:
        TypeError, ValueError: sizes that are not positive integers, spacings that are not positive.

    >>> CellPartition((3,)).region([[-1], [0], [1], [2]])
    array([1, 2, 3, 0])
    """

    kernel_size: tuple[int, ...]
    _: KW_ONLY
    spacing: float | Sequence[float] = 1.0

    def __post_init__(self) -> None:
        if not hasattr(self.kernel_size, "__len__"):
            raise TypeError(f"kernel_size must have one entry per axis, e.g. (3, 3), got {self.kernel_size!r}")
        size = _checks.integers("kernel_size", self.kernel_size, len(self.kernel_size), minimum=1)
        object.__setattr__(self, "kernel_size", size)
        object.__setattr__(self, "spacing", _checks.numbers("spacing", self.spacing, len(size), above=0.0))

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.kernel_size)

    @property
    def num_regions(self) -> int:
        """Number of cells in the window."""
        return math.prod(self.kernel_size)

    def region(self, offsets: ArrayLike) -> IntArray:
        """Return 1 + the row-major index of the nearest cell, (..., ndim) -> (...); 0 outside the window.

        Raises:
            ValueError: another last axis than ndim, or an offset that is NaN or infinite.
        """
        array = check_offsets(offsets, self.ndim) / np.asarray(self.spacing)
        size = np.asarray(self.kernel_size)
        cell = np.floor(np.clip(array, -1e15, 1e15) + 0.5).astype(np.int64) + (size - 1) // 2
        inside = ((cell >= 0) & (cell < size)).all(axis=-1)
        code = np.ravel_multi_index(tuple(np.moveaxis(np.where(inside[..., None], cell, 0), -1, 0)), self.kernel_size)
        return np.where(inside, code + 1, 0).astype(np.int64)

    def field(self) -> Field:
        """Return the ellipsoid around the window, its outermost cells whole: |offset / half-side| <= sqrt(ndim)."""
        half = (np.asarray(self.kernel_size) // 2 + 0.5) * np.asarray(self.spacing)
        return Field(np.diag(1.0 / half), math.sqrt(self.ndim))
