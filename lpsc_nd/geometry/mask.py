"""The mask matrix: the region of every cell of a window."""

from __future__ import annotations

from collections.abc import Sequence

from lpsc_nd.geometry._types import IntArray
from lpsc_nd.geometry.partition import Partition
from lpsc_nd.geometry.stencil import Stencil


def build_mask(
    partition: Partition,
    kernel_size: int | Sequence[int],
    *,
    spacing: float | Sequence[float] | None = None,
) -> IntArray:
    """Return the region of every cell of a window, the paper's mask matrix I (Section 3.2).

    Args:
        partition: any object with ``num_regions`` and ``region(offsets)``.
        kernel_size: window size; an integer is repeated for each of ``partition.ndim`` axes.
        spacing: size of a cell per axis.

    Returns:
        int64 array of shape ``kernel_size``: 0 for no region, else 1..num_regions.

    Raises:
        TypeError, ValueError: see :meth:`Stencil.build`.

    >>> from lpsc_nd import LogPolarPartition
    >>> build_mask(LogPolarPartition.for_grid((5,), 2, 2, 2.0), 5)
    array([4, 2, 0, 1, 3])
    """
    return Stencil.build(partition, kernel_size, spacing=spacing).mask.copy()
