"""The gather index of every tile of a call, made once for each window and input size and then cached."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from lpsc_nd.geometry._types import IntArray
from lpsc_nd.pooling.tiles import Grid, Tile, tiles
from lpsc_nd.pooling.window import Window


@dataclass(frozen=True)
class Step:
    """A tile with the index of its bag sum, relative to the tile's first row.

    Args:
        tile: which sites.
        indices: table rows of all cells, site by site, bag by bag.
        offsets: where each bag begins in ``indices``, and where the last ends.
    """

    tile: Tile
    indices: Tensor
    offsets: Tensor


@lru_cache(maxsize=16)
def plan(window: Window, grid: Grid, target: int, device: str, *, merged: bool = False) -> tuple[Step, ...]:
    """Return the steps that sum a window's bags at every site of a grid.

    Args:
        window: the bags of one site.
        grid: the sites and the table they read.
        target: sites per tile, about.
        device: where the index lives.
        merged: the table has a row for each (cell, bag) instead of each cell; every site then sums one bag, which takes
            each cell from the row of the bag it belongs to.
    """
    rows, indptr = _bag_rows(window, grid.padded)
    scale = 1
    if merged:
        scale = window.num_bags
        rows = rows * scale + np.repeat(np.arange(scale), np.diff(indptr))
        indptr = np.asarray([0, len(rows)])
    index: dict[tuple[int, ...], tuple[Tensor, Tensor]] = {}
    steps = []
    for tile in tiles(grid, target):
        if tile.shape not in index:
            index[tile.shape] = _tile_index(
                rows, indptr, tile.shape, [scale * step for step in grid.site_steps], device
            )
        steps.append(Step(tile, *index[tile.shape]))
    return tuple(steps)


def _bag_rows(window: Window, padded: tuple[int, ...]) -> tuple[IntArray, IntArray]:
    """Lay a window's bags on a padded grid: rows of all cells relative to the first cell, and the bags' borders."""
    indptr, cells = window.stencil.bags(center=window.center)
    coordinates = np.unravel_index(cells, window.stencil.kernel_size)
    steps = tuple(c * d for c, d in zip(coordinates, window.dilation, strict=True))
    return np.ravel_multi_index(steps, padded).astype(np.int64), indptr


def _tile_index(
    rows: IntArray, indptr: IntArray, shape: tuple[int, ...], steps: list[int], device: str
) -> tuple[Tensor, Tensor]:
    """Return ``(indices, offsets)`` of ``embedding_bag`` for a tile: sites row-major, all bags of a site together."""
    local = np.indices(shape).reshape(len(shape), -1)  # (axes, sites)
    first = np.asarray(steps) @ local
    indices = (first[:, None] + rows).ravel()
    starts = np.arange(len(first))[:, None] * len(rows) + indptr[:-1]
    offsets = np.append(starts.ravel(), indices.size)
    kind = np.int32 if max(indices.size, indices.max(initial=0)) < 2**31 else np.int64
    return torch.from_numpy(indices.astype(kind)).to(device), torch.from_numpy(offsets.astype(kind)).to(device)
