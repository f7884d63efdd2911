"""Gather indices of the bag engine whose table rows run across images: channel by channel, bag by bag, site by site."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from lpsc_nd.geometry._types import IntArray
from lpsc_nd.pooling.plan import window_rows
from lpsc_nd.pooling.runs import MOST_DOUBLINGS, runs
from lpsc_nd.pooling.tiles import Grid
from lpsc_nd.pooling.transpose import by_counting
from lpsc_nd.pooling.window import Window

Index = tuple[Tensor, Tensor]
"""``(indices, offsets)`` of ``embedding_bag``."""


@lru_cache(maxsize=16)
def bag_index(window: Window, channels: int, size: tuple[int, ...], doublings: int) -> Index:
    """Return what the bags (C, bags, *sites) read of a table (doublings + 1, C, *padded).

    Args:
        window: how the stencil slides.
        channels: C.
        size: input size per axis.
        doublings: how often the table is doubled.
    """
    grid = _grid(window, channels, size)
    return _each_channel(*_bag_rows(window, grid, doublings), channels, grid.site_steps[0])


@lru_cache(maxsize=16)
def adjoint_index(window: Window, channels: int, size: tuple[int, ...]) -> Index:
    """Return which bags the cells (C, *size) are in, as rows of a table (C, bags, *sites).

    Args:
        window: how the stencil slides.
        channels: C.
        size: input size per axis.
    """
    rows, offsets = _bag_rows(window, _grid(window, 1, size), doublings=0)
    cells = _input_cells(window, size)[rows]
    number = len(offsets) - 1
    met = np.bincount(np.repeat(np.arange(number), np.diff(offsets))[cells >= 0], minlength=number)
    bag_starts = torch.from_numpy(np.append(0, np.cumsum(met)))
    starts, bags, _ = by_counting(bag_starts, torch.from_numpy(cells[cells >= 0]), None, math.prod(size))
    return _each_channel(bags.numpy(), starts.numpy(), channels, number)


@lru_cache(maxsize=64)
def fewest_rows(window: Window, size: tuple[int, ...]) -> int:
    """Return how often to double the table so that rows read by sites, and read and written by doubling, are fewest."""
    sites, padded = math.prod(window.output_size(size)), math.prod(window.padded_size(size))

    def rows(doublings: int) -> int:
        return len(runs(window.stencil, window.center, doublings).cells) * sites + 3 * doublings * padded

    return min(range(MOST_DOUBLINGS + 1), key=rows)


def _grid(window: Window, channels: int, size: tuple[int, ...]) -> Grid:
    """Return the sites, and the table of cells, whose outermost axis are the channels."""
    return Grid(channels, window.output_size(size), window.padded_size(size), window.stride)


def _bag_rows(window: Window, grid: Grid, doublings: int) -> tuple[IntArray, IntArray]:
    """Return the table rows that the bags (bags, *sites) of the first channel read, and where each begins."""
    found = runs(window.stencil, window.center, doublings)
    rows = window_rows(window, found.cells, grid.padded) + found.doublings * grid.table_rows
    sites = np.asarray(grid.site_steps[1:]) @ np.indices(grid.sites).reshape(len(grid.sites), -1)
    read = [(sites[:, None] + rows[a:b]).ravel() for a, b in zip(found.indptr[:-1], found.indptr[1:], strict=True)]
    counts = np.repeat(np.diff(found.indptr), len(sites))
    return np.concatenate(read), np.append(0, np.cumsum(counts))


def _input_cells(window: Window, size: tuple[int, ...]) -> IntArray:
    """Return the cell of the input at every place of the padded table, -1 where there is none."""
    cells = np.full(window.padded_size(size), -1, dtype=np.int64)
    inner, kept = [], []
    for n, extent, (before, _) in zip(size, cells.shape, window.padding, strict=True):
        first, last = max(0, -before), min(n, extent - before)
        kept.append(slice(first, last))
        inner.append(slice(first + before, last + before))
    cells[tuple(inner)] = np.arange(math.prod(size)).reshape(size)[tuple(kept)]
    return cells.ravel()


def _each_channel(indices: IntArray, offsets: IntArray, channels: int, rows: int) -> Index:
    """Repeat a channel's index for all of them, ``rows`` rows of the table apart."""
    steps = np.arange(channels)[:, None]
    starts = np.append((offsets[:-1] + steps * len(indices)).ravel(), channels * len(indices))
    return torch.from_numpy((indices + steps * rows).ravel().astype(np.int32)), torch.from_numpy(
        starts.astype(np.int32)
    )
