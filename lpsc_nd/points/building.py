"""Building a neighbourhood: check the arguments, search the field, sort what is found into bags."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from lpsc_nd import _checks
from lpsc_nd.geometry import BoundedPartition, Field, Partition
from lpsc_nd.geometry._types import FloatArray, IntArray
from lpsc_nd.points import binning, checks, memory
from lpsc_nd.points.nearest import Nearest
from lpsc_nd.points.search import Search


@dataclass(frozen=True)
class Clouds:
    """Checked arguments.

    Args:
        partition: gives the regions.
        field: their bound.
        sources: (S, ndim).
        queries: (Q, ndim), or None where they are the sources.
        batches: the cloud of each source and of each query.
        frames: (Q, ndim, ndim) or None.
        device: where the result belongs.
    """

    partition: BoundedPartition
    field: Field
    sources: FloatArray
    queries: FloatArray | None
    batches: tuple[IntArray, IntArray]
    frames: FloatArray | None
    device: torch.device

    @classmethod
    def check(
        cls, partition: Any, sources: Any, queries: Any, source_batch: Any, query_batch: Any, frames: Any
    ) -> Clouds:
        """Turn arguments into arrays, or say what is wrong with them."""
        field = _field(partition)
        points = checks.points("sources", sources, field.ndim)
        batch = checks.batch("source_batch", source_batch, len(points))
        if queries is None:
            if query_batch is not None:
                raise ValueError("query_batch must be None where the queries are the sources; give source_batch alone")
            own = checks.frames(frames, len(points), field.ndim)
            return cls(partition, field, points, None, (batch, batch), own, checks.device_of(sources))
        targets = checks.points("queries", queries, field.ndim)
        if (source_batch is None) != (query_batch is None):
            raise ValueError("source_batch and query_batch must be given together, as both sets have clouds; got one")
        target_batch = checks.batch("query_batch", query_batch, len(targets))
        turned = checks.frames(frames, len(targets), field.ndim)
        same = np.array_equal(points, targets) and np.array_equal(batch, target_batch)
        found = None if same else targets
        return cls(partition, field, points, found, (batch, target_batch), turned, checks.device_of(sources))

    @property
    def targets(self) -> FloatArray:
        """The queries, or the sources where they are the same."""
        return self.sources if self.queries is None else self.queries


def build(clouds: Clouds, max_neighbors: int | None) -> dict[str, Any]:
    """Return the arguments of a neighbourhood."""
    if max_neighbors is not None:
        max_neighbors = _checks.integer("max_neighbors", max_neighbors, minimum=1)
    num_queries, num_sources = len(clouds.targets), len(clouds.sources)
    num_regions = _checks.integer("partition.num_regions", clouds.partition.num_regions, minimum=0)
    budget = memory.Budget(num_queries * num_regions, clouds.field.radius, clouds.field.ndim)
    search = Search.prepare(
        clouds.field, clouds.sources, clouds.queries, clouds.batches, turned=clouds.frames is not None
    )
    total, blocks = search.run()
    budget.check(total if max_neighbors is None else min(total, num_queries * max_neighbors))
    bags = binning.Bags(num_queries, num_sources, num_regions)
    regions = binning.Regions(clouds.partition, clouds.sources, clouds.targets, clouds.frames)
    nearest = None if max_neighbors is None else Nearest(clouds.field, max_neighbors)
    for query, source in blocks:
        binning.fill(bags, regions, query, source, nearest)
        budget.check(bags.num_pairs)
    return _parts(bags, clouds.device, 0 if nearest is None else nearest.num_cut, max_neighbors)


def _parts(bags: binning.Bags, device: torch.device, num_cut: int, max_neighbors: int | None) -> dict[str, Any]:
    if num_cut:
        warnings.warn(
            f"max_neighbors={max_neighbors} left out {num_cut} neighbours in all, the farthest of their queries",
            stacklevel=4,
        )
    tensors = {name: torch.from_numpy(array).to(device) for name, array in bags.finish().items()}
    return {**tensors, "num_sources": bags.num_sources, "num_regions": bags.num_regions, "num_cut": num_cut}


def _field(partition: Any) -> Field:
    kind = type(partition).__name__
    if not isinstance(partition, Partition):
        raise TypeError(f"partition must have num_regions and region(offsets), got an object of type {kind}")
    if not isinstance(partition, BoundedPartition):
        raise TypeError(
            f"partition of type {kind} does not say how far its regions reach, which a search among points needs: add "
            f"a method field() that returns lpsc_nd.geometry.Field(matrix, radius), with |offset @ matrix| <= radius "
            f"in every region"
        )
    field = partition.field()
    if not isinstance(field, Field):
        raise TypeError(f"field() of {kind} must return an lpsc_nd.geometry.Field, got {type(field).__name__}")
    return field
