"""Neighbourhoods from graphs that exist already."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from lpsc_nd import _checks
from lpsc_nd.geometry import Partition
from lpsc_nd.geometry._types import FloatArray, IntArray
from lpsc_nd.points import binning, checks


@dataclass(frozen=True)
class Graph:
    """Checked edges between nodes, which may have positions.

    Args:
        source: source of each edge.
        query: query of each edge.
        num_sources: number of sources.
        num_queries: number of queries.
        sources: (S, ndim) or None.
        queries: (Q, ndim) or None; the sources where there is one set of nodes.
        one_set: whether the queries are the sources.
        device: where the result belongs.
    """

    source: IntArray
    query: IntArray
    num_sources: int
    num_queries: int
    sources: FloatArray | None
    queries: FloatArray | None
    one_set: bool
    device: torch.device

    @classmethod
    def check(cls, edge_index: Any, sources: Any, queries: Any, num_sources: Any, num_queries: Any) -> Graph:
        """Turn arguments into arrays, or say what is wrong with them."""
        if hasattr(edge_index, "edge_index"):
            data, edge_index = edge_index, edge_index.edge_index
            sources = getattr(data, "pos", None) if sources is None else sources
            if sources is None and num_sources is None:
                num_sources = getattr(data, "num_nodes", None)
        table = checks.integers("edge_index", edge_index)
        if table.ndim != 2 or len(table) != 2:
            raise ValueError(
                f"edge_index must have shape (2, E), sources in row 0 and queries in row 1, got {table.shape}"
            )
        one_set = queries is None and num_queries is None
        points = None if sources is None else checks.points("sources", sources)
        targets = (
            points
            if queries is None
            else checks.points("queries", queries, None if points is None else points.shape[1])
        )
        from_count = _size("num_sources", num_sources, points)
        to_count = from_count if one_set else _size("num_queries", num_queries, None if queries is None else targets)
        _check_ends("edge_index[0], the sources,", table[0], from_count)
        _check_ends("edge_index[1], the queries,", table[1], to_count)
        if queries is None and not one_set:
            targets = None
        device = checks.device_of(edge_index)
        return cls(table[0], table[1], from_count, to_count, points, targets, one_set, device)


@dataclass(frozen=True)
class Labels:
    """Where the regions of edges come from: a partition and positions, or given codes."""

    partition: Partition | None
    frames: Any
    regions: Any
    num_regions: int | None

    def given(self, count: int) -> tuple[IntArray, int]:
        """Return the given codes and how many regions there are."""
        if self.frames is not None:
            raise ValueError("frames turn the offsets of a partition; with regions there is nothing to turn")
        if self.num_regions is None:
            raise ValueError("num_regions must be given with regions, as the largest code need not occur")
        num_regions = _checks.integer("num_regions", self.num_regions, minimum=0)
        codes = checks.integers("regions", self.regions)
        if codes.shape != (count,):
            raise ValueError(f"regions must have one code per edge, shape ({count},), got {codes.shape}")
        binning.check_codes(codes, num_regions)
        return codes, num_regions


def build(graph: Graph, labels: Labels, centers: Any) -> dict[str, Any]:
    """Return the arguments of a neighbourhood."""
    if (labels.partition is None) == (labels.regions is None):
        raise ValueError("either partition or regions must be given, to tell the region of each edge; got both or none")
    bags = _measured(graph, labels) if labels.regions is None else _labelled(graph, labels)
    if graph.one_set:
        bags.add_centers(np.arange(graph.num_queries), np.arange(graph.num_queries))
    parts = bags.finish()
    if centers is not None:
        parts["centers"] = _check_centers(centers, graph)
    tensors = {name: torch.from_numpy(array).to(graph.device) for name, array in parts.items()}
    return {**tensors, "num_sources": graph.num_sources, "num_regions": bags.num_regions}


def _labelled(graph: Graph, labels: Labels) -> binning.Bags:
    codes, num_regions = labels.given(len(graph.query))
    bags = binning.Bags(graph.num_queries, graph.num_sources, num_regions)
    bags.add(graph.query, graph.source, codes)
    return bags


def _measured(graph: Graph, labels: Labels) -> binning.Bags:
    partition = labels.partition
    if not isinstance(partition, Partition):
        raise TypeError(
            f"partition must have num_regions and region(offsets), got an object of type {type(partition).__name__}"
        )
    if graph.sources is None or graph.queries is None:
        raise ValueError("partition needs positions: give sources, and queries where they are other nodes")
    if labels.num_regions not in (None, partition.num_regions):
        raise ValueError(
            f"num_regions must be that of the partition, {partition.num_regions}, got {labels.num_regions}"
        )
    frames = checks.frames(labels.frames, graph.num_queries, graph.sources.shape[1])
    regions = binning.Regions(partition, graph.sources, graph.queries, frames)
    bags = binning.Bags(graph.num_queries, graph.num_sources, partition.num_regions)
    binning.fill(bags, regions, graph.query, graph.source, None)
    return bags


def _size(name: str, given: Any, points: FloatArray | None) -> int:
    if given is None and points is None:
        raise ValueError(f"{name} must be given where there are no positions: nodes without edges count, too")
    if given is None:
        return len(points) if points is not None else 0
    count = _checks.integer(name, given, minimum=0)
    if points is not None and count != len(points):
        raise ValueError(f"{name} must be the number of positions, {len(points)}, got {count}")
    return count


def _check_ends(name: str, ends: IntArray, count: int) -> None:
    if ends.size and (ends.min() < 0 or ends.max() >= count):
        raise ValueError(f"{name} must be in 0..{count - 1}, got {ends.min()}..{ends.max()}")


def _check_centers(centers: Any, graph: Graph) -> IntArray:
    array = checks.integers("centers", centers)
    if array.shape != (graph.num_queries,):
        raise ValueError(f"centers must have one entry per query, shape ({graph.num_queries},), got {array.shape}")
    if array.size and (array.min() < -1 or array.max() >= graph.num_sources):
        raise ValueError(f"centers must be in -1..{graph.num_sources - 1}, got {array.min()}..{array.max()}")
    return array
