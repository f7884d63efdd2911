"""The bag engine for narrow layers and several images: a row of its table holds one cell of some images, all channels.

A row of 16 channels can take as long to sum as one of 32. Here the images of a group stand beside each other in the
row, and the index is that of one image. The sums lie bag by bag, (bags, sites, images, C), and are mixed as they lie by
PyTorch's convolution with a kernel of bags by one, which adds up the products of all bags, (sites * images, C) @
(C, C'). The weight gradient is a product for each bag. The input gradient pools the output gradient with the reflected
window; the stride is 1 there.

Several threads have a lane each, some of the sites with all their bags: neither the convolution of one picture of one
row nor bags of very different sizes are shared out evenly.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache, partial
from itertools import starmap
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from lpsc_nd.pooling.decided import WithWeights
from lpsc_nd.pooling.folding import exchanged
from lpsc_nd.pooling.layout import empty_sites, read_sites_first, write_sites_first
from lpsc_nd.pooling.pairs import Index, pairs, to_index
from lpsc_nd.pooling.scratch import scratch
from lpsc_nd.pooling.slabs import shares
from lpsc_nd.pooling.table import compute_dtype
from lpsc_nd.pooling.threads import equal_parts
from lpsc_nd.pooling.transposed import sum_bags
from lpsc_nd.pooling.whole_images import parts_of, pooled_elements
from lpsc_nd.pooling.window import Window

ROW_ELEMENTS = 128
"""Elements of a row: 512 bytes in float32."""

POOLED_ELEMENTS = 2**21
"""Elements of a pooled matrix: eight MiB in float32, as the convolution gains more from length than from caches."""

Place = tuple[slice, slice, slice]
"""Images, channels and sites, row-major."""


Part = tuple[slice, int, Index]
"""Sites, lanes that share them equally, and the gather index of the bags (lanes, bags, sites / lanes)."""


class Division(NamedTuple):
    """How a call is cut, and what is read.

    Args:
        sites: output size per axis.
        groups: images that stand side by side, group by group.
        parts: sites of an image, row-major, part by part, with the number of lanes and the gather index of their bags.
    """

    sites: tuple[int, ...]
    groups: tuple[slice, ...]
    parts: tuple[Part, ...]

    @property
    def is_undivided(self) -> bool:
        """Whether all sites of all images are one part."""
        return len(self.groups) == len(self.parts) == 1


def images_at_once(batch: int, channels: int) -> int:
    """Return how many images stand in a row at the most, so that all groups are about equal."""
    most = max(1, ROW_ELEMENTS // max(1, channels))
    return -(-batch // max(1, -(-batch // most)))


def conv(x: Tensor, weight: Tensor, bias: Tensor | None, window: Window) -> Tensor:
    """Pool and mix: (B, C, *in), (C', C, bags) in the compute type -> (B, C', *out) in the type of ``x``."""
    return with_weights(x, weight, window)(x, bias)


def with_weights(x: Tensor, weight: Tensor, window: Window) -> WithWeights:
    """Return :func:`conv` for inputs of the kind of ``x`` and these weights, with all else looked up before."""
    division = division_of(x, window)
    kernel = weight.unsqueeze(-1).contiguous(memory_format=torch.channels_last)  # as the convolution reads it
    if not division.is_undivided:
        return partial(_conv_in_parts, kernel, window, division)
    (images, channels, *size), ((_, lanes, index),) = x.shape, division.parts
    table_shape = (math.prod(size), images * channels)
    sums_shape = (lanes, window.num_bags, -1, channels)

    def run(x: Tensor, bias: Tensor | None) -> Tensor:
        y = empty_sites(x, kernel.shape[0], division.sites)
        with scratch(table_shape, kernel.dtype, x.device) as table:
            write_sites_first(table, x)
            sums = sum_bags(table, *index)
        store(y, sums.view(sums_shape).permute(0, 3, 1, 2), kernel, bias)
        return y

    return run


def _conv_in_parts(kernel: Tensor, window: Window, division: Division, x: Tensor, bias: Tensor | None) -> Tensor:
    y = empty_sites(x, kernel.shape[0], division.sites)
    for place, pooled in pooled_parts(x, window, division):
        store(at(y, place), pooled, kernel, bias)
        del pooled
    return y


def weight_grad(x: Tensor, gy: Tensor, window: Window) -> Tensor:
    """Return the sum over sites of gy times the pooled input: (C', C, bags), in the compute type."""
    total = x.new_zeros((window.num_bags, gy.shape[1], x.shape[1]), dtype=compute_dtype(x.dtype))
    division = division_of(x, window)
    for place, pooled in pooled_parts(x, window, division):
        accumulate(total, pooled, at(gy, place))
        del pooled
    return total.permute(1, 2, 0).contiguous()


def input_grad(gy: Tensor, weight: Tensor, window: Window, input_size: tuple[int, ...]) -> Tensor:
    """Carry an output gradient back with a stride of 1: (B, C', *out), (C', C, bags) -> (B, C, *in)."""
    return conv(gy, exchanged(weight, 1), None, window.adjoint(input_size))


def both_grads(x: Tensor, gy: Tensor, weight: Tensor, window: Window) -> tuple[Tensor, Tensor]:
    """Return input and weight gradient of a stride of 1, from one pooling of the output gradient."""
    adjoint, kernel = window.adjoint(x.shape[2:]), exchanged(weight, 1).unsqueeze(-1)
    division = division_of(gy, adjoint)
    gx = empty_sites(gy, x.shape[1], division.sites)
    total = weight.new_zeros((window.num_bags, x.shape[1], gy.shape[1]))
    for place, pooled in pooled_parts(gy, adjoint, division):
        store(at(gx, place), pooled, kernel, None)
        accumulate(total, pooled, at(x, place))
        del pooled
    return gx, total.permute(2, 1, 0).contiguous()


def pooled_parts(x: Tensor, window: Window, division: Division) -> Iterator[tuple[Place | None, Tensor]]:
    """Yield some sites of some images, None if they are all, with the sums of these sites' bags.

    The sums are (lanes, C, bags, sites / lanes * images), channels last, in the compute type.
    """
    channels, cells, bags = x.shape[1], math.prod(x.shape[2:]), window.num_bags
    for images in division.groups:
        count = images.stop - images.start
        with scratch((cells, count * channels), compute_dtype(x.dtype), x.device) as table:
            write_sites_first(table, x if division.is_undivided else x[images])
            for part, lanes, index in division.parts:
                sums = sum_bags(table, *index)
                place = None if division.is_undivided else (images, slice(None), part)
                yield place, sums.view(lanes, bags, -1, channels).permute(0, 3, 1, 2)
                del sums


def division_of(x: Tensor, window: Window) -> Division:
    """Return how a call with the input (B, C, *in) is cut."""
    return divide(window, *x.shape[:2], tuple(x.shape[2:]), POOLED_ELEMENTS, torch.get_num_threads())


def at(values: Tensor, place: Place | None) -> Tensor:
    """Return the values (images, C, sites) of a place of (B, C, *size), a view; all if there is none."""
    return values if place is None else values.flatten(2)[place]


@lru_cache(maxsize=32)
def divide(window: Window, batch: int, channels: int, size: tuple[int, ...], elements: int, threads: int) -> Division:
    """Share images out to groups, and their sites to parts of at most so many elements of a pooled matrix."""
    together = images_at_once(batch, channels)
    parts = -(-pooled_elements(window, channels * together, size) // max(1, elements))
    groups = starmap(slice, shares(batch, -(-batch // max(1, together))))
    return Division(window.output_size(size), tuple(groups), bag_indices(window, size, parts, threads))


@lru_cache(maxsize=32)
def bag_indices(window: Window, size: tuple[int, ...], parts: int, threads: int) -> tuple[Part, ...]:
    """Cut the rows of sites into about so many parts; return what the bags of their sites read, lane by lane.

    The table that they read has a row for each cell.
    """
    width, bags, found = math.prod(window.output_size(size)[1:]), window.num_bags, []
    for rows in parts_of(window, size, parts):
        listed, part = pairs(window, size, rows), slice(rows.start * width, rows.stop * width)
        lanes = equal_parts(part.stop - part.start, threads)
        sites = (part.stop - part.start) // lanes  # of a lane
        lane, site = np.divmod(listed.sites, sites)
        order = (lane * bags + listed.bags) * sites + site
        counts = np.bincount(order, minlength=lanes * bags * sites)
        found.append((part, lanes, to_index(listed.cells[np.argsort(order, kind="stable")], counts)))
    return tuple(found)


def store(target: Tensor, pooled: Tensor, kernel: Tensor, bias: Tensor | None) -> None:
    """Write the sums of :func:`pooled_parts` times a kernel (C', C, bags, 1), plus bias: (images, C', *sites)."""
    mixed = product(pooled, kernel, bias).permute(0, 2, 3, 1)  # (lanes, 1, sites / lanes * images, C'), as it lies
    read_sites_first(target, mixed.view(-1, target.shape[0] * target.shape[1]))


def product(pooled: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
    """Mix the bags of each site: (lanes, C, bags, n), (C', C, bags, 1) -> (lanes, C', 1, n)."""
    return functional.conv2d(pooled, kernel, bias)


def accumulate(total: Tensor, pooled: Tensor, values: Tensor) -> None:
    """Add the sums of :func:`pooled_parts` times values (images, C', *sites) to ``total`` (bags, C', C)."""
    images, channels = values.shape[:2]
    ordered = pooled.new_empty((values.shape[2:].numel(), images * channels))
    write_sites_first(ordered, values)
    for rows, sums in zip(ordered.view(len(pooled), -1, channels), pooled, strict=True):
        total.baddbmm_(rows.T.expand(total.shape[0], channels, -1), sums.permute(1, 2, 0))
