"""The paper's arrangement of the pooled regions around a position: a small map that keeps where they lie (Fig. 3)."""

from __future__ import annotations

from typing import Any

import numpy as np

from lpsc_nd.geometry._types import IntArray
from lpsc_nd.geometry.log_polar import LogPolarPartition


def map_layout(partition: Any) -> IntArray:
    """Return the region shown at each place of the up-sampled map's tile.

    With L levels and A azimuth directions (A even) the tile has 2 L rows and A / 2 columns: row r < L shows level
    L - r, direction A/2 - col (the upper half plane, left to right), row r >= L level r - L + 1, direction
    A/2 + col + 1. In 1-D the tile is the line itself, 2 L places from far - to far +. In N-D each polar band count
    comes in front as one more axis: (*bands, 2 L, A / 2).

    Args:
        partition: a :class:`LogPolarPartition` with an even azimuth count (1-D: two directions).

    Returns:
        int64 array of region codes, one axis per axis of the partition.

    Raises:
        ValueError: the partition has no levels and angular directions, or an odd azimuth count.

    >>> map_layout(LogPolarPartition(2, 4.0, 1, 4, 2.0))
    array([[2, 1],
           [3, 4]])
    """
    if not isinstance(partition, LogPolarPartition):
        raise ValueError(f"the map layout needs a LogPolarPartition, got {type(partition).__name__}; use 'regions'")
    bands, azimuth = _angular_counts(partition)
    levels = np.arange(partition.num_levels)
    columns = np.arange(azimuth // 2)
    upper = levels[::-1, None] * partition.directions.count + (azimuth // 2 - 1 - columns)
    lower = levels[:, None] * partition.directions.count + azimuth // 2 + columns
    tile = np.concatenate([upper, lower]) + 1  # (2 L, A / 2)
    if partition.ndim == 1:
        return _line(partition.num_levels)
    first = np.arange(int(np.prod(bands, dtype=np.int64))).reshape(*bands, 1, 1) * azimuth
    codes: IntArray = (first + tile).astype(np.int64)
    return codes


def _line(num_levels: int) -> IntArray:
    outwards = np.arange(num_levels, dtype=np.int64) * 2
    return np.concatenate([outwards[::-1] + 2, outwards + 1])


def _angular_counts(partition: LogPolarPartition) -> tuple[tuple[int, ...], int]:
    spec = partition.num_directions
    counts = (spec,) if isinstance(spec, int) else tuple(n for n in spec if isinstance(n, int))
    if not counts:
        raise ValueError("the map layout needs polar bands and azimuth, not unit vectors; use layout='regions'")
    if counts[-1] % 2:
        raise ValueError(f"the map layout needs an even number of directions, got {counts[-1]}; use layout='regions'")
    return counts[:-1], counts[-1]
