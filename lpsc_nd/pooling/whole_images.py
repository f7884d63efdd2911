"""The bag engine without a border of zeros: an index for every site of an image, which names the cells that are there.

Around a map of 4 x 4 cells a 7 x 7 window wants a table of 10 x 10, and runs want doubled tables. Here the input itself
is the table, at the price of an index as large as the map times the window. The input gradient mixes first, at the
sites: z = gy W, a row for each (site, bag), and each cell adds up the rows of the bags that it is in. No zeros are put
between the sites of a strided layer.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import starmap
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lpsc_nd.geometry._types import Int32Array
from lpsc_nd.pooling.folding import exchanged
from lpsc_nd.pooling.layout import by_site, empty_sites, write_by_site
from lpsc_nd.pooling.mixing import Mixing
from lpsc_nd.pooling.pairs import Index, count_pairs, gather, pairs, repeat
from lpsc_nd.pooling.processor import is_intel
from lpsc_nd.pooling.product import product
from lpsc_nd.pooling.scratch import scratch
from lpsc_nd.pooling.site_rows import Place, adder, place_of, writer
from lpsc_nd.pooling.slabs import shares
from lpsc_nd.pooling.table import compute_dtype
from lpsc_nd.pooling.threads import larger
from lpsc_nd.pooling.transposed import sum_bags
from lpsc_nd.pooling.window import Window

POOLED_ELEMENTS = 2**18 if is_intel() else 2**20
"""Elements of a pooled matrix on one thread, of some images or of some rows of sites of one: in float32 a MiB, which
the second-level cache holds from the sum to the product, or four where smaller ones are slower or were not measured."""

ELEMENTS_PER_WEIGHT, WEIGHTED_ELEMENTS = 4, 2**21
"""Elements of a pooled matrix for each weight that multiplies it, and up to how many elements: every product brings the
weights into its own order first, so that many weights want many sites. 13 x 13 with 128 channels takes a tenth less."""

GROUP_ENTRIES = 2**18
"""Entries of the gather index of several images: one MiB on one thread."""

LISTED_PAIRS = 2**18
"""Pairs of a site and a cell that are listed at once, in some dozens of bytes each."""

POOLED_SHARED, ENTRIES_SHARED = 16 if is_intel() else 2, 4
"""How much larger the two may be where several threads share them."""


def pooled_elements(window: Window, channels: int, size: tuple[int, ...]) -> int:
    """Return the elements of an image's pooled map."""
    return math.prod(window.output_size(size)) * window.num_bags * channels


class Limits(NamedTuple):
    """How much is worked on at once.

    Args:
        pooled: elements of a pooled matrix, unless a single row of sites has more.
        entries: of the gather index of several images.
    """

    pooled: int
    entries: int


def limits_of(window: Window, channels: int, filters: int) -> Limits:
    """Return the limits for so many channels, and columns of weights, on as many threads as there are."""
    weighted = min(WEIGHTED_ELEMENTS, ELEMENTS_PER_WEIGHT * window.num_bags * channels * filters)
    return Limits(max(1, larger(POOLED_ELEMENTS, POOLED_SHARED), weighted), larger(GROUP_ENTRIES, ENTRIES_SHARED))


def images_at_once(window: Window, channels: int, size: tuple[int, ...], limits: Limits) -> int:
    """Return how many images are run together."""
    by_index = limits.entries // max(1, count_pairs(window, size))
    by_sums = limits.pooled // max(1, pooled_elements(window, channels, size))
    return max(1, min(by_index, by_sums))


def conv(x: Tensor, weight: Tensor, bias: Tensor | None, window: Window) -> Tensor:
    """Pool and mix: (B, C, *in), (C', C, bags) in the compute type -> (B, C', *out) in the type of ``x``."""
    y = empty_sites(x, len(weight), window.output_size(x.shape[2:]))
    mixing = Mixing(len(weight), x.shape[1], window.num_bags, groups=1)
    write = writer(y, mixing, mixing.to_matrix(weight), bias, in_rows=True)
    for place, pooled in pooled_rows(x, window, len(weight)):
        write(place, pooled)
        del pooled  # the next one then lies in the same memory, which is in cache
    return y


def weight_grad(x: Tensor, gy: Tensor, window: Window) -> Tensor:
    """Return the sum over sites of gy times the pooled input: (C', C, bags), in the compute type."""
    mixing = Mixing(gy.shape[1], x.shape[1], window.num_bags, groups=1)
    total = mixing.zeros(compute_dtype(x.dtype), x.device)
    add = adder(total, gy, mixing, in_rows=True)
    for place, pooled in pooled_rows(x, window, gy.shape[1]):
        add(place, pooled)
        del pooled
    return mixing.to_weight(total)


def both_grads(x: Tensor, gy: Tensor, weight: Tensor, window: Window) -> tuple[Tensor, Tensor]:
    """Return input and weight gradient of a stride of 1, from one pooling of the output gradient."""
    gx, adjoint = empty_sites(gy, x.shape[1], tuple(x.shape[2:])), window.adjoint(x.shape[2:])
    mixing = Mixing(x.shape[1], gy.shape[1], window.num_bags, groups=1)
    total = mixing.zeros(weight.dtype, x.device)
    write = writer(gx, mixing, mixing.to_matrix(exchanged(weight, 1)), None, in_rows=True)
    add = adder(total, x, mixing, in_rows=True)
    for place, pooled in pooled_rows(gy, adjoint, x.shape[1]):
        write(place, pooled)
        add(place, pooled)
        del pooled
    return gx, exchanged(mixing.to_weight(total), 1).contiguous()


def input_grad(gy: Tensor, weight: Tensor, window: Window, input_size: tuple[int, ...]) -> Tensor:
    """Carry an output gradient back: (B, C', *out), (C', C, bags) -> (B, C, *in) in the type of ``gy``."""
    channels = weight.shape[1]
    gx = empty_sites(gy, channels, input_size)
    matrix, cells = weight.permute(2, 1, 0).flatten(0, 1).contiguous(), by_site(gx)  # (bags * C, C')
    most = images_at_once(window, channels, input_size, limits_of(window, channels, len(weight)))
    for images, values in tables(gy, weight.dtype, groups(len(gy), most)):
        mixed = product(values, matrix).view(-1, channels)
        target = cells[images]
        target.copy_(sum_bags(mixed, *adjoint_index(window, input_size, len(target))).view(target.shape))
        del mixed
    return gx


def pooled_rows(x: Tensor, window: Window, filters: int) -> Iterator[tuple[Place, Tensor]]:
    """Yield some images, and rows of their sites, with the pooled matrix (sites, bags * C), in the compute type.

    ``filters`` columns of weights are to multiply it.
    """
    (batch, channels), size = x.shape[:2], tuple(x.shape[2:])
    columns = window.num_bags * channels
    images, parts = divide(window, batch, channels, size, limits_of(window, channels, filters))
    for (_, table), of_group in zip(tables(x, compute_dtype(x.dtype), images), parts, strict=True):
        for place, index in of_group:
            yield place, sum_bags(table, *index).view(-1, columns)


@lru_cache(maxsize=32)
def divide(
    window: Window, batch: int, channels: int, size: tuple[int, ...], limits: Limits
) -> tuple[tuple[slice, ...], tuple[tuple[tuple[Place, Index], ...], ...]]:
    """Share the images of a batch out to groups; return these, and for each its parts: where they are, what they read.

    Args:
        window: how the stencil slides.
        batch: number of images.
        channels: C.
        size: input size per axis.
        limits: how much is worked on at once.
    """
    sites, found = window.output_size(size), []
    parts = -(-pooled_elements(window, channels, size) // limits.pooled)
    images = tuple(groups(batch, images_at_once(window, channels, size, limits)))
    for some in images:
        indices = bag_indices(window, size, some.stop - some.start, parts)
        found.append(tuple((place_of((some, part), (batch, *sites)), index) for part, index in indices))
    return images, tuple(found)


def groups(batch: int, most: int) -> Iterator[slice]:
    """Share the images of a batch out to groups."""
    return starmap(slice, shares(batch, -(-batch // most)))


def tables(x: Tensor, dtype: torch.dtype, groups: Iterable[slice]) -> Iterator[tuple[slice, Tensor]]:
    """Yield groups of images with their cells, (images * cells, C) in ``dtype``: x if it lies so, else a copy."""
    cells, channels, sites = math.prod(x.shape[2:]), x.shape[1], by_site(x)
    if sites.is_contiguous() and x.dtype == dtype:
        whole = sites.reshape(-1).view(-1, channels)  # one channel may have any stride, which embedding_bag minds
        for images in groups:
            yield images, whole[images.start * cells : images.stop * cells]
        return
    for images in groups:
        count = images.stop - images.start
        with scratch((count * cells, channels), dtype, x.device) as table:
            write_by_site(table, x[images])
            yield images, table


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
