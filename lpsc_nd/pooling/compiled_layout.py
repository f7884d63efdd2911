"""How compiled kernels want their operands to lie: in whole vectors, their values in memory as they are."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from lpsc_nd.native.library import kernels

KERNELS = kernels()
"""What was compiled for this processor, if anything."""


def lanes_of(dtype: torch.dtype) -> int:
    """Return how many values a vector has; 1 without kernels."""
    return 1 if KERNELS is None else KERNELS.lanes(dtype)


def filled(channels: int, lanes: int) -> int:
    """Return so many channels in whole vectors."""
    return -(-channels // lanes) * lanes


def by_bag(weight: Tensor, order: tuple[int, int, int]) -> Tensor:
    """Lay weights out as (bags, depth, columns), the columns in whole vectors; ``order`` permutes them so."""
    return fill_vectors(plain_memory(weight).permute(order)).contiguous()


def by_block(weight: Tensor) -> Tensor:
    """Lay depthwise weights (C, 1, bags) out as (blocks, bags, lanes)."""
    rows = fill_vectors(plain_memory(weight)[:, 0].T)  # (bags, C)
    return rows.unflatten(1, (-1, lanes_of(weight.dtype))).transpose(0, 1).contiguous()


def bias_vectors(bias: Tensor | None) -> Tensor | None:
    """Return a bias in whole vectors."""
    return None if bias is None else fill_vectors(plain_memory(bias)).contiguous()


def fill_vectors(values: Tensor) -> Tensor:
    """Append zeros to the last axis, up to whole vectors."""
    missing = -values.shape[-1] % lanes_of(values.dtype)
    return functional.pad(values, (0, missing)) if missing else values


def plain_memory(tensor: Tensor) -> Tensor:
    """Return a tensor whose values are those in its memory, and not, as PyTorch may have them, negated or all zero."""
    return tensor.clone() if tensor.is_neg() or tensor._is_zerotensor() else tensor
