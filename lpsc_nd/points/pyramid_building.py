"""How to make a pyramid: cells that grow from level to level, and fields that grow with them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lpsc_nd import _checks
from lpsc_nd.geometry import LogPolarPartition
from lpsc_nd.geometry._types import IntArray
from lpsc_nd.points import checks
from lpsc_nd.points.grid_subsample import grid_subsample
from lpsc_nd.points.neighborhood import Neighborhood
from lpsc_nd.points.pyramid import PointPyramid
from lpsc_nd.points.upsample import nearest_upsample


@dataclass(frozen=True)
class PyramidBuilder:
    """Builds pyramids: ``builder(positions, batch)``; plain values, so it is hashable and fits a configuration file.

    The cells of level l have the side ``cell_size * cell_growth^l``, and each point of a level beyond the first is the
    mean of the points of the level before in its cell. The field of level l reaches ``reach`` of its cells, with the
    same division into regions at every level, so one weight per region serves any level. What leads from level l to
    l + 1 has the field of level l, around the points of level l + 1.

    Args:
        cell_size: side of the finest level's cells, in the unit of the positions.
        depth: number of levels.
        num_levels: distance levels of the regions.
        num_directions: directions of the regions, as in :class:`LogPolarPartition`.
        growth: ratio of successive radii of the regions.
        reach: outer radius of the regions, in cells of their level.
        cell_growth: ratio of the cells of successive levels, > 1.
        subsample: whether level 0 is the mean of the points in each cell; otherwise it is the points themselves.
        max_neighbors: as in :meth:`Neighborhood.build`.
        ndim: number of coordinates.

    Raises:
        TypeError, ValueError: an argument of another type or out of its range.

    >>> builder = PyramidBuilder(0.1, depth=2)
    >>> builder(torch.tensor([[0.01, 0.0, 0.0], [0.12, 0.0, 0.0], [0.9, 0.0, 0.0]]))
    PointPyramid(num_clouds=1, points=[3, 2], device='cpu')
    """

    cell_size: float
    depth: int = 3
    num_levels: int = 2
    num_directions: int | tuple[int, ...] = (2, 4)
    growth: float = 2.0
    reach: float = 2.5
    cell_growth: float = 2.0
    subsample: bool = True
    max_neighbors: int | None = None
    ndim: int = 3

    def __post_init__(self) -> None:
        checked: dict[str, Any] = {
            "cell_size": _checks.number("cell_size", self.cell_size, above=0.0),
            "depth": _checks.integer("depth", self.depth, minimum=1),
            "reach": _checks.number("reach", self.reach, above=0.0),
            "cell_growth": _checks.number("cell_growth", self.cell_growth, above=1.0),
        }
        if not isinstance(self.subsample, bool):
            raise TypeError(f"subsample must be True or False, got {self.subsample!r}")
        if self.max_neighbors is not None:
            checked["max_neighbors"] = _checks.integer("max_neighbors", self.max_neighbors, minimum=1)
        self._set(checked)
        radius = self.reach * self.cell(self.depth - 1)
        coarsest = LogPolarPartition(self.ndim, radius, self.num_levels, self.num_directions, self.growth)
        names = ("ndim", "num_levels", "num_directions", "growth")  # as the partition has checked and frozen them
        self._set({name: getattr(coarsest, name) for name in names})

    def _set(self, values: dict[str, Any]) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def cell(self, level: int) -> float:
        """Return the side of a level's cells."""
        return self.cell_size * self.cell_growth**level

    def partition(self, level: int) -> LogPolarPartition:
        """Return the regions around the points of a level; only their size depends on it."""
        return _partition(self, level)

    def __call__(self, positions: Any, batch: Any = None, num_clouds: int | None = None) -> PointPyramid:
        """Build the pyramid of a batch of clouds.

        Args:
            positions: points (n, ndim), an array or tensor; the pyramid is on its device.
            batch: cloud of each point, ascending integers; None is one cloud.
            num_clouds: how many clouds there are, if the last ones are empty.

        Raises:
            ValueError: points that are not (n, ndim), NaN or infinite, a batch vector that is unsorted, negative, of
                another length or reaches ``num_clouds``.
            MemoryError: more neighbours than fit.
        """
        array = checks.points("positions", positions, self.ndim)
        clouds = checks.batch("batch", batch, len(array))
        total = _num_clouds(clouds, num_clouds, one=batch is None)
        points = _own(positions, array)
        cluster = torch.arange(len(points), device="cpu")
        owners = torch.from_numpy(clouds)
        if self.subsample:
            thinned = grid_subsample(points, self.cell_size, batch=owners)
            points, owners, cluster = thinned.points, thinned.batch, thinned.cluster
        levels = self._levels(points, owners)
        pyramid = PointPyramid(**levels, cluster=cluster, num_clouds=total)
        return pyramid.packed().to(checks.device_of(positions))

    def _levels(self, points: Tensor, owners: Tensor) -> dict[str, tuple[Any, ...]]:
        """Return levels, the neighbourhoods within and between them, and the ways back up."""
        positions, batches = [points], [owners]
        within: list[Neighborhood] = []
        down: list[Neighborhood] = []
        up: list[Tensor] = []
        for level in range(self.depth):
            within.append(self._within(level, positions[level], batches[level]))
            if level + 1 == self.depth:
                break
            coarse = grid_subsample(positions[level], self.cell(level + 1), batch=batches[level])
            down.append(self._between(level, positions[level], batches[level], coarse.points, coarse.batch))
            up.append(
                nearest_upsample(coarse.points, positions[level], coarse_batch=coarse.batch, fine_batch=batches[level])
            )
            positions.append(coarse.points)
            batches.append(coarse.batch)
        parts: dict[str, list[Any]] = {
            "positions": positions,
            "batches": batches,
            "neighborhoods": within,
            "down": down,
            "up": up,
        }
        return {name: tuple(entries) for name, entries in parts.items()}

    def _within(self, level: int, points: Tensor, owners: Tensor) -> Neighborhood:
        partition = self.partition(level)
        return Neighborhood.build(partition, points, source_batch=owners, max_neighbors=self.max_neighbors)

    def _between(
        self, level: int, points: Tensor, owners: Tensor, coarse: Tensor, coarse_owners: Tensor
    ) -> Neighborhood:
        return Neighborhood.build(
            self.partition(level), points, coarse,
            source_batch=owners, query_batch=coarse_owners, max_neighbors=self.max_neighbors,
        )  # fmt: skip


@lru_cache(maxsize=64)
def _partition(builder: PyramidBuilder, level: int) -> LogPolarPartition:
    """Return the same object each time, so that what it computes of itself stays."""
    radius = builder.reach * builder.cell(level)
    return LogPolarPartition(builder.ndim, radius, builder.num_levels, builder.num_directions, builder.growth)


def _own(positions: Any, array: Any) -> Tensor:
    """Return the points on the CPU without a graph, float32 or float64 as they were given, else float64."""
    if isinstance(positions, Tensor) and positions.dtype in (torch.float32, torch.float64):
        return positions.detach().cpu()
    kept = np.float32 if isinstance(positions, np.ndarray) and positions.dtype == np.float32 else np.float64
    return torch.from_numpy(array.astype(kept))


def _num_clouds(clouds: IntArray, given: int | None, *, one: bool) -> int:
    least = 1 if one else int(clouds[-1]) + 1 if len(clouds) else 0
    if given is None:
        return least
    total = _checks.integer("num_clouds", given, minimum=0)
    if len(clouds) and total <= clouds[-1]:
        raise ValueError(f"batch must be below num_clouds, {total}, got {clouds[-1]}")
    return total
