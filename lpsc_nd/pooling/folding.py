"""The weights that engines multiply sums by: each region's divided by its count, and the centre's beside them."""

from __future__ import annotations

import torch
from torch import Tensor

from lpsc_nd.geometry import Reduction, Stencil
from lpsc_nd.pooling.constants import region_divisors


def fold(
    weight: Tensor, center_weight: Tensor | None, stencil: Stencil, reduction: Reduction, dtype: torch.dtype
) -> Tensor:
    """Divide each region's weight by its count and append the centre's: (C', C / groups, R [+ 1]), in ``dtype``.

    The count is an integer until here, and the division is done in the type of accumulation: 1 / N in half precision
    would be off by 2e-3.
    """
    folded = divide(weight, stencil, reduction, dtype)
    if center_weight is None:
        return folded
    return torch.cat([folded, center_weight.to(dtype).unsqueeze(-1)], dim=-1)


def divide(weight: Tensor, stencil: Stencil, reduction: Reduction, dtype: torch.dtype) -> Tensor:
    """Divide each region's weight by its count, for a mean; in ``dtype``."""
    weight = weight.to(dtype)
    return weight / region_divisors(stencil, reduction, weight) if reduction == "mean" else weight


def exchanged(weight: Tensor, groups: int) -> Tensor:
    """Exchange input and output channels: (C', C / groups, bags) -> (C, C' / groups, bags)."""
    return weight.unflatten(0, (groups, -1)).transpose(1, 2).flatten(0, 1)
