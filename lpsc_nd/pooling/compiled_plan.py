"""What a compiled pass does for one call: boxes of sites, their tables, the taps of a site; made once and cached."""

from __future__ import annotations

import ctypes
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lpsc_nd.geometry._types import IntArray
from lpsc_nd.native.library import PassKind
from lpsc_nd.native.structures import LINES, Doublings, Plan, numbers
from lpsc_nd.pooling.blocks import blocks, shapes
from lpsc_nd.pooling.compiled_tables import DOUBLED, FILLED, Axes, candidates, reading
from lpsc_nd.pooling.slabs import shares, spanned, worth
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

FEWEST_LINES, LONG_LINE = 4, 96
"""Lines of the smallest tables, as multiples of those that a line of sites reads; and their sites."""

NOWHERE = 2**40
"""A cell that is behind all others."""

Range = tuple[int, int]
"""First, and one after the last."""


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
    parts: int,
    fewest: int,
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
        parts: threads that have tables at once.
        fewest: boxes that there are to be, if there can be.
    """
    sites = window.output_size(spread_size(size, steps))
    row = channels * itemsize  # bytes of a cell
    most = max(FEWEST_BYTES, MOST_BYTES // parts) // row
    axes, cells = _best_tables(kind, window, sites, TABLE_BYTES // row, most)
    cuts = _cut(window, batch, sites, cells, fewest)
    boxes = np.array(_boxes((batch, *sites), cuts), dtype=np.int64).reshape(-1, 1 + window.ndim, 2)
    stride, reach = (1, *window.stride), (1, *window.extent)
    corners, counts = boxes[..., 0].copy(), np.diff(boxes)[..., 0]
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
        boxes=len(boxes),
        longest_line=int(counts[:, -1].max(initial=1)),
        visits=len(arrays["visit_rows"]),
        **{name: pointer(array) for name, array in arrays.items()},
    )
    elements = (len(axes) + 1) * math.prod(table) * lanes
    if elements >= MOST_TABLE:
        raise ValueError(f"a window that spans {window.extent} cells needs a table of {elements} values for one site")
    return CompiledPlan(plan, arrays, elements)


def _best_tables(kind: PassKind, window: Window, sites: tuple[int, ...], cells: int, most: int) -> tuple[Axes, int]:
    """Return along which axes to double the table, and how many cells it has.

    All tables together have ``cells``, or as many more, up to ``most``, as keep neighbouring boxes from filling their
    tables with the same cells. What is best for one image is done for all, as sums are rounded in another order
    otherwise.
    """
    line = min(spanned(window, window.ndim - 1, sites[-1]), window.extent[-1] + LONG_LINE)
    least = FEWEST_LINES * math.prod(window.extent[:-1]) * line

    def size(axes: Axes) -> int:
        tables = len(axes) + 1
        return min(max(cells // tables, least), most // tables)

    def cost(axes: Axes) -> float:
        parts = _cut(window, 1, sites, size(axes), 1)
        filled = math.prod(parts) * _table_cells(window, (1, *sites), parts)
        read = reading(window.stencil, window.center, axes, kind) * math.prod(sites)
        return read + (FILLED + DOUBLED[kind] * len(axes)) * filled

    best = min(candidates(window.ndim), key=cost)
    return best, size(best)


def _apart(window: Window, axes: Axes) -> list[int]:
    """Return how many cells lie from the first to the second of the neighbours that each doubling adds."""
    return [shape[axis] * window.dilation[axis] for axis, shape in zip(axes, shapes(axes, window.ndim), strict=False)]


def _cut(window: Window, batch: int, sites: tuple[int, ...], cells: int, fewest: int) -> list[int]:
    """Return in how many parts to cut images and space, so that boxes' tables have at most ``cells`` cells if they can.

    Images are cut first, whose tables do not overlap; then long lines, as boxes of a single line would fill the rows of
    a whole window for it; then all else, and last what is left of lines, of which kernels take a dozen sites at once.
    """
    extents, parts = (batch, *sites), [1] * (window.ndim + 1)
    images = max(1, cells // max(1, _table_cells(window, (1, *sites), parts)))
    parts[0] = max(1, -(-batch // images), min(batch, fewest))
    for axis, least in ((window.ndim, LONG_LINE), (None, 1), (window.ndim, 1)):
        while _table_cells(window, extents, parts) > cells or math.prod(parts) < fewest:
            cut = axis
            if cut is None:
                if window.ndim == 1:
                    break
                cut = 1 + max(range(window.ndim - 1), key=lambda a: worth(window, a, sites[a], parts[a + 1]))
            if parts[cut] >= extents[cut] // least:
                break
            parts[cut] += 1
    return parts


def _boxes(extents: tuple[int, ...], parts: list[int]) -> list[tuple[Range, ...]]:
    """Return the boxes of images and space that are cut into so many parts."""
    ranges = (list(shares(extent, part)) for extent, part in zip(extents, parts, strict=True))
    boxes = itertools.product(*ranges)
    return [box for box in boxes if all(start < stop for start, stop in box)]


def _table_cells(window: Window, extents: tuple[int, ...], parts: Sequence[int]) -> int:
    images, *counts = (-(-extent // part) for extent, part in zip(extents, parts, strict=True))
    return images * math.prod(spanned(window, axis, count) for axis, count in enumerate(counts))


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
