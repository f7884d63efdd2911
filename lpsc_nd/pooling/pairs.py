"""Which cells of an input the bags of each site hold, and gather indices made of that: without a border of zeros."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from lpsc_nd.geometry._types import IntArray, Integers
from lpsc_nd.pooling.window import Window

Index = tuple[Tensor, Tensor]
"""``(indices, offsets)`` of ``embedding_bag``, the last offset included."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """A site and a cell in one of its bags, pair by pair.

    Args:
        sites: the site, row-major.
        bags: the bag.
        cells: the cell of the input, row-major.
    """

    sites: IntArray
    bags: IntArray
    cells: IntArray


def pairs(window: Window, size: tuple[int, ...], rows: slice = slice(None)) -> Pairs:
    """List the pairs of a window on an image of ``size``, site by site, bag by bag; cells in the padding are left out.

    Args:
        window: how the stencil slides.
        size: input size per axis.
        rows: which sites of the first axis are listed, counted from the first of them; by default all.
    """
    indptr, cells = window.stencil.bags(center=window.center)
    ranges = [range(n) for n in window.output_size(size)]
    ranges[0] = ranges[0][rows]
    bags = np.repeat(np.arange(window.num_bags), np.diff(indptr))
    coordinates = np.unravel_index(cells, window.stencil.kernel_size)
    found = np.zeros((*(1,) * window.ndim, len(cells)), dtype=np.int32)
    inside = np.ones(found.shape, dtype=bool)
    for axis, n in enumerate(size):
        places = np.asarray(ranges[axis], dtype=np.int32)[:, None] * window.stride[axis] - window.padding[axis][0]
        places = places + coordinates[axis] * window.dilation[axis]  # (sites of the axis, cells)
        shape = (len(ranges[axis]) if other == axis else 1 for other in range(window.ndim))
        places = places.reshape(*shape, len(cells)).astype(np.int32)
        found = found * np.int32(n) + places
        inside = inside & (places >= 0) & (places < n)
    *site, entry = np.nonzero(inside)
    return Pairs(np.ravel_multi_index(site, tuple(map(len, ranges))), bags[entry], found[inside].astype(np.int64))


@lru_cache(maxsize=256)
def count_pairs(window: Window, size: tuple[int, ...]) -> int:
    """Count the pairs without listing them."""
    _, cells = window.stencil.bags(center=window.center)
    counts = np.ones(len(cells), dtype=np.int64)
    for axis, coordinate in enumerate(np.unravel_index(cells, window.stencil.kernel_size)):
        places = np.arange(window.output_size(size)[axis]) * window.stride[axis] - window.padding[axis][0]
        places = np.arange(window.stencil.kernel_size[axis])[:, None] * window.dilation[axis] + places
        counts *= ((places >= 0) & (places < size[axis])).sum(1)[coordinate]
    return int(counts.sum())


def gather(targets: IntArray, sources: IntArray, num_targets: int, times: int, step: int) -> Index:
    """Return the index of bags that sum up ``sources`` for every target, ascending, for several equal parts in a row.

    Args:
        targets: the bag of each entry.
        sources: the table row of each entry.
        num_targets: bags of a part.
        times: number of parts.
        step: table rows of a part.
    """
    order = np.lexsort((sources, targets))
    return repeat(sources[order], np.bincount(targets, minlength=num_targets), times, step)


def repeat(indices: Integers, counts: Integers, times: int, step: int) -> Index:
    """Return the index of several equal parts, ``step`` table rows apart, whose bags have so many entries each."""
    firsts = step * np.arange(times, dtype=indices.dtype)[:, None]
    return to_index((firsts + indices).ravel(), np.tile(counts, times))


def to_index(rows: Integers, counts: Integers) -> Index:
    """Return the index of bags that read so many ``rows`` each."""
    offsets = np.append(0, np.cumsum(counts))
    return torch.from_numpy(rows.astype(np.int32, copy=False)), torch.from_numpy(offsets.astype(np.int32))
