"""Keeping the nearest neighbours of every query."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lpsc_nd.geometry import Field
from lpsc_nd.geometry._types import BoolArray, FloatArray, IntArray


@dataclass
class Nearest:
    """At most ``limit`` neighbours per query; what is left out is counted.

    Args:
        field: measures the distance of an offset o, ``|o @ matrix|``.
        limit: how many to keep.
        num_cut: how many were left out so far.
    """

    field: Field
    limit: int
    num_cut: int = 0

    def distances(self, offsets: FloatArray) -> FloatArray:
        """Return the squared distance of each offset (n, ndim)."""
        squared: FloatArray = np.square(offsets @ self.field.matrix).sum(axis=1)
        return squared

    def keep(self, query: IntArray, source: IntArray, distance: FloatArray) -> BoolArray:
        """Tell which pairs to keep; all pairs of a query must be among them, and ties go to the smaller source."""
        order = np.lexsort((source, distance, query))
        place = np.arange(len(order))
        first = np.append(True, np.diff(query[order]) != 0)[: len(order)]
        rank = place - np.maximum.accumulate(np.where(first, place, 0))
        kept = np.zeros(len(order), dtype=np.bool_)
        kept[order[rank < self.limit]] = True
        self.num_cut += int(np.count_nonzero(~kept))
        return kept
