"""The bag engine for narrow layers and several images: a row of its table holds one cell of some images, all channels.

A row of 16 channels can take as long to sum as one of 32. Here the images of a group stand beside each other in the
row, and the index is that of one image. A site's sums (bags, images, C) are mixed as they lie by PyTorch's convolution
with a kernel of bags by one: it adds up the products of all bags, (images, C) @ (C, C'), and its weight gradient is the
layer's. The input gradient pools the output gradient with the reflected window; the stride is 1 there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import starmap

import torch
from torch import Tensor
from torch.nn import functional

from lpsc_nd.pooling.folding import exchanged
from lpsc_nd.pooling.layout import by_site, empty_sites, write_sites_first
from lpsc_nd.pooling.scratch import scratch
from lpsc_nd.pooling.slabs import shares
from lpsc_nd.pooling.table import compute_dtype
from lpsc_nd.pooling.transposed import sum_bags
from lpsc_nd.pooling.whole_images import bag_indices, pooled_elements
from lpsc_nd.pooling.window import Window

ROW_ELEMENTS = 128
"""Elements of a row: 512 bytes in float32."""

POOLED_ELEMENTS = 2**21
"""Elements of a pooled matrix: eight MiB in float32, as the convolution gains more from length than from caches."""


def images_at_once(batch: int, channels: int) -> int:
    """Return how many images stand in a row at the most, so that all groups are about equal."""
    most = max(1, ROW_ELEMENTS // max(1, channels))
    return -(-batch // max(1, -(-batch // most)))


def conv(x: Tensor, weight: Tensor, bias: Tensor | None, window: Window) -> Tensor:
    """Pool and mix: (B, C, *in), (C', C, bags) in the compute type -> (B, C', *out) in the type of ``x``."""
    y = empty_sites(x, len(weight), window.output_size(x.shape[2:]))
    for images, part, pooled in pooled_parts(x, window):
        store(y[images], part, pooled, weight, bias)
        del pooled
    return y


def weight_grad(x: Tensor, gy: Tensor, window: Window) -> Tensor:
    """Return the sum over sites of gy times the pooled input: (C', C, bags), in the compute type."""
    total = torch.zeros((gy.shape[1], x.shape[1], window.num_bags), dtype=compute_dtype(x.dtype), device=x.device)
    for images, part, pooled in pooled_parts(x, window):
        total += slope(pooled, gy[images], part, total)
        del pooled
    return total


def input_grad(gy: Tensor, weight: Tensor, window: Window, input_size: tuple[int, ...]) -> Tensor:
    """Carry an output gradient back with a stride of 1: (B, C', *out), (C', C, bags) -> (B, C, *in)."""
    return conv(gy, exchanged(weight, 1), None, window.adjoint(input_size))


def both_grads(x: Tensor, gy: Tensor, weight: Tensor, window: Window) -> tuple[Tensor, Tensor]:
    """Return input and weight gradient of a stride of 1, from one pooling of the output gradient."""
    gx = empty_sites(gy, x.shape[1], tuple(x.shape[2:]))
    swapped = exchanged(weight, 1)
    total = torch.zeros_like(swapped)
    for images, part, pooled in pooled_parts(gy, window.adjoint(x.shape[2:])):
        store(gx[images], part, pooled, swapped, None)
        total += slope(pooled, x[images], part, total)
        del pooled
    return gx, exchanged(total, 1).contiguous()


def pooled_parts(x: Tensor, window: Window) -> Iterator[tuple[slice, slice, Tensor]]:
    """Yield some images, and rows of their sites, with the sums of these sites' bags: (sites, C, bags, images).

    They lie in memory as (sites, bags, images, C), in the compute type.
    """
    channels, size = x.shape[1], tuple(x.shape[2:])
    together = images_at_once(len(x), channels)
    parts = -(-pooled_elements(window, channels * together, size) // max(1, POOLED_ELEMENTS))
    for images in starmap(slice, shares(len(x), -(-len(x) // max(1, together)))):
        count = images.stop - images.start
        with innermost(x[images], compute_dtype(x.dtype)) as table:
            for part, index in bag_indices(window, size, 1, parts):
                sums = sum_bags(table.flatten(1), *index).view(-1, window.num_bags, count, channels)
                yield images, part, sums.permute(0, 3, 1, 2)
                del sums


@contextmanager
def innermost(x: Tensor, dtype: torch.dtype) -> Iterator[Tensor]:
    """Lend (images, C, *size) as (cells, images, C) in ``dtype``, contiguous."""
    images, channels = x.shape[:2]
    with scratch((x.shape[2:].numel(), images, channels), dtype, x.device) as table:
        write_sites_first(table, x)
        yield table


def store(y: Tensor, part: slice, pooled: Tensor, weight: Tensor, bias: Tensor | None) -> None:
    """Write pooled sites times the weights, plus bias, to some rows of some images (images, C', *out)."""
    target = by_site(y)[:, part]
    target.copy_(product(pooled, weight, bias).permute(2, 0, 1).reshape(target.shape))


def product(pooled: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Mix the bags of each site: (sites, C, bags, images), (C', C, bags) -> (sites, C', images)."""
    return functional.conv2d(pooled, weight.unsqueeze(-1), bias).squeeze(2)


def slope(pooled: Tensor, values: Tensor, part: slice, total: Tensor) -> Tensor:
    """Return the sum over some sites and images of values (images, C', *out) times pooled: (C', C, bags)."""
    sites = by_site(values)[:, part].flatten(1, -2)  # (images, sites, C')
    rows = sites.transpose(0, 1).to(pooled.dtype).contiguous()  # (sites, images, C'), as a convolution would leave them
    output = rows.permute(0, 2, 1).unsqueeze(2)
    settings = ([1, 1], [0, 0], [1, 1], False, [0, 0], 1, [False, True, False])
    grads = torch.ops.aten.convolution_backward(output, pooled, total.unsqueeze(-1), None, *settings)
    return grads[1].squeeze(-1)
