"""What the bag engine does for one call: slabs, their tiles, and the gather index of each; made once and cached."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial

import numpy as np
import torch
from torch import Tensor

from lpsc_nd.geometry._types import IntArray
from lpsc_nd.pooling.constants import cells_read
from lpsc_nd.pooling.gpu_sizes import tile_elements, times_larger
from lpsc_nd.pooling.processor import is_intel
from lpsc_nd.pooling.run_tables import SLAB_ELEMENTS, best_tables
from lpsc_nd.pooling.runs import runs
from lpsc_nd.pooling.site_rows import Place, place_of
from lpsc_nd.pooling.slabs import Slab, fewest_cells, slabs
from lpsc_nd.pooling.tiles import Grid, Tile, tiles
from lpsc_nd.pooling.window import Window

BagRows = tuple[IntArray, IntArray]
"""Table rows that one site reads, and where each of its bags begins among them."""

TILE_ELEMENTS = 2**21 if is_intel() else 2**20
"""Elements of a tile's pooled matrix, eight or four MiB in float32: where cache misses and calls per tile balance."""

TILE_ENTRIES = 2**17
"""Entries of the gather index of a tile of a transposed plan."""

TILE_SITES = (64, 2048)
"""Fewest and most sites of a tile, whatever their elements."""

MIXED_ELEMENTS = 2**21
"""Elements of a slab's table that has a row for each (cell, bag)."""


@dataclass(frozen=True)
class Step:
    """A tile with the index of its bag sum, relative to the tile's first row.

    Args:
        place: which images of the call, and which of their sites.
        first_row: table row of the tile's first cell.
        indices: table rows of all entries, site by site, bag by bag.
        offsets: where each bag begins in ``indices``, and where the last ends.
    """

    place: Place
    first_row: int
    indices: Tensor
    offsets: Tensor


@dataclass(frozen=True)
class Plan:
    """The steps of a call.

    Args:
        doublings: how often the table of cells is doubled to tables of runs.
        slabs: each slab with its steps.
    """

    doublings: int
    slabs: tuple[tuple[Slab, tuple[Step, ...]], ...]

    @cached_property
    def in_rows(self) -> bool:
        """Whether the sites of every step are in a row; as steps are in order, the last ones of an image come last."""
        return all(step.place.rows is not None for _, steps in self.slabs for step in steps)


@lru_cache(maxsize=16)
def plan(
    window: Window,
    batch: int,
    padded: tuple[int, ...],
    sites: tuple[int, ...],
    channels: int,
    device: str,
    elements: int = SLAB_ELEMENTS,
) -> Plan:
    """Plan the bag sums of a window at every site of a call.

    Args:
        window: the bags of one site.
        batch: number of images.
        padded: padded input size per axis.
        sites: output size per axis.
        channels: columns of the table.
        device: where the index lives.
        elements: of a slab's tables.
    """
    if 0 in (batch, channels, window.num_bags, *sites):
        return Plan(0, ())
    tables = best_tables(window, padded, sites, channels, elements)
    parts, read = slabs(window, batch, padded, sites, tables.cells), partial(_bag_rows, window, tables.doublings)
    times = times_larger(device)
    target = _within(tile_elements(device, TILE_ELEMENTS) // (window.num_bags * channels), times)
    return Plan(tables.doublings, _steps(parts, (batch, *sites), target, 1, read, device))


@lru_cache(maxsize=16)
def transposed_plan(
    window: Window, batch: int, padded: tuple[int, ...], sites: tuple[int, ...], channels: int, device: str
) -> Plan:
    """Plan the sums of a table that has a row for each (padded cell, bag); arguments as for :func:`plan`.

    A site is the sum, over the cells of the window, of the cell's row for the bag that holds it.
    """
    if 0 in (batch, channels, window.num_bags, *sites):
        return Plan(0, ())
    times = times_larger(device)
    cells = max(fewest_cells(window), times * MIXED_ELEMENTS // (channels * window.num_bags))
    parts = slabs(window, batch, padded, sites, cells)
    target = _within(times * TILE_ENTRIES // max(1, cells_read(window.stencil.token, window.center)), times)
    return Plan(0, _steps(parts, (batch, *sites), target, window.num_bags, partial(_cell_rows, window), device))


def _steps(
    parts: Iterable[Slab],
    extents: tuple[int, ...],
    target: int,
    rows_per_cell: int,
    read: Callable[[Grid], BagRows],
    device: str,
) -> tuple[tuple[Slab, tuple[Step, ...]], ...]:
    """Cut slabs of ``extents``, (B, *sites), into tiles of about ``target`` sites, each with its gather index."""
    index: dict[tuple[int, ...], tuple[Tensor, Tensor]] = {}
    planned = []
    for slab in parts:
        steps = []
        for tile in tiles(slab.grid, target):
            key = (*tile.shape, slab.grid.batch, *slab.grid.padded)
            if key not in index:
                distances = tuple(step * rows_per_cell for step in slab.grid.site_steps)
                index[key] = tile_index(*read(slab.grid), tile.shape, distances, device)
            place = place_of(_box(slab, tile), extents)
            steps.append(Step(place, tile.first_row * rows_per_cell, *index[key]))
        planned.append((slab, tuple(steps)))
    return tuple(planned)


def tile_index(
    rows: IntArray, indptr: IntArray, shape: tuple[int, ...], steps: tuple[int, ...], device: str
) -> tuple[Tensor, Tensor]:
    """Return ``(indices, offsets)`` of ``embedding_bag`` for a tile: sites row-major, all bags of a site together.

    Args:
        rows: table rows that one site reads, relative to its first cell.
        indptr: where each of its bags begins in ``rows``.
        shape: sites of the tile per axis, the batch first.
        steps: table rows from a site to the next, per axis.
        device: where the index lives.
    """
    local = np.indices(shape).reshape(len(shape), -1)  # (axes, sites)
    first = np.asarray(steps) @ local
    indices = (first[:, None] + rows).ravel()
    starts = np.arange(len(first))[:, None] * len(rows) + indptr[:-1]
    offsets = np.append(starts.ravel(), indices.size)
    kind = np.int32 if max(indices.size, indices.max(initial=0)) < 2**31 else np.int64
    return torch.from_numpy(indices.astype(kind)).to(device), torch.from_numpy(offsets.astype(kind)).to(device)


def window_rows(window: Window, cells: IntArray, padded: tuple[int, ...]) -> IntArray:
    """Return the rows of some cells of the window in a padded table, relative to the window's first cell."""
    coordinates = np.unravel_index(cells, window.stencil.kernel_size)
    steps = tuple(c * d for c, d in zip(coordinates, window.dilation, strict=True))
    return np.ravel_multi_index(steps, padded).astype(np.int64)


def _bag_rows(window: Window, doublings: int, grid: Grid) -> BagRows:
    """Lay a window's runs on a table whose k-th part holds the sums of 2^k neighbouring cells."""
    found = runs(window.stencil, window.center, doublings)
    return window_rows(window, found.cells, grid.padded) + found.doublings * grid.table_rows, found.indptr


def _cell_rows(window: Window, grid: Grid) -> BagRows:
    """Lay a window's cells on a table with a row for each (padded cell, bag), all of them as one bag."""
    indptr, cells = window.stencil.bags(center=window.center)
    bag = np.repeat(np.arange(window.num_bags), np.diff(indptr))
    return window_rows(window, cells, grid.padded) * window.num_bags + bag, indptr[[0, -1]]


def _within(sites: int, times: int) -> int:
    fewest, most = TILE_SITES
    return min(times * most, max(fewest, sites))


def _box(slab: Slab, tile: Tile) -> tuple[slice, ...]:
    starts = (a + b for a, b in zip(slab.corner, tile.corner, strict=True))
    return tuple(slice(start, start + count) for start, count in zip(starts, tile.shape, strict=True))
