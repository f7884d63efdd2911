"""Bags as blocks of cells, whose sides are powers of two.

Beside the table of cells of a compiled pass stand tables of blocks: each holds the sums of two neighbours, along some
axis, of the table before it. Doubled along two axes in turn, the fourth of them holds blocks of 4 x 4 cells, and 5 x 5
cells are one of those and nine smaller blocks. Nothing is subtracted, so nothing cancels, and cells are added in the
order of a tree, more exactly than one after another.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from lpsc_nd.geometry import Stencil
from lpsc_nd.geometry._types import IntArray

Shape = tuple[int, ...]
"""Cells of a block per axis of the window."""

NO_REGION = -1


@dataclass(frozen=True, eq=False)
class Blocks:
    """What the bags of one site read.

    Args:
        indptr: bag b reads the entries ``indptr[b]:indptr[b + 1]``, in the order of tables and of cells.
        cells: first cell of each entry, row-major in the window.
        tables: each is a block of the table with this number, 0 being that of cells.
    """

    indptr: IntArray
    cells: IntArray
    tables: IntArray


def shapes(axes: tuple[int, ...], ndim: int) -> list[Shape]:
    """Return the shape of each table's blocks, where tables are doubled along these axes one after another."""
    found = [(1,) * ndim]
    for doubled in axes:
        found.append(tuple(n * (1 + (axis == doubled)) for axis, n in enumerate(found[-1])))
    return found


@lru_cache(maxsize=256)
def blocks(stencil: Stencil, center: bool, axes: tuple[int, ...]) -> Blocks:
    """Cut a stencil's bags into blocks: the largest first, each where it first fits.

    Args:
        stencil: the regions.
        center: whether the centre cell is the last bag.
        axes: along which tables are doubled, one after another; without any, each cell is read by itself.
    """
    region_of = stencil.mask.ravel() - 1
    left, found = region_of.reshape(stencil.kernel_size).copy(), list[tuple[int, int]]()
    for table, shape in reversed(list(enumerate(shapes(axes, left.ndim)))):
        found += [(cell, table) for cell in _take(left, shape)]
    cells, tables = np.asarray(found, dtype=np.int64).reshape(-1, 2).T
    order = np.lexsort((cells, tables, region_of[cells]))
    per_bag = np.bincount(region_of[cells], minlength=stencil.num_regions)
    if center:  # a bag of its own, whether or not the cell is some region's as well
        order, per_bag = np.append(order, len(cells)), np.append(per_bag, 1)
        cells, tables = np.append(cells, stencil.center_cell), np.append(tables, 0)
    return Blocks(np.append(0, np.cumsum(per_bag)), cells[order], tables[order])


def _take(left: IntArray, shape: Shape) -> list[int]:
    """Take whole blocks out of ``left``, which says whose each cell is, and return their first cells."""
    if any(side > cells for side, cells in zip(shape, left.shape, strict=True)):
        return []
    if math.prod(shape) == 1:
        return np.flatnonzero(left != NO_REGION).tolist()
    inside, taken = sliding_window_view(left, shape), list[int]()
    sides = tuple(range(-left.ndim, 0))
    lowest = inside.min(axis=sides)
    for corner in np.argwhere((lowest != NO_REGION) & (lowest == inside.max(axis=sides))).tolist():
        block = left[tuple(slice(at, at + side) for at, side in zip(corner, shape, strict=True))]
        if block.min() != NO_REGION:  # no part of it was taken before
            block[...] = NO_REGION
            taken.append(int(np.ravel_multi_index(corner, left.shape)))
    return taken
