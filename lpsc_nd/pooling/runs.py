"""Bags as runs of cells along the last axis, each run as few powers of two long.

Beside the table of cells stand tables of the sums of 2, 4, 8, ... neighbouring cells; a run of 7 cells then is three
rows instead of seven: one of 4, one of 2 and one of 1. Unlike differences of prefix sums this subtracts nothing, so
nothing cancels, and it adds in the order of a tree, more exactly than cell by cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from lpsc_nd.geometry import Stencil
from lpsc_nd.geometry._types import IntArray

MOST_DOUBLINGS = 5
"""Runs of at most 32 cells have a table of their own."""


@dataclass(frozen=True, eq=False)
class Runs:
    """What the bags of one site read.

    Args:
        indptr: bag b reads the entries ``indptr[b]:indptr[b + 1]``.
        cells: first cell of each entry, row-major in the window.
        doublings: the entry is the sum of ``2 ** doublings`` cells.
    """

    indptr: IntArray
    cells: IntArray
    doublings: IntArray


@lru_cache(maxsize=256)
def runs(stencil: Stencil, center: bool, most: int) -> Runs:
    """Cut a stencil's bags into runs of 1, 2, 4, ... ``2 ** most`` cells.

    Args:
        stencil: the regions.
        center: whether the centre cell is the last bag.
        most: how often the cells are doubled at the most; 0 reads every cell by itself.
    """
    indptr, cells = stencil.bags(center=center)
    found: list[tuple[int, int]] = []
    borders = [0]
    for start, stop in pairwise(indptr):
        for first, length in _maximal_runs(cells[start:stop], stencil.kernel_size[-1]):
            found += _powers(first, length, most)
        borders.append(len(found))
    table = np.asarray(found, dtype=np.int64).reshape(-1, 2)
    return Runs(np.asarray(borders, dtype=np.int64), table[:, 0], table[:, 1])


def _maximal_runs(cells: IntArray, width: int) -> list[tuple[int, int]]:
    """Return (first cell, length) of the runs of neighbours in a row, for ascending cells of rows of ``width``."""
    if len(cells) == 0:
        return []
    breaks = (np.diff(cells) != 1) | (cells[1:] % width == 0)
    starts = np.concatenate([[0], np.flatnonzero(breaks) + 1, [len(cells)]])
    return [(int(cells[start]), int(stop - start)) for start, stop in pairwise(starts)]


def _powers(first: int, length: int, most: int) -> list[tuple[int, int]]:
    """Cut a run into (first cell, doublings), the longest pieces first."""
    pieces = []
    while length:
        doublings = min(most, length.bit_length() - 1)
        pieces.append((first, doublings))
        first, length = first + 2**doublings, length - 2**doublings
    return pieces
