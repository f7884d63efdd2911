"""The bag engine where every input channel is a group of its own.

A pooled sum then serves one output channel only, so pooling first saves nothing, and PyTorch's dense depthwise
convolution is the faster way: in the default layout for narrow kernels, channels last from a width of 15 on, where the
default layout's takes tenfold and more. The weight gradient is another matter: it has one number per region instead of
one per cell, and stays with the bag sums.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from lpsc_nd.pooling.expand import CONVOLUTIONS, dense_kernel
from lpsc_nd.pooling.table import fill_table, memory_format, spread_size
from lpsc_nd.pooling.window import Window

NARROW = 14
"""Widest kernel for which PyTorch's default layout is the fast one."""


def suits(window: Window, in_channels: int, groups: int) -> bool:
    """Tell whether a convolution is depthwise, and of a dimension that PyTorch's convolution has."""
    return groups == in_channels > 1 and window.ndim in CONVOLUTIONS


def conv(x: Tensor, weight: Tensor, bias: Tensor | None, window: Window, steps: tuple[int, ...]) -> Tensor:
    """Convolve each channel by itself: (B, C, *in) -> (B, C', *out), in the type and memory format of ``x``.

    Args:
        x: the input.
        weight: (C', 1, bags), in the compute type.
        bias: (C',), or None.
        window: how the stencil slides over x.
        steps: distance at which the cells of x are put, with zeros between them.
    """
    kernel, groups = dense_kernel(weight, window), x.shape[1]
    if max(window.stencil.kernel_size) <= NARROW and all(step == 1 for step in steps):
        padded = F.pad(x.to(weight.dtype), [count for pair in reversed(window.padding) for count in pair])
        y = CONVOLUTIONS[window.ndim](padded.contiguous(), kernel, bias, window.stride, 0, window.dilation, groups)
        return y.to(x.dtype).contiguous(memory_format=memory_format(x))
    return _channels_last_conv(x, kernel, bias, window, steps)


def _channels_last_conv(
    x: Tensor, kernel: Tensor, bias: Tensor | None, window: Window, steps: tuple[int, ...]
) -> Tensor:
    """Convolve image by image through one padded channels-last table."""
    size, channels = spread_size(x.shape[2:], steps), x.shape[1]
    table = torch.empty((1, *window.padded_size(size), channels), dtype=kernel.dtype, device=x.device)
    starts = [before for before, _ in window.padding]
    y = torch.empty((x.shape[0], kernel.shape[0], *window.output_size(size)), dtype=x.dtype, device=x.device)
    y = y.contiguous(memory_format=memory_format(x))
    for image, target in zip(x, y, strict=True):
        fill_table(table, image[None], starts, steps)
        target.copy_(_dense(table.movedim(-1, 1), kernel, bias, window, channels)[0])
    return y


def _dense(x: Tensor, kernel: Tensor, bias: Tensor | None, window: Window, groups: int) -> Tensor:
    """Convolve a channels-last image; a line as a plane of one row, as lines have no channels-last format."""
    if window.ndim > 1:
        return CONVOLUTIONS[window.ndim](x, kernel, bias, window.stride, 0, window.dilation, groups)
    stride, dilation = (1, *window.stride), (1, *window.dilation)
    return CONVOLUTIONS[2](x[:, :, None], kernel[:, :, None], bias, stride, 0, dilation, groups)[:, :, 0]
