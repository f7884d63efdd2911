"""A partition drawn by hand: what a user's own kernel looks like to the layers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class MaskPartition:
    """Regions written down cell by cell; offsets outside the window, or between cells, are in no region.

    Args:
        codes: the region of every cell, row-major.
        kernel_size: shape of the window; its centre is cell (k - 1) // 2.
        num_regions: number of regions.

    >>> MaskPartition((1, 0, 2), (3,), 2).region([[-1], [0], [1], [5]])
    array([1, 0, 2, 0])
    """

    codes: tuple[int, ...]
    kernel_size: tuple[int, ...]
    num_regions: int

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.kernel_size)

    def region(self, offsets: ArrayLike) -> NDArray[np.int64]:
        """Return the code of each offset: (..., ndim) -> (...)."""
        flat = np.asarray(offsets, dtype=np.float64).reshape(-1, self.ndim)
        codes = [self._code(tuple(float(entry) for entry in offset)) for offset in flat]
        return np.asarray(codes, dtype=np.int64).reshape(np.shape(offsets)[:-1])

    def _code(self, offset: tuple[float, ...]) -> int:
        index = 0
        for entry, size in zip(offset, self.kernel_size, strict=True):
            cell = entry + (size - 1) // 2
            if cell != int(cell) or not 0 <= cell < size:
                return 0
            index = index * size + int(cell)
        return self.codes[index]
