"""Point sets to be timed, as data."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lpsc_nd import LogPolarPartition, LPSPointConv, Neighborhood
from lpsc_nd.pooling.point_execute import PointEngine

SPARE = 1.9
"""A field holds so many times the neighbours that are kept of it: hardly any query has fewer, also at the border."""


@dataclass(frozen=True)
class PointCase:
    """Random points in the unit cube, each query with so many nearest neighbours, and a layer.

    Args:
        name: what the command line calls it.
        num_sources: S.
        num_queries: Q, the first so many of the sources.
        num_neighbors: neighbours of each query, itself not counted.
        channels: C and C'.
        num_levels: distance levels.
        num_directions: polar bands and azimuth.
        target: how many times as fast as the kernel-point convolution ours has to be, forward and backward.
    """

    name: str
    num_sources: int
    num_queries: int
    num_neighbors: int
    channels: int
    num_levels: int
    num_directions: tuple[int, int]
    target: float | None = None

    @property
    def title(self) -> str:
        """The case in words."""
        directions = math.prod(self.num_directions)
        sets = f"{self.num_sources} points" + (f" to {self.num_queries}" if self.num_queries < self.num_sources else "")
        return (
            f"{sets} in 3-D, {self.num_neighbors} neighbours, ({self.num_levels}, {directions}), "
            f"{self.channels} → {self.channels}"
        )

    @property
    def partition(self) -> LogPolarPartition:
        """A ball that holds somewhat more than the neighbours that are kept."""
        share = SPARE * self.num_neighbors / self.num_sources
        radius = (share / (4 / 3 * math.pi)) ** (1 / 3)
        return LogPolarPartition(3, radius, self.num_levels, self.num_directions, 2.0)

    def points(self) -> Tensor:
        """Draw the sources, (S, 3)."""
        return torch.from_numpy(np.random.default_rng(0).random((self.num_sources, 3)))

    def neighborhood(self) -> Neighborhood:
        """Find the nearest neighbours of each query."""
        points = self.points()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="max_neighbors=.* left out", category=UserWarning)
            return Neighborhood.build(
                self.partition, points, points[: self.num_queries], max_neighbors=self.num_neighbors
            )

    def layer(self, engine: PointEngine = "auto") -> LPSPointConv:
        """Build the layer."""
        return LPSPointConv(self.channels, self.channels, self.partition, engine=engine)


POINT_CASES = {
    case.name: case
    for case in (
        PointCase("points3d-16k-64", 16384, 16384, 27, 64, 2, (2, 4), target=2.0),
        PointCase("points3d-16k-64-fine", 16384, 16384, 27, 64, 3, (2, 8)),
        PointCase("points3d-16k-32", 16384, 16384, 27, 32, 2, (2, 4)),
        PointCase("points3d-16k-to-4k-64", 16384, 4096, 27, 64, 2, (2, 4)),
        PointCase("points-smoke", 200, 100, 9, 4, 1, (2, 2)),
    )
}
