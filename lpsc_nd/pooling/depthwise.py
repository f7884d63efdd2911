"""The bag engine where every input channel is a group of its own.

A pooled sum then serves one output channel only, so pooling first saves nothing, and PyTorch's dense depthwise
convolution is the faster way: channels last from a width of 14 on, where the default layout takes tenfold and more, and
in the default layout just below that, where channels last is the slow one. The weight gradient is another matter: it
has one number per region instead of one per cell, and stays with the bag sums.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from lpsc_nd.pooling.dense_kernel import dense_kernel
from lpsc_nd.pooling.expand import CONVOLUTIONS, symmetric
from lpsc_nd.pooling.layout import CHANNELS_LAST, memory_format
from lpsc_nd.pooling.table import fill_table, spread_size
from lpsc_nd.pooling.window import Window

NARROW = 13
"""Widest kernel for which PyTorch's default layout is fast."""

NARROW_LAST = 10
"""Widest kernel up to 13 for which channels last is fast as well, so that no layout need be changed."""


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
    kernel = dense_kernel(weight, window)
    if any(step != 1 for step in steps):
        return _spread_conv(x, kernel, bias, window, steps)
    return convolve(x, kernel, bias, window)


def convolve(x: Tensor, kernel: Tensor, bias: Tensor | None, window: Window) -> Tensor:
    """Convolve each channel with a kernel that is written out, in the compute type; in the faster memory format."""
    layout = _faster_layout(window, memory_format(x))
    if x.dtype == kernel.dtype and x.is_contiguous(memory_format=layout):
        return _dense(x, kernel, bias, window)
    y = x.new_empty((x.shape[0], kernel.shape[0], *window.output_size(x.shape[2:])))
    y = y.contiguous(memory_format=memory_format(x))
    for image, target in zip(x.split(1), y.split(1), strict=True):  # the copies of one image at a time
        target.copy_(_dense(image.to(kernel.dtype).contiguous(memory_format=layout), kernel, bias, window))
    return y


def takes_as_it_is(x: Tensor, window: Window, groups: int) -> bool:
    """Tell whether a depthwise convolution of an input in the compute type is one call of PyTorch's convolution."""
    if not suits(window, x.shape[1], groups) or window.ndim == 1:
        return False
    return x.is_contiguous(memory_format=_faster_layout(window, memory_format(x)))


def _faster_layout(window: Window, given: torch.memory_format) -> torch.memory_format:
    widest, layout = max(window.stencil.kernel_size), CHANNELS_LAST.get(window.ndim + 2)
    if layout is None or widest <= NARROW_LAST:
        return given
    return torch.contiguous_format if widest <= NARROW else layout


def _spread_conv(x: Tensor, kernel: Tensor, bias: Tensor | None, window: Window, steps: tuple[int, ...]) -> Tensor:
    """Convolve an input with zeros between its cells, image by image through one padded channels-last table."""
    size, channels = spread_size(x.shape[2:], steps), x.shape[1]
    table = torch.empty((1, *window.padded_size(size), channels), dtype=kernel.dtype, device=x.device)
    starts = [before for before, _ in window.padding]
    y = x.new_empty((x.shape[0], kernel.shape[0], *window.output_size(size)))
    y = y.contiguous(memory_format=memory_format(x))
    unpadded = replace(window, padding=((0, 0),) * window.ndim)
    for image, target in zip(x.split(1), y.split(1), strict=True):
        fill_table(table, image, starts, steps)
        target.copy_(_dense(table.movedim(-1, 1), kernel, bias, unpadded))
    return y


def _dense(x: Tensor, kernel: Tensor, bias: Tensor | None, window: Window) -> Tensor:
    """Convolve; a wide line as a plane of one row, whose convolution is the faster one."""
    x, padding = symmetric(x, window)
    groups = x.shape[1]
    if window.ndim > 1:
        return CONVOLUTIONS[window.ndim](x, kernel, bias, window.stride, padding, window.dilation, groups)
    stride, padding, dilation = (1, *window.stride), (0, *padding), (1, *window.dilation)
    return CONVOLUTIONS[2](x[:, :, None], kernel[:, :, None], bias, stride, padding, dilation, groups)[:, :, 0]
