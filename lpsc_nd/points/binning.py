"""From pairs of a query and a source to bags: which region, in which order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from lpsc_nd.geometry import Partition
from lpsc_nd.geometry._types import FloatArray, IntArray
from lpsc_nd.points.nearest import Nearest

PAIRS_PER_SLICE = 1 << 14
"""Offsets and regions of so many pairs at a time stay in the processor's cache."""


@dataclass(frozen=True)
class Regions:
    """What decides the region of a pair.

    Args:
        partition: gives the region of an offset.
        sources: (S, ndim).
        queries: (Q, ndim).
        frames: (Q, ndim, ndim) or None; the offset seen from a frame is ``frame^T (source - query)``.
    """

    partition: Partition
    sources: FloatArray
    queries: FloatArray
    frames: FloatArray | None = None

    def offsets(self, query: IntArray, source: IntArray) -> FloatArray:
        """Return source - query for each pair, as the query's frame sees it."""
        offsets = self.sources.take(source, axis=0) - self.queries.take(query, axis=0)
        if self.frames is None:
            return offsets
        turned: FloatArray = np.einsum("pji,pj->pi", self.frames[query], offsets)
        return turned

    def decide(self, query: IntArray, source: IntArray, offsets: FloatArray) -> IntArray:
        """Return the region of each offset, checked."""
        codes = np.asarray(self.partition.region(offsets))
        if codes.shape != query.shape or not np.issubdtype(codes.dtype, np.integer):
            raise ValueError(
                f"partition.region must return integers of shape {query.shape} for offsets {offsets.shape}, "
                f"got {codes.dtype} of shape {codes.shape}"
            )
        check_codes(codes, self.partition.num_regions)
        return codes.astype(np.int64, copy=False)


def check_codes(codes: IntArray, num_regions: int) -> None:
    """Refuse region codes out of 0..num_regions."""
    if codes.size and (codes.min() < 0 or codes.max() > num_regions):
        raise ValueError(f"region codes must be in 0..{num_regions}, got {codes.min()}..{codes.max()}")


class Bags:
    """Collects pairs with their regions, and sorts them into bags.

    A pair is one integer, ``bag * 2^bits + source``, so sorting the integers sorts the bags and the sources in each.
    """

    def __init__(self, num_queries: int, num_sources: int, num_regions: int) -> None:
        self.num_bags = num_queries * num_regions
        self.num_regions = num_regions
        self.bits = max(num_sources - 1, 0).bit_length()
        if self.bits + self.num_bags.bit_length() > 63:
            raise ValueError(
                f"{num_queries} queries, {num_regions} regions and {num_sources} sources are too many for one "
                f"neighborhood; build one for each part of the queries"
            )
        self.centers = np.full(num_queries, num_sources, dtype=np.int64)
        self.num_sources = num_sources
        self._keys: list[IntArray] = []

    def add(self, query: IntArray, source: IntArray, region: IntArray) -> None:
        """Add pairs; those in region 0 are in no bag."""
        keys = (query * self.num_regions + (region - 1)) << self.bits | source
        self._keys.append(keys[region > 0])

    def add_centers(self, query: IntArray, source: IntArray) -> None:
        """Note sources at offset zero; of several the one with the smallest index is the centre."""
        np.minimum.at(self.centers, query, source)

    @property
    def num_pairs(self) -> int:
        """How many pairs are in a bag so far."""
        return sum(map(len, self._keys))

    def finish(self) -> dict[str, Any]:
        """Return ``indptr``, ``indices`` and ``centers``."""
        keys = np.concatenate([np.empty(0, dtype=np.int64), *self._keys])
        self._keys.clear()
        keys.sort()
        indptr = np.zeros(self.num_bags + 1, dtype=np.int64)
        np.cumsum(np.bincount(keys >> self.bits, minlength=self.num_bags), out=indptr[1:])
        keys &= (1 << self.bits) - 1
        centers = np.where(self.centers == self.num_sources, -1, self.centers)
        return {"indptr": indptr, "indices": keys, "centers": centers}


def fill(bags: Bags, regions: Regions, query: IntArray, source: IntArray, nearest: Nearest | None) -> None:
    """Find the regions of a block of pairs and put them into their bags, with ``nearest`` only those that it keeps.

    Args:
        bags: what to fill.
        regions: what decides.
        query: query of each pair.
        source: source of each pair.
        nearest: needs all pairs of a query to be in one block.
    """
    if nearest is None:
        for part in _slices(len(query)):
            region, _ = _place(bags, regions, query[part], source[part])
            bags.add(query[part], source[part], region)
        return
    region, distance = np.zeros(len(query), dtype=np.int64), np.zeros(len(query))
    for part in _slices(len(query)):
        region[part], offsets = _place(bags, regions, query[part], source[part])
        distance[part] = nearest.distances(offsets)
    inside = np.flatnonzero(region)
    kept = inside[nearest.keep(query[inside], source[inside], distance[inside])]
    bags.add(query[kept], source[kept], region[kept])


def _slices(length: int) -> Iterator[slice]:
    for start in range(0, length, PAIRS_PER_SLICE):
        yield slice(start, min(start + PAIRS_PER_SLICE, length))


def _place(bags: Bags, regions: Regions, query: IntArray, source: IntArray) -> tuple[IntArray, FloatArray]:
    """Return region and offset of each pair, and note the centres among them."""
    offsets = regions.offsets(query, source)
    near = np.flatnonzero(offsets[:, 0] == 0)
    near = near[~offsets[near].any(axis=1)]
    bags.add_centers(query[near], source[near])
    return regions.decide(query, source, offsets), offsets
