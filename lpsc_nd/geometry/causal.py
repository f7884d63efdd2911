"""The past of a line: the levels of one direction, and no region after the centre."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from lpsc_nd.geometry._types import IntArray
from lpsc_nd.geometry.log_polar import LogPolarPartition
from lpsc_nd.geometry.partition import Field, check_offsets


@dataclass(frozen=True)
class CausalPartition:
    """The levels of a partition of a line before its centre; after it there is no region.

    Offsets are those of a convolution's window, so a negative one is of the past. The centre, the present, is in no
    region and has a layer's centre weight.

    Args:
        partition: levels on a line, without directions (``num_directions`` 1).

    Raises:
        ValueError: a partition of more axes or directions, or of the convention "official", which puts the centre
            into a region.

    >>> CausalPartition(LogPolarPartition(1, 4.0, 2, 1, 2.0)).region([[-4], [-1], [0], [1]])
    array([2, 1, 0, 0])
    """

    partition: LogPolarPartition

    def __post_init__(self) -> None:
        if self.partition.ndim != 1:
            raise ValueError(f"causal regions need a line, which has a past, got {self.partition.ndim} axes")
        if self.partition.directions.count != 1:
            raise ValueError(
                f"num_directions of a causal partition must be 1, the past, got {self.partition.num_directions}"
            )
        if self.partition.convention == "official":
            raise ValueError(
                "convention 'official' puts the centre into a region, so the regions would not be those of the past "
                "alone; use 'paper' or 'literal' for causal regions"
            )

    @property
    def ndim(self) -> int:
        """One axis."""
        return 1

    @property
    def num_regions(self) -> int:
        """As many as there are levels."""
        return self.partition.num_levels

    @property
    def num_levels(self) -> int:
        """Number of distance levels."""
        return self.partition.num_levels

    @property
    def level_radii(self) -> tuple[float, ...]:
        """Outer radius of each level, innermost first."""
        return self.partition.level_radii

    def region(self, offsets: ArrayLike) -> IntArray:
        """Return the level of each offset before the centre, (..., 1) -> (...); 0 for the others.

        Raises:
            ValueError: another last axis than 1, or an offset that is NaN or infinite.
        """
        past = check_offsets(offsets, 1)[..., 0] < 0
        return np.where(past, self.partition.region(offsets), 0)

    def field(self) -> Field:
        """Return the segment of the last level, its future side included."""
        return self.partition.field()
