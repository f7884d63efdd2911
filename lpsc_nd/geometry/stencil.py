"""A partition laid on a kernel window: which cell is in which region."""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from lpsc_nd import _checks
from lpsc_nd.geometry._types import FloatArray, IntArray
from lpsc_nd.geometry.partition import Partition

Reduction = Literal["mean", "sum", "max"]
REDUCTIONS: tuple[str, ...] = get_args(Reduction)


@dataclass(frozen=True)
class Stencil:
    """The regions of a kernel window, frozen, hashable and free of tensors.

    Build one with :meth:`build` or :meth:`from_mask`; the fields are its identity.

    Args:
        kernel_size: window size per axis.
        num_regions: number of regions R, empty ones included.
        center: index of the centre cell in the window.
        codes: the region of every cell, row-major, as little-endian int32 bytes; 0 is no region.

    Attributes:
        token: the stencil as a short text, from which :meth:`from_token` makes it again in any process.
    """

    kernel_size: tuple[int, ...]
    num_regions: int
    center: tuple[int, ...]
    codes: bytes
    token: str = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "token", self._encode())

    @classmethod
    def build(
        cls,
        partition: Partition,
        kernel_size: int | Sequence[int],
        *,
        spacing: float | Sequence[float] | None = None,
    ) -> Stencil:
        """Lay ``partition`` on a window whose centre is cell (k - 1) // 2; equal arguments share one cached result.

        Args:
            partition: any object with ``num_regions`` and ``region(offsets)``.
            kernel_size: window size; an integer is repeated for each of ``partition.ndim`` axes.
            spacing: size of a cell per axis, by which cell offsets are multiplied.

        Raises:
            TypeError: ``partition`` is not one, or returns something else than integers.
            ValueError: a window of another number of axes, or a region code out of 0..num_regions.
        """
        if not isinstance(partition, Partition):
            raise TypeError(
                f"partition must have num_regions and region(offsets), got an object of type {type(partition).__name__}"
            )
        ndim = _window_ndim(partition, kernel_size)
        size = _checks.integers("kernel_size", kernel_size, ndim, minimum=1)
        cell = _checks.numbers("spacing", 1.0 if spacing is None else spacing, ndim, above=0.0)
        if isinstance(partition, Hashable) and _is_hashable(partition):
            return _cached_build(partition, size, cell)
        return _build(partition, size, cell)

    @classmethod
    def from_mask(cls, mask: ArrayLike, num_regions: int | None = None) -> Stencil:
        """Take a drawn mask: integers 0..num_regions in the shape of the window.

        Raises:
            TypeError: entries that are not integers.
            ValueError: no axes or cells, or a code out of 0..num_regions.

        >>> Stencil.from_mask([1, 0, 2]).counts
        array([1, 1])
        """
        array = np.asarray(mask)
        if array.ndim == 0 or array.size == 0:
            raise ValueError(f"mask must have at least one axis and one cell, got shape {array.shape}")
        regions = int(array.max()) if num_regions is None else num_regions
        return _from_codes(array, _checks.integer("num_regions", regions, minimum=0))

    @property
    def ndim(self) -> int:
        """Number of axes of the window."""
        return len(self.kernel_size)

    @property
    def num_cells(self) -> int:
        """Number of cells of the window, those in no region included."""
        return math.prod(self.kernel_size)

    @cached_property
    def mask(self) -> IntArray:
        """Region of each cell, int64 array of shape ``kernel_size``, read-only."""
        mask = np.frombuffer(self.codes, dtype="<i4").astype(np.int64).reshape(self.kernel_size)
        mask.flags.writeable = False
        return mask

    @cached_property
    def counts(self) -> IntArray:
        """N_r, the number of cells of each region, int64 array (num_regions,), read-only."""
        counts = np.bincount(self.mask.ravel(), minlength=self.num_regions + 1)[1:].astype(np.int64)
        counts.flags.writeable = False
        return counts

    @property
    def empty_regions(self) -> tuple[int, ...]:
        """The regions without a cell on this window: their pooled value is 0 and their weights get no gradient."""
        return tuple(int(region) + 1 for region in np.flatnonzero(self.counts == 0))

    @property
    def center_cell(self) -> int:
        """Row-major index of the centre cell."""
        index = 0
        for size, position in zip(self.kernel_size, self.center, strict=True):
            index = index * size + position
        return index

    def divisors(self, reduction: Reduction = "mean") -> IntArray:
        """What a region's sum is divided by: N_r for the mean (1 where it is empty, so nothing is 0/0), else 1."""
        return np.maximum(self.counts, 1) if reduction == "mean" else np.ones_like(self.counts)

    def taps(self, reduction: Reduction = "mean") -> FloatArray:
        """Return each region's dense kernel: (num_regions, *kernel_size), 1 / divisor on its cells and 0 elsewhere.

        Raises:
            ValueError: "max", which no kernel expresses.
        """
        if reduction not in ("mean", "sum"):
            raise ValueError(f"reduction must be 'mean' or 'sum' to have taps, got {reduction!r}")
        regions = np.arange(1, self.num_regions + 1).reshape(-1, *(1,) * self.ndim)
        taps: FloatArray = (self.mask == regions) / self.divisors(reduction).reshape(regions.shape)
        return taps

    def bags(self, *, center: bool) -> tuple[IntArray, IntArray]:
        """List the cells of each region in CSR form, with the centre cell as one more region if asked.

        Returns:
            ``(indptr, cells)``: bag b holds the row-major cell indices ``cells[indptr[b]:indptr[b + 1]]``, ascending.
        """
        flat = self.mask.ravel()
        order = np.argsort(flat, kind="stable")
        cells = order[np.count_nonzero(flat == 0) :]
        indptr = np.concatenate([[0], np.cumsum(self.counts)])
        if center:
            cells = np.append(cells, self.center_cell)
            indptr = np.append(indptr, len(cells))
        return indptr.astype(np.int64), cells.astype(np.int64)

    def reflect(self) -> Stencil:
        """Return the stencil mirrored through its centre: the adjoint of pooling pools with it."""
        center = tuple(k - 1 - c for k, c in zip(self.kernel_size, self.center, strict=True))
        return Stencil(self.kernel_size, self.num_regions, center, np.flip(self.mask).astype("<i4").tobytes())

    def crop(self, ranges: Sequence[range]) -> Stencil:
        """Return the part of the window that holds these cells of each axis, the centre being one of them.

        Raises:
            ValueError: ranges that leave the centre out, or reach out of the window.
        """
        whole = zip(ranges, self.center, self.kernel_size, strict=True)
        if any(not (0 <= part.start <= c < part.stop <= k) or part.step != 1 for part, c, k in whole):
            raise ValueError(f"ranges must hold the centre {self.center} and lie in {self.kernel_size}, got {ranges}")
        codes = self.mask[tuple(slice(part.start, part.stop) for part in ranges)]
        center = tuple(c - part.start for c, part in zip(self.center, ranges, strict=True))
        return Stencil(codes.shape, self.num_regions, center, codes.astype("<i4").tobytes())

    def _encode(self) -> str:
        numbers = [self.num_regions, self.ndim, *self.kernel_size, *self.center]
        head = np.asarray(numbers, dtype="<i4").tobytes()
        return base64.b85encode(zlib.compress(head + self.codes)).decode("ascii")

    @staticmethod
    @lru_cache(maxsize=1024)
    def from_token(token: str) -> Stencil:
        """Decode :attr:`token`."""
        data = zlib.decompress(base64.b85decode(token))
        numbers = [int(n) for n in np.frombuffer(data, dtype="<i4")]
        num_regions, ndim = numbers[:2]
        size, center = tuple(numbers[2 : 2 + ndim]), tuple(numbers[2 + ndim : 2 + 2 * ndim])
        return Stencil(size, num_regions, center, data[4 * (2 + 2 * ndim) :])

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash((self.kernel_size, self.num_regions, self.center, self.codes))

    def __reduce__(self) -> tuple[type[Stencil], tuple[Any, ...]]:
        """Pickle the fields alone; arrays and hash are derived again."""
        return Stencil, (self.kernel_size, self.num_regions, self.center, self.codes)


def _window_ndim(partition: Partition, kernel_size: int | Sequence[int]) -> int:
    ndim = getattr(partition, "ndim", None)
    if ndim is None and hasattr(kernel_size, "__len__"):
        return len(kernel_size)
    if ndim is None:
        raise ValueError("kernel_size must have one entry per axis for a partition without ndim, got one integer")
    return int(ndim)


def _is_hashable(partition: Any) -> bool:
    try:
        hash(partition)
    except TypeError:
        return False
    return True


def _build(partition: Any, size: tuple[int, ...], spacing: tuple[float, ...]) -> Stencil:
    offsets = np.moveaxis(np.indices(size), 0, -1) - np.asarray([(k - 1) // 2 for k in size])  # (*size, ndim)
    codes = np.asarray(partition.region(offsets * np.asarray(spacing)))
    if codes.shape != size:
        raise ValueError(f"partition.region must return shape {size} for offsets {offsets.shape}, got {codes.shape}")
    return _from_codes(codes, _checks.integer("partition.num_regions", partition.num_regions, minimum=0))


_cached_build = lru_cache(maxsize=256)(_build)


def _from_codes(codes: np.ndarray[Any, Any], num_regions: int) -> Stencil:
    if not np.issubdtype(codes.dtype, np.integer):
        raise TypeError(f"region codes must be integers, got {codes.dtype}")
    if codes.min() < 0 or codes.max() > num_regions:
        raise ValueError(f"region codes must be in 0..{num_regions}, got {codes.min()}..{codes.max()}")
    if num_regions > np.iinfo(np.int32).max:
        raise ValueError(f"num_regions must be at most {np.iinfo(np.int32).max}, got {num_regions} region codes")
    size = tuple(codes.shape)
    return Stencil(size, num_regions, tuple((k - 1) // 2 for k in size), codes.astype("<i4").tobytes())
