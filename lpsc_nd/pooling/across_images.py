"""The bag engine for few input channels and many small images: rows of its table run across the images.

A row of three channels takes as long to sum as one of sixteen. Here a row holds one cell of one channel in all images
of a group and fills the vectors, and the bags are ordered so that their sums are the operand of the product as they
lie: (C', C * bags) @ (C * bags, sites * images). Images, outermost in x and y, are brought innermost and back by
transposing a plain matrix.

The input gradient mixes first, at the sites: (C * bags, C') @ (C', sites * images). A cell then is the sum of the rows
of all bags that it is in. No zeros are put between the sites of a strided layer.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import starmap

import torch
from torch import Tensor

from lpsc_nd.pooling.across_index import adjoint_index, bag_index, fewest_rows
from lpsc_nd.pooling.layout import by_site, empty_sites, memory_format, transpose_into, transposed
from lpsc_nd.pooling.product import product
from lpsc_nd.pooling.scratch import scratch
from lpsc_nd.pooling.slabs import shares
from lpsc_nd.pooling.table import compute_dtype, double
from lpsc_nd.pooling.transposed import sum_bags
from lpsc_nd.pooling.window import Window

MOST_IMAGES = 256
"""Images of a group above which nothing is gained."""

GROUP_ELEMENTS = 2**20
"""Elements of a group's pooled matrix: four MiB in float32."""


TABLE_ELEMENTS = 2**21
"""Elements of a group's table of padded cells, each doubling of which adds as many."""


def images_at_once(window: Window, in_channels: int, size: tuple[int, ...]) -> int:
    """Return how many images can stand in a row, so that the pooled matrix of all their sites stays in cache."""
    pooled = window.num_bags * in_channels * math.prod(window.output_size(size))
    tabled = in_channels * math.prod(window.padded_size(size))
    return min(MOST_IMAGES, GROUP_ELEMENTS // max(1, pooled), TABLE_ELEMENTS // max(1, tabled))


def conv(x: Tensor, weight: Tensor, bias: Tensor | None, window: Window) -> Tensor:
    """Pool and mix: (B, C, *in), (C', C, bags) in the compute type -> (B, C', *out) in the type of ``x``."""
    matrix = weight.flatten(1)
    y = empty_sites(x, len(weight), window.output_size(x.shape[2:]))
    for images in groups(x, window):
        store(y[images], pooled_sites(x[images], window), matrix, bias)
    return y


def weight_grad(x: Tensor, gy: Tensor, window: Window) -> Tensor:
    """Return the sum over sites of gy times the pooled input: (C', C, bags), in the compute type."""
    dtype, rows = compute_dtype(x.dtype), x.shape[1] * window.num_bags
    total = torch.zeros((rows, gy.shape[1]), dtype=dtype, device=x.device)
    for images in groups(x, window):
        total += product(pooled_sites(x[images], window), values(gy[images].to(dtype)))
    return total.T.reshape(gy.shape[1], x.shape[1], window.num_bags)


def input_grad(gy: Tensor, weight: Tensor, window: Window, input_size: tuple[int, ...]) -> Tensor:
    """Carry an output gradient back: (B, C', *out), (C', C, bags) -> (B, C, *in) in the type of ``gy``."""
    channels, matrix = weight.shape[1], weight.flatten(1).T
    gx = torch.empty((len(gy), channels, *input_size), dtype=gy.dtype, device=gy.device)
    index = adjoint_index(window, channels, input_size)
    for images in groups(gx, window):
        mixed = product(matrix, values(gy[images].to(weight.dtype)).T)  # (C * bags, sites * images)
        cells = sum_bags(mixed.view(-1, images.stop - images.start), *index)
        transpose_into(gx[images].view(cells.shape[1], -1), cells)
    return gx.contiguous(memory_format=memory_format(gy))


def groups(x: Tensor, window: Window) -> Iterator[slice]:
    """Share the images of an input out to groups, evenly."""
    number = -(-len(x) // max(1, images_at_once(window, x.shape[1], tuple(x.shape[2:]))))
    return starmap(slice, shares(len(x), number))


def pooled_sites(x: Tensor, window: Window) -> Tensor:
    """Sum every bag of some images: (images, C, *in) -> (C * bags, sites * images), in the compute type."""
    images, channels, *size = x.shape
    padded, doublings = window.padded_size(size), fewest_rows(window, tuple(size))
    rows = channels * math.prod(padded)
    with scratch(((doublings + 1) * rows, images), compute_dtype(x.dtype), x.device) as tables:
        fill(tables[:rows].view(channels, *padded, images), x, window)
        double(tables, rows, doublings, window.dilation[-1])
        pooled = sum_bags(tables, *bag_index(window, channels, tuple(size), doublings))
    return pooled.view(channels * window.num_bags, -1)


def fill(table: Tensor, x: Tensor, window: Window) -> None:
    """Write (images, C, *in) into (C, *padded, images), zeros around; negative padding leaves cells out."""
    cells, place = innermost(x.to(table.dtype)), table
    for axis, (n, (before, _)) in enumerate(zip(x.shape[2:], window.padding, strict=True), start=1):
        first, start = max(0, -before), max(0, before)
        count = min(n - first, table.shape[axis] - start)
        cells, place = cells.narrow(axis, first, count), place.narrow(axis, start, count)
    if place.shape != table.shape:
        table.zero_()
    place.copy_(cells)


def innermost(x: Tensor) -> Tensor:
    """Return (images, C, *size) as (C, *size, images), the images of a cell next to each other in memory."""
    if memory_format(x) == torch.contiguous_format:
        return transposed(x.reshape(len(x), -1)).view(*x.shape[1:], len(x))
    sites = by_site(x)
    return transposed(sites.reshape(len(x), -1)).view(*sites.shape[1:], len(x)).movedim(-2, 0)


def values(gy: Tensor) -> Tensor:
    """Return (images, C', *out) as (C', sites * images), a matrix that may be transposed in memory."""
    if memory_format(gy) == torch.contiguous_format:
        return innermost(gy).flatten(1)
    sites = by_site(gy).flatten(1, -2)  # (images, sites, C')
    return sites.transpose(0, 1).reshape(-1, gy.shape[1]).T


def store(y: Tensor, pooled: Tensor, matrix: Tensor, bias: Tensor | None) -> None:
    """Write pooled sites (C * bags, sites * images) times the weights, plus bias, into (images, C', *out)."""
    if memory_format(y) == torch.contiguous_format:
        mixed = product(matrix, pooled.T)  # (C', sites * images)
        mixed = mixed if bias is None else mixed.add_(bias[:, None])
        transpose_into(y.view(len(y), -1), mixed.view(-1, len(y)))
    else:
        sites = by_site(y)
        mixed = product(transposed(pooled), matrix, bias)  # (sites * images, C')
        sites.copy_(mixed.view(*sites.shape[1:-1], len(y), -1).movedim(-2, 0))
