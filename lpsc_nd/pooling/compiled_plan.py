"""What a compiled pass does for one call: boxes of sites, their tables, the taps of a site; made once and cached."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lpsc_nd.geometry._types import IntArray
from lpsc_nd.native.library import PassKind
from lpsc_nd.native.structures import LINES, Doublings, Plan, numbers
from lpsc_nd.pooling.blocks import blocks, shapes
from lpsc_nd.pooling.compiled_boxes import LONG_LINE, boxes, cut, share, table_cells
from lpsc_nd.pooling.compiled_tables import DOUBLED, FILLED, Axes, candidates, reading
from lpsc_nd.pooling.slabs import spanned
from lpsc_nd.pooling.table import spread_size
from lpsc_nd.pooling.window import Window

TABLE_BYTES = 2**19
"""Bytes of a box's tables, which stay in the second-level cache beside the weights."""

MOST_BYTES, FEWEST_BYTES = 2**24, 2**20
"""Bytes of the tables of all threads together at the most, and of one thread's that are always allowed."""

MOST_TABLE = 2**31
"""Elements of the tables of a vector's channels that are too many, as taps are counted in 32 bits: a tenth faster."""

TAPS_AT_ONCE = 16
"""Taps of neighbouring rows of the window that a depthwise pass weighs before it goes on to another line of sites."""

FEWEST_LINES = 4
"""Lines of the smallest tables, as multiples of those that a line of sites reads."""

NOWHERE = 2**40
"""A cell that is behind all others."""


@dataclass(frozen=True, eq=False)
class CompiledPlan:
    """A plan for the kernels, with the arrays that it points to.

    Args:
        plan: the C structure.
        arrays: what its pointers are of, by name.
        table_elements: elements of all tables of a block of channels.
    """

    plan: Plan
    arrays: dict[str, NDArray[Any]]
    table_elements: int


@lru_cache(maxsize=32)
def compiled_plan(
    kind: PassKind,
    window: Window,
    batch: int,
    size: tuple[int, ...],
    steps: tuple[int, ...],
    channels: int,
    lanes: int,
    itemsize: int,
    threads: int,
    channel_blocks: int,
) -> CompiledPlan:
    """Plan a call.

    Args:
        kind: which kernel.
        window: how the stencil slides over the source.
        batch: images.
        size: cells of the source per axis.
        steps: distance at which they are put, with zeros between them.
        channels: channels that a table holds, in whole vectors.
        lanes: values of a vector.
        itemsize: bytes of a value.
        threads: threads that have tables at once.
        channel_blocks: blocks of channels, if each has boxes of its own; else 1.
    """
    sites = window.output_size(spread_size(size, steps))
    row = channels * itemsize  # bytes of a cell
    most = max(FEWEST_BYTES, MOST_BYTES // threads) // row
    axes, cells, filling = _best_tables(kind, window, sites, TABLE_BYTES // row, most)
    extents = (batch, *sites)
    parts = share(window, extents, cut(window, extents, cells), threads, channel_blocks, filling)
    ranges = np.array(boxes(extents, parts), dtype=np.int64).reshape(-1, 1 + window.ndim, 2)
    stride, reach = (1, *window.stride), (1, *window.extent)
    corners, counts = ranges[..., 0].copy(), np.diff(ranges)[..., 0]
    starts = np.asarray((0, *(before for before, _ in window.padding))) - corners * stride
    table = tuple(((counts.max(axis=0, initial=1) - 1) * stride + reach).tolist())
    table_steps = tuple(math.prod(table[axis + 1 :]) for axis in range(len(table)))
    boxed = {"corners": corners, "counts": counts, "starts": starts}
    arrays = {**boxed, **_bag_spans(window), **_taps(window, axes, table_steps, math.prod(table))}
    plan = Plan(
        axes=len(table),
        size=numbers((batch, *size)),
        steps=numbers((1, *steps)),
        stride=numbers(stride),
        reach=numbers(reach),
        table_steps=numbers(table_steps),
        table_cells=math.prod(table),
        doublings=len(axes),
        doubled=Doublings(*(1 + axis for axis in axes)),
        apart=Doublings(*_apart(window, axes)),
        bags=window.num_bags,
        boxes=len(ranges),
        longest_line=int(counts[:, -1].max(initial=1)),
        visits=len(arrays["visit_rows"]),
        **{name: pointer(array) for name, array in arrays.items()},
    )
    elements = (len(axes) + 1) * math.prod(table) * lanes
    if elements >= MOST_TABLE:
        raise ValueError(f"a window that spans {window.extent} cells needs a table of {elements} values for one site")
    return CompiledPlan(plan, arrays, elements)


def _best_tables(
    kind: PassKind, window: Window, sites: tuple[int, ...], cells: int, most: int
) -> tuple[Axes, int, float]:
    """Return along which axes to double the table, how many cells it has, and what filling one takes of a site's time.

    All tables together have ``cells``, or as many more, up to ``most``, as keep neighbouring boxes from filling their
    tables with the same cells. What is best for one image is done for all, as sums are rounded in another order
    otherwise.
    """
    line = min(spanned(window, window.ndim - 1, sites[-1]), window.extent[-1] + LONG_LINE)
    least, extents = FEWEST_LINES * math.prod(window.extent[:-1]) * line, (1, *sites)
    read = partial(reading, window.stencil, window.center, kind=kind)

    def size(axes: Axes) -> int:
        tables = len(axes) + 1
        return min(max(cells // tables, least), most // tables)

    def filling(axes: Axes) -> float:
        return FILLED + DOUBLED[kind] * len(axes)

    def cost(axes: Axes) -> float:
        parts = cut(window, extents, size(axes))
        filled = math.prod(parts) * table_cells(window, extents, parts)
        return read(axes) * math.prod(sites) + filling(axes) * filled

    best = min(candidates(window.ndim), key=cost)
    return best, size(best), filling(best) / max(1.0, read(best))


def _apart(window: Window, axes: Axes) -> list[int]:
    """Return how many cells lie from the first to the second of the neighbours that each doubling adds."""
    return [shape[axis] * window.dilation[axis] for axis, shape in zip(axes, shapes(axes, window.ndim), strict=False)]


def _bag_spans(window: Window) -> dict[str, NDArray[np.int64]]:
    """Return between which cells of a site's window each bag lies, per axis."""
    indptr, cells = window.stencil.bags(center=window.center)
    coordinates = np.stack(np.unravel_index(cells, window.stencil.kernel_size), axis=1) * window.dilation
    first = np.full((len(indptr) - 1, 1 + window.ndim), NOWHERE)
    last = -first
    bags = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    np.minimum.at(first[:, 1:], bags, coordinates)
    np.maximum.at(last[:, 1:], bags, coordinates)
    return {"bag_first": first, "bag_last": last}


def _taps(window: Window, axes: Axes, table_steps: Sequence[int], table_cells: int) -> dict[str, NDArray[np.int32]]:
    """Return the arrays of a plan that say what is read: bag by bag, and row by row of the window."""
    found = blocks(window.stencil, window.center, axes)
    steps = np.asarray(window.dilation) * table_steps[1:]
    coordinates = np.stack(np.unravel_index(found.cells, window.stencil.kernel_size))
    taps = steps @ coordinates + found.tables * table_cells
    bags = np.repeat(np.arange(window.num_bags), np.diff(found.indptr))
    rows = found.cells // window.stencil.kernel_size[-1]
    by_row = np.lexsort((found.cells, rows))
    first = _groups(np.unique(rows[by_row], return_index=True)[1], len(taps))
    row_starts = np.append(first, len(taps))
    cells = (steps[:-1] @ coordinates[:-1])[by_row][first]  # where each row of the window begins
    line_step = (1, *window.stride)[-2] * table_steps[-2]
    read = np.arange(LINES)[:, None] * line_step + cells
    lines, visited = np.unravel_index(np.argsort(read, axis=None, kind="stable"), read.shape)
    arrays = {
        "bag_starts": found.indptr,
        "taps": taps,
        "row_starts": row_starts,
        "row_taps": taps[by_row],
        "row_bags": bags[by_row],
        "visit_lines": lines,
        "visit_rows": visited,
    }
    return {name: np.ascontiguousarray(array, dtype=np.int32) for name, array in arrays.items()}


def _groups(starts: IntArray, total: int) -> IntArray:
    """Join neighbouring rows of taps, which begin at ``starts``, until each group has enough of them."""
    groups = starts[:1].tolist()
    for start in starts[1:].tolist():
        if start - groups[-1] >= TAPS_AT_ONCE and total - start >= TAPS_AT_ONCE:
            groups.append(start)
    return np.asarray(groups, dtype=np.int64)


def pointer(array: NDArray[Any]) -> Any:
    """Return the address of an array of int32 or int64, as ctypes has it."""
    return array.ctypes.data_as(ctypes.POINTER(ctypes.c_int64 if array.itemsize == 8 else ctypes.c_int32))
