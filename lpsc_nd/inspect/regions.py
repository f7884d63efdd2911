"""The regions of a partition on a window, as rows of a table."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lpsc_nd.geometry import Partition, build_mask


@dataclass(frozen=True)
class Region:
    """One region on a window.

    Attributes:
        region: code of the region, from 1.
        level: distance level, from 1 (the innermost); 1 for a partition without levels.
        direction: direction within the level, from 1.
        count: cells of the window in the region, ``N_{l,m}`` of the paper's Eq. 3.
    """

    region: int
    level: int
    direction: int
    count: int


def region_table(
    partition: Partition, kernel_size: Sequence[int], *, spacing: Sequence[float] | None = None
) -> list[Region]:
    """List the regions of ``partition`` on a window, in the order of their codes (paper, Section 3.1).

    A region's code is ``(level - 1) * directions + direction``. A partition that has no ``num_levels`` has one
    level, and each of its regions is a direction.

    Args:
        partition: any object with ``num_regions`` and ``region(offsets)``.
        kernel_size: cells of the window along each axis.
        spacing: size of a cell along each axis; one by default.

    Raises:
        ValueError: the window does not suit the partition, see :func:`lpsc_nd.build_mask`.

    Example:
        >>> from lpsc_nd import LogPolarPartition
        >>> region_table(LogPolarPartition.for_grid((3, 3), 1, 8, 2.0), (3, 3))[0]
        Region(region=1, level=1, direction=1, count=1)
    """
    mask = build_mask(partition, tuple(kernel_size), spacing=None if spacing is None else tuple(spacing))
    counts = np.bincount(mask.ravel(), minlength=partition.num_regions + 1)
    directions = partition.num_regions // int(getattr(partition, "num_levels", 1))
    return [
        Region(code, (code - 1) // directions + 1, (code - 1) % directions + 1, int(counts[code]))
        for code in range(1, partition.num_regions + 1)
    ]


def empty_regions(table: Sequence[Region]) -> list[Region]:
    """Return the regions without a cell: their pooled value is 0 and their weights get no gradient."""
    return [row for row in table if row.count == 0]
