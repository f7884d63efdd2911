"""The definition: gather every cell, add it to its bag, mix the bags. Any dimension, grids and points, no tricks.

Every faster engine is tested against this one. Gradients of any order are PyTorch's own.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from lpsc_nd.geometry import Reduction
from lpsc_nd.geometry._types import IntArray
from lpsc_nd.pooling.window import Window


def pool_index(x: Tensor, indptr: IntArray, indices: IntArray, reduction: Reduction) -> Tensor:
    """Pool the last axis of ``x`` over bags of positions.

    Args:
        x: values (..., S).
        indptr: (bags + 1,); bag b holds ``indices[indptr[b]:indptr[b + 1]]``.
        indices: positions in 0..S-1.
        reduction: "max", or "sum" (also for the mean, whose divisor is not this function's business).

    Returns:
        Tensor (..., bags); 0 for an empty bag.
    """
    num_bags = len(indptr) - 1
    bag = torch.from_numpy(np.repeat(np.arange(num_bags), np.diff(indptr))).to(x.device)
    gathered = x.index_select(-1, torch.from_numpy(indices).to(x.device))  # (..., entries)
    pooled = x.new_zeros((*x.shape[:-1], num_bags))
    if reduction == "max":
        return pooled.scatter_reduce(-1, bag.expand_as(gathered), gathered, "amax", include_self=False)
    return pooled.index_add(-1, bag, gathered)


def pool(x: Tensor, window: Window, reduction: Reduction = "sum") -> Tensor:
    """Pool every bag at every output site: (B, C, *in) -> (B, C, bags, *out)."""
    padded = F.pad(x, [count for pair in reversed(window.padding) for count in pair])
    indptr, indices = grid_bags(window, padded.shape[2:])
    sites = window.output_size(x.shape[2:])
    pooled = pool_index(padded.flatten(2), indptr, indices, reduction)
    return pooled.unflatten(-1, (window.num_bags, *sites))


def conv(
    x: Tensor, weight: Tensor, bias: Tensor | None, window: Window, groups: int, reduction: Reduction = "sum"
) -> Tensor:
    """Pool, then mix: (B, C, *in), (C', C / groups, bags) -> (B, C', *out)."""
    return mix(pool(x, window, reduction), weight, bias, groups)


def mix(pooled: Tensor, weight: Tensor, bias: Tensor | None, groups: int) -> Tensor:
    """Weigh and add pooled bags: (B, C, bags, *out), (C', C / groups, bags) -> (B, C', *out)."""
    grouped = pooled.unflatten(1, (groups, -1))  # (B, G, C / G, bags, *out)
    y = torch.einsum("bgcr...,gocr->bgo...", grouped, weight.unflatten(0, (groups, -1))).flatten(1, 2)
    return y if bias is None else y + bias.reshape(-1, *(1,) * (pooled.ndim - 3))


def grid_bags(window: Window, padded_size: tuple[int, ...]) -> tuple[IntArray, IntArray]:
    """List, for each bag and output site (bags first), the flat positions of a padded grid that it sums."""
    sizes = zip(padded_size, window.extent, window.stride, strict=True)
    axes = [np.arange(0, n - e + 1, s) for n, e, s in sizes]
    corner = np.ravel_multi_index(np.meshgrid(*axes, indexing="ij"), padded_size).ravel()  # (sites,)
    indptr, cells = window.stencil.bags(center=window.center)
    coordinates = np.unravel_index(cells, window.stencil.kernel_size)
    steps = [c * d for c, d in zip(coordinates, window.dilation, strict=True)]
    shift = np.ravel_multi_index(tuple(steps), padded_size)  # (entries of one site,)
    counts = np.repeat(np.diff(indptr), len(corner))
    per_bag = [(corner[:, None] + shift[start:stop]).ravel() for start, stop in pairwise(indptr)]
    indices = np.concatenate([np.zeros(0, dtype=np.int64), *per_bag])
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), indices.astype(np.int64)
