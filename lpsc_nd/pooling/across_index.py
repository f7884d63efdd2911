"""Gather indices of the bag engine whose table rows run across images: channel by channel, bag by bag, site by site."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from lpsc_nd.pooling.pairs import Index, gather, pairs, repeat
from lpsc_nd.pooling.plan import window_rows
from lpsc_nd.pooling.runs import MOST_DOUBLINGS, runs
from lpsc_nd.pooling.tiles import Grid
from lpsc_nd.pooling.window import Window


@lru_cache(maxsize=16)
def bag_index(window: Window, channels: int, size: tuple[int, ...], doublings: int) -> Index:
    """Return what the bags (C, bags, *sites) read of a table (doublings + 1, C, *padded).

    Args:
        window: how the stencil slides.
        channels: C.
        size: input size per axis.
        doublings: how often the table is doubled.
    """
    grid = Grid(channels, window.output_size(size), window.padded_size(size), window.stride)
    found = runs(window.stencil, window.center, doublings)
    rows = window_rows(window, found.cells, grid.padded) + found.doublings * grid.table_rows
    sites = np.asarray(grid.site_steps[1:]) @ np.indices(grid.sites).reshape(len(grid.sites), -1)
    read = [(sites[:, None] + rows[a:b]).ravel() for a, b in zip(found.indptr[:-1], found.indptr[1:], strict=True)]
    counts = np.repeat(np.diff(found.indptr), len(sites))
    return repeat(np.concatenate(read), counts, channels, grid.site_steps[0])


@lru_cache(maxsize=16)
def adjoint_index(window: Window, channels: int, size: tuple[int, ...]) -> Index:
    """Return which bags the cells (C, *size) are in, as rows of a table (C, bags, *sites).

    Args:
        window: how the stencil slides.
        channels: C.
        size: input size per axis.
    """
    found, sites = pairs(window, size), math.prod(window.output_size(size))
    rows = found.bags * sites + found.sites
    return gather(found.cells, rows, math.prod(size), channels, window.num_bags * sites)


@lru_cache(maxsize=64)
def fewest_rows(window: Window, size: tuple[int, ...]) -> int:
    """Return how often to double the table so that rows read by sites, and read and written by doubling, are fewest."""
    sites, padded = math.prod(window.output_size(size)), math.prod(window.padded_size(size))

    def rows(doublings: int) -> int:
        return len(runs(window.stencil, window.center, doublings).cells) * sites + 3 * doublings * padded

    return min(range(MOST_DOUBLINGS + 1), key=rows)
