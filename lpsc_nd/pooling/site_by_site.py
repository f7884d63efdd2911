"""The bag engine on maps smaller than the window: at each site only the bags that hold a cell of the map are mixed.

On a map of 4 x 4 cells more than a third of a 9 x 9 window's bags hold none, over all sites. Here a site's sums are a
matrix of their own, (images, bags that hold a cell * C), and are multiplied with these bags' weights alone, by runs of
neighbouring bags. The input gradient mixes first, at the sites, into matrices of the same kind.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise, starmap

import numpy as np
import torch
from torch import Tensor

from lpsc_nd.pooling.layout import by_site, empty_sites, read_sites_first, write_sites_first
from lpsc_nd.pooling.mixing import Mixing
from lpsc_nd.pooling.pairs import Index, gather, pairs, to_index
from lpsc_nd.pooling.product import add_product, write_product
from lpsc_nd.pooling.slabs import shares
from lpsc_nd.pooling.table import compute_dtype
from lpsc_nd.pooling.transposed import sum_bags
from lpsc_nd.pooling.whole_images import tables
from lpsc_nd.pooling.window import Window

Run = tuple[int, int]
"""First bag of a run of bags, and the bag after the last."""

POOLED_ELEMENTS = 2**20
"""Elements of a pooled matrix: four MiB in float32."""


@lru_cache(maxsize=256)
def runs_of_bags(window: Window, size: tuple[int, ...]) -> tuple[tuple[Run, ...], ...]:
    """Return for every site, row-major, the runs of bags that hold a cell of an image of ``size``."""
    listed = pairs(window, size)
    held = np.zeros((np.prod(window.output_size(size), dtype=int), window.num_bags + 2), dtype=bool)
    held[listed.sites, listed.bags + 1] = True  # with an empty bag on both sides
    changes = (np.flatnonzero(site).tolist() for site in held[:, 1:] != held[:, :-1])
    return tuple(tuple(zip(site[::2], site[1::2], strict=True)) for site in changes)


def held_bags(window: Window, size: tuple[int, ...]) -> list[int]:
    """Return how many bags hold a cell, for every site."""
    return [sum(stop - start for start, stop in site) for site in runs_of_bags(window, size)]


def conv(x: Tensor, weight: Tensor, bias: Tensor | None, window: Window) -> Tensor:
    """Pool and mix: (B, C, *in), (C', C, bags) in the compute type -> (B, C', *out) in the type of ``x``."""
    filters, channels, bags = weight.shape
    y = empty_sites(x, filters, window.output_size(x.shape[2:]))
    matrix = Mixing(filters, channels, bags, groups=1).to_matrix(weight)[0]  # (C', bags * C)
    for images, pooled in pooled_sites(x, window):
        mixed = pooled.new_zeros((y.shape[2:].numel(), images.stop - images.start, filters))
        if bias is not None:
            mixed.copy_(bias)
        for site, block, run in blocks(pooled, window, tuple(x.shape[2:]), channels):
            add_product(mixed[site], block, matrix[:, run])
            del block
        read_sites_first(y[images], mixed.flatten(1))
        del pooled  # and every block of it: the next one then lies in the same memory, which is in cache
    return y


def weight_grad(x: Tensor, gy: Tensor, window: Window) -> Tensor:
    """Return the sum over sites of gy times the pooled input: (C', C, bags), in the compute type."""
    mixing = Mixing(gy.shape[1], x.shape[1], window.num_bags, groups=1)
    columns = window.num_bags * x.shape[1]
    total = torch.zeros((1, gy.shape[1], columns), dtype=compute_dtype(x.dtype), device=x.device)
    for images, pooled in pooled_sites(x, window):
        values = sites_first(gy[images], total.dtype)
        for site, block, run in blocks(pooled, window, tuple(x.shape[2:]), x.shape[1]):
            add_product(total[0, :, run], values[site].T, block.T)
            del block
        del pooled
    return mixing.to_weight(total)


def input_grad(gy: Tensor, weight: Tensor, window: Window, input_size: tuple[int, ...]) -> Tensor:
    """Carry an output gradient back: (B, C', *out), (C', C, bags) -> (B, C, *in) in the type of ``gy``."""
    filters, channels, bags = weight.shape
    gx = empty_sites(gy, channels, input_size)
    matrix = Mixing(filters, channels, bags, groups=1).to_matrix(weight)[0]
    for images in groups(len(gy), window, channels, input_size):
        count = images.stop - images.start
        values = sites_first(gy[images], weight.dtype)
        mixed = values.new_empty((count * sum(held_bags(window, input_size)), channels))
        for site, block, run in blocks(mixed, window, input_size, channels):
            write_product(block, values[site], matrix[:, run].T)
        target = by_site(gx)[images]
        target.copy_(sum_bags(mixed, *adjoint_index(window, input_size, count)).view(target.shape))
        del mixed
    return gx


def pooled_sites(x: Tensor, window: Window) -> Iterator[tuple[slice, Tensor]]:
    """Yield some images with the sums of all bags that hold a cell, (sums, C): site by site, image by image."""
    channels, size = x.shape[1], tuple(x.shape[2:])
    for images, table in tables(x, compute_dtype(x.dtype), groups(len(x), window, channels, size)):
        yield images, sum_bags(table, *bag_index(window, size, images.stop - images.start))


def blocks(sums: Tensor, window: Window, size: tuple[int, ...], channels: int) -> Iterator[tuple[int, Tensor, slice]]:
    """Yield each site, its sums of a run of bags, (images, bags of the run * C), and the run's columns of all bags."""
    held = held_bags(window, size)
    images = len(sums) // max(1, sum(held))
    for site, (block, runs) in enumerate(
        zip(sums.split([images * bags for bags in held]), runs_of_bags(window, size), strict=True)
    ):
        first = 0
        for start, stop in runs:
            last = first + (stop - start) * channels
            yield site, block.view(images, -1)[:, first:last], slice(start * channels, stop * channels)
            first = last


def groups(batch: int, window: Window, channels: int, size: tuple[int, ...]) -> Iterator[slice]:
    """Share the images of a batch out to groups."""
    most = max(1, POOLED_ELEMENTS // max(1, sum(held_bags(window, size)) * channels))
    return starmap(slice, shares(batch, -(-batch // most)))


def sites_first(x: Tensor, dtype: torch.dtype) -> Tensor:
    """Return (images, C, *size) as (sites, images, C) in ``dtype``, contiguous."""
    table = x.new_empty((x.shape[2:].numel(), *x.shape[:2]), dtype=dtype)
    write_sites_first(table.flatten(1), x)
    return table


@lru_cache(maxsize=32)
def bag_index(window: Window, size: tuple[int, ...], images: int) -> Index:
    """Return what the bags that hold a cell read of a table (images, *size): site by site, image by image."""
    listed, cells = pairs(window, size), int(np.prod(size))
    borders = np.searchsorted(listed.sites, np.arange(len(runs_of_bags(window, size)) + 1))
    read, counts = [], []
    for start, stop in pairwise(borders):
        read.append((np.arange(images)[:, None] * cells + listed.cells[start:stop]).ravel())
        counts.append(np.tile(np.unique(listed.bags[start:stop], return_counts=True)[1], images))
    return to_index(np.concatenate(read), np.concatenate(counts))


@lru_cache(maxsize=32)
def adjoint_index(window: Window, size: tuple[int, ...], images: int) -> Index:
    """Return which sums of :func:`pooled_sites` the cells (images, *size) are in."""
    listed, cells = pairs(window, size), int(np.prod(size))
    held = np.asarray(held_bags(window, size))
    rank = np.unique(listed.sites * window.num_bags + listed.bags, return_inverse=True)[1]  # among all sums of an image
    before = np.append(0, np.cumsum(held))[listed.sites]
    image = np.arange(images)[:, None]
    sums = before * images + image * held[listed.sites] + (rank - before)
    return gather((image * cells + listed.cells).ravel(), sums.ravel(), images * cells, 1, 0)
