"""The bag engine without a border of zeros: an index for every site of an image, which names the cells that are there.

Around a map of 4 x 4 cells a 7 x 7 window wants a table of 10 x 10, and runs want doubled tables. Here the input itself
is the table, at the price of an index as large as the map times the window. The input gradient mixes first, at the
sites: z = gy W, a row for each (site, bag), and each cell adds up the rows of the bags that it is in. No zeros are put
between the sites of a strided layer.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from itertools import starmap

import numpy as np
import torch
from torch import Tensor

from lpsc_nd.geometry._types import Int32Array
from lpsc_nd.pooling.layout import by_site, empty_sites
from lpsc_nd.pooling.mixing import Mixing
from lpsc_nd.pooling.pairs import Index, count_pairs, gather, pairs, repeat
from lpsc_nd.pooling.product import product
from lpsc_nd.pooling.scratch import scratch
from lpsc_nd.pooling.slabs import shares
from lpsc_nd.pooling.table import compute_dtype, fill_table
from lpsc_nd.pooling.threads import larger
from lpsc_nd.pooling.transposed import sum_bags
from lpsc_nd.pooling.window import Window

POOLED_ELEMENTS = 2**20
"""Elements of a pooled matrix, of some images or of some rows of sites of one: four MiB in float32 on one thread."""

GROUP_ENTRIES = 2**18
"""Entries of the gather index of several images: one MiB on one thread."""

LISTED_PAIRS = 2**18
"""Pairs of a site and a cell that are listed at once, in some dozens of bytes each."""

SHARED = 4
"""How much larger both may be where several threads share them."""


def pooled_elements(window: Window, channels: int, size: tuple[int, ...]) -> int:
    """Return the elements of an image's pooled map."""
    return math.prod(window.output_size(size)) * window.num_bags * channels


def images_at_once(window: Window, channels: int, size: tuple[int, ...]) -> int:
    """Return how many images are run together."""
    by_index = larger(GROUP_ENTRIES, SHARED) // max(1, count_pairs(window, size))
    by_sums = larger(POOLED_ELEMENTS, SHARED) // max(1, pooled_elements(window, channels, size))
    return max(1, min(by_index, by_sums))


def conv(x: Tensor, weight: Tensor, bias: Tensor | None, window: Window) -> Tensor:
    """Pool and mix: (B, C, *in), (C', C, bags) in the compute type -> (B, C', *out) in the type of ``x``."""
    y = empty_sites(x, len(weight), window.output_size(x.shape[2:]))
    mixing = Mixing(len(weight), x.shape[1], window.num_bags, groups=1)
    matrix, sites = mixing.to_matrix(weight), by_site(y)
    for place, pooled in pooled_rows(x, window):
        mixing.store(sites[place], pooled, matrix, bias)
        del pooled  # the next one then lies in the same memory, which is in cache
    return y


def weight_grad(x: Tensor, gy: Tensor, window: Window) -> Tensor:
    """Return the sum over sites of gy times the pooled input: (C', C, bags), in the compute type."""
    mixing = Mixing(gy.shape[1], x.shape[1], window.num_bags, groups=1)
    total, sites = mixing.zeros(compute_dtype(x.dtype), x.device), by_site(gy)
    for place, pooled in pooled_rows(x, window):
        mixing.accumulate(total, pooled, sites[place])
        del pooled
    return mixing.to_weight(total)


def input_grad(gy: Tensor, weight: Tensor, window: Window, input_size: tuple[int, ...]) -> Tensor:
    """Carry an output gradient back: (B, C', *out), (C', C, bags) -> (B, C, *in) in the type of ``gy``."""
    channels = weight.shape[1]
    gx = empty_sites(gy, channels, input_size)
    matrix, cells = weight.permute(2, 1, 0).flatten(0, 1).contiguous(), by_site(gx)  # (bags * C, C')
    for images in groups(len(gy), window, channels, input_size):
        with rows(gy[images], weight.dtype) as values:
            mixed = product(values, matrix).view(-1, channels)
        target = cells[images]
        target.copy_(sum_bags(mixed, *adjoint_index(window, input_size, len(target))).view(target.shape))
        del mixed
    return gx


def pooled_rows(x: Tensor, window: Window) -> Iterator[tuple[tuple[slice, slice], Tensor]]:
    """Yield some images, and rows of their sites, with the pooled matrix (sites, bags, C), in the compute type."""
    channels, size = x.shape[1], tuple(x.shape[2:])
    parts = -(-pooled_elements(window, channels, size) // max(1, larger(POOLED_ELEMENTS, SHARED)))
    for images in groups(len(x), window, channels, size):
        with rows(x[images], compute_dtype(x.dtype)) as table:
            for part, index in bag_indices(window, size, images.stop - images.start, parts):
                yield (images, part), sum_bags(table, *index).view(-1, window.num_bags, channels)


def groups(batch: int, window: Window, channels: int, size: tuple[int, ...]) -> Iterator[slice]:
    """Share the images of a batch out to groups."""
    return starmap(slice, shares(batch, -(-batch // images_at_once(window, channels, size))))


@contextmanager
def rows(x: Tensor, dtype: torch.dtype) -> Iterator[Tensor]:
    """Lend (images, C, *size) as (images * cells, C) in ``dtype``: x itself if it lies so, else a copy."""
    sites = by_site(x)
    if sites.is_contiguous() and x.dtype == dtype:
        yield sites.reshape(-1).view(-1, x.shape[1])  # one channel may have any stride, which embedding_bag minds
        return
    with scratch(tuple(sites.shape), dtype, x.device) as table:
        fill_table(table, x, (0,) * (x.ndim - 2), (1,) * (x.ndim - 2))
        yield table.flatten(0, -2)


@lru_cache(maxsize=32)
def bag_indices(window: Window, size: tuple[int, ...], images: int, parts: int) -> tuple[tuple[slice, Index], ...]:
    """Cut the rows of sites into about so many parts; return which, and what the bags (images, *sites, bags) read.

    The table that they read is (images, *size).
    """
    height, found = window.output_size(size)[0], []
    step = max(1, LISTED_PAIRS * height // max(1, count_pairs(window, size)))  # rows that are listed at once
    for part in parts_of(window, size, parts):
        rows = (slice(start, min(start + step, part.stop)) for start in range(part.start, part.stop, step))
        cells, counts = map(np.concatenate, zip(*(_listed(window, size, some) for some in rows), strict=True))
        found.append((part, repeat(cells, counts, images, math.prod(size))))
    return tuple(found)


def _listed(window: Window, size: tuple[int, ...], rows: slice) -> tuple[Int32Array, Int32Array]:
    """Return the cells of an image that the bags of some rows of sites read, and how many each reads."""
    listed, sites = pairs(window, size, rows), (rows.stop - rows.start) * math.prod(window.output_size(size)[1:])
    counts = np.bincount(listed.sites * window.num_bags + listed.bags, minlength=sites * window.num_bags)
    return listed.cells.astype(np.int32), counts.astype(np.int32)


def parts_of(window: Window, size: tuple[int, ...], parts: int) -> Iterator[slice]:
    """Cut the rows of an image's sites into so many parts, or into single rows where there are fewer."""
    height = window.output_size(size)[0]
    return starmap(slice, shares(height, max(1, min(height, parts))))


@lru_cache(maxsize=16)
def adjoint_index(window: Window, size: tuple[int, ...], images: int) -> Index:
    """Return which bags the cells (images, *size) are in, as rows of a table (images, *sites, bags)."""
    found, sites = pairs(window, size), math.prod(window.output_size(size))
    bags = found.sites * window.num_bags + found.bags
    return gather(found.cells, bags, math.prod(size), images, sites * window.num_bags)
