"""Mixing before pooling, where there are fewer output than input channels.

Both are linear, so they commute: y[s] = sum_p (W_b x)[p] over the cells p of the window around s, b being the bag that
holds p. The bag sums then have C' channels instead of C, and the product is made at every cell instead of every site.
"""

from __future__ import annotations

import math
from functools import partial

from torch import Tensor

from lpsc_nd.pooling.gpu_sizes import times_larger
from lpsc_nd.pooling.layout import by_site, empty_sites
from lpsc_nd.pooling.product import product
from lpsc_nd.pooling.table import places, spread_size
from lpsc_nd.pooling.transposed import summed_tiles
from lpsc_nd.pooling.window import Window

BLOCK_ELEMENTS = 2**19
"""Elements of a mixed block, which is in cache when it is copied into the table."""


def conv(x: Tensor, weight: Tensor, bias: Tensor | None, window: Window, steps: tuple[int, ...]) -> Tensor:
    """Mix and pool: (B, C, *in), (C', C, bags) in the compute type -> (B, C', *out) in the type of ``x``.

    Args:
        x: the input.
        weight: the bags' weights.
        bias: (C',), or None.
        window: how the stencil slides over x.
        steps: distance at which the cells of x are put, with zeros between them.
    """
    channels, size = weight.shape[0], tuple(x.shape[2:])
    y = empty_sites(x, channels, window.output_size(spread_size(size, steps)))
    matrix, sites = weight.permute(2, 0, 1).flatten(0, 1).contiguous(), by_site(y)  # (bags * C', C)
    fill = partial(_fill, x, matrix, steps)
    for step, sums in summed_tiles(fill, x.shape[0], channels, size, window, steps, weight.dtype, x.device):
        target = sites[step.place.box]
        target.copy_((sums if bias is None else sums.add_(bias)).view(target.shape))
        del sums
    return y


def _fill(
    x: Tensor, matrix: Tensor, steps: tuple[int, ...], table: Tensor, first_image: int, starts: list[int]
) -> None:
    """Write the mixed cells of some images into a slab's table, some rows at a time."""
    cells, target = places(table, x.shape[2:], starts, steps)
    if target.shape != table.shape:
        table.zero_()
    source = x[(slice(first_image, first_image + table.shape[0]), slice(None), *cells)]
    rows = max(1, times_larger(x.device) * BLOCK_ELEMENTS // max(1, math.prod(target.shape[2:])))
    for image, place in zip(source, target, strict=True):
        for block, goal in zip(image.split(rows, dim=1), place.split(rows), strict=True):
            goal.copy_(product(by_cell(block).to(matrix.dtype), matrix).view(goal.shape))


def by_cell(block: Tensor) -> Tensor:
    """Return (C, *size) as (cells, C)."""
    return block.movedim(0, -1).flatten(0, -2)
