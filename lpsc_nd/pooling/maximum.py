"""The maximum over each region: find the largest cell without a graph, then take it by one differentiable gather."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from lpsc_nd.pooling.constants import Cell, bag_cells
from lpsc_nd.pooling.reference import mix
from lpsc_nd.pooling.window import Window


def pool(x: Tensor, window: Window) -> Tensor:
    """Take the maximum of every bag at every output site: (B, C, *in) -> (B, C, bags, *out); 0 for an empty bag.

    Padded zeros take part, as they do in the mean. Of equal cells the first, row-major, gets the whole gradient.
    """
    padded = F.pad(x, [count for pair in reversed(window.padding) for count in pair])
    flat = padded.flatten(2)
    sites = window.output_size(x.shape[2:])
    position = torch.arange(flat.shape[-1], device=x.device).view(padded.shape[2:])
    pooled = []
    for cells in bag_cells(window.stencil.token, window.center):
        if not cells:
            pooled.append(x.new_zeros((*x.shape[:2], *sites)))
        else:
            best = _argmax(padded.detach(), position, window, cells)
            pooled.append(flat.gather(2, best.flatten(2)).unflatten(2, sites))
    return torch.stack(pooled, dim=2)


def conv(x: Tensor, weight: Tensor, bias: Tensor | None, window: Window, groups: int) -> Tensor:
    """Mix the maxima: (B, C, *in), (C', C / groups, bags) -> (B, C', *out)."""
    return mix(pool(x, window), weight, bias, groups)


def _argmax(padded: Tensor, position: Tensor, window: Window, cells: Sequence[Cell]) -> Tensor:
    """Return the flat position of the largest of some cells at every site: (B, C, *out); NaN counts as largest."""
    where = [_sites(window, cell, padded.shape[2:]) for cell in cells]
    best = padded[where[0]].clone()
    index = position[where[0][2:]].expand_as(best).clone()
    for view in where[1:]:
        value = padded[view]
        larger = (value > best) | (value.isnan() & ~best.isnan())
        best = torch.where(larger, value, best)
        index = torch.where(larger, position[view[2:]], index)
    return index


def _sites(window: Window, cell: Cell, padded_size: tuple[int, ...]) -> tuple[slice, ...]:
    """Return the index of (B, C, *padded) that picks where ``cell`` of the window lies at each output site."""
    starts = [c * d for c, d in zip(cell, window.dilation, strict=True)]
    sizes = zip(starts, padded_size, window.extent, window.stride, strict=True)
    every = slice(None)
    return (every, every, *(slice(start, start + n - e + 1, step) for start, n, e, step in sizes))
