"""The dense kernel that a window's weights amount to: every bag's weight written on its cells."""

from __future__ import annotations

import torch
from torch import Tensor

from lpsc_nd.geometry import Reduction
from lpsc_nd.pooling.constants import bag_taps
from lpsc_nd.pooling.table import compute_dtype
from lpsc_nd.pooling.window import Window


def dense_kernel(weight: Tensor, window: Window, reduction: Reduction = "sum") -> Tensor:
    """Write every bag's weight on its cells: (C', C / groups, bags) -> (C', C / groups, *kernel_size)."""
    taps = bag_taps(window.stencil, window.center, reduction, weight)  # (bags, cells)
    kernel = torch.mm(weight.flatten(0, 1), taps)
    return kernel.view(*weight.shape[:2], *window.stencil.kernel_size)


def layer_kernel(weight: Tensor, center_weight: Tensor | None, window: Window, reduction: Reduction) -> Tensor:
    """Return the dense kernel of a layer's own weights, in the type of accumulation."""
    bags = weight if center_weight is None else torch.cat([weight, center_weight.unsqueeze(-1)], dim=-1)
    wide = compute_dtype(bags.dtype)
    return dense_kernel(bags if bags.dtype == wide else bags.to(wide), window, reduction)
