"""Regions written out as a dense kernel for PyTorch's own convolution: for export, and for few channels."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from lpsc_nd.pooling.constants import bag_taps
from lpsc_nd.pooling.window import Window

CONVOLUTIONS: dict[int, Callable[..., Tensor]] = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}


def dense_kernel(weight: Tensor, window: Window) -> Tensor:
    """Write every bag's weight on its cells: (C', C / groups, bags) -> (C', C / groups, *kernel_size)."""
    taps = bag_taps(window.stencil, window.center, weight)  # (bags, cells)
    return (weight @ taps).unflatten(-1, window.stencil.kernel_size)


def conv(x: Tensor, weight: Tensor, bias: Tensor | None, window: Window, groups: int) -> Tensor:
    """Convolve densely: (B, C, *in), (C', C / groups, bags) -> (B, C', *out), for one to three axes."""
    kernel = dense_kernel(weight, window).to(x.dtype)
    x, padding = symmetric(x, window)
    bias = None if bias is None else bias.to(x.dtype)
    return CONVOLUTIONS[window.ndim](x, kernel, bias, window.stride, padding, window.dilation, groups)


def pool(x: Tensor, window: Window) -> Tensor:
    """Sum every bag at every output site by one-hot kernels: (B, C, *in) -> (B, C, bags, *out)."""
    one_hot = torch.eye(window.num_bags, dtype=x.dtype, device=x.device).unsqueeze(1)  # (bags, 1, bags)
    pooled = conv(x.flatten(0, 1).unsqueeze(1), one_hot, None, window, 1)
    return pooled.unflatten(0, x.shape[:2])


def symmetric(x: Tensor, window: Window) -> tuple[Tensor, tuple[int, ...]]:
    """Leave padding that is equal on both sides to the convolution, and add any other now."""
    if all(before == after for before, after in window.padding):
        return x, tuple(before for before, _ in window.padding)
    return F.pad(x, [count for pair in reversed(window.padding) for count in pair]), (0,) * window.ndim
