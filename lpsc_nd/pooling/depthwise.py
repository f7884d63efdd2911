"""The bag engine where every input channel is a group of its own.

A pooled sum then serves one output channel only, so pooling first saves little. Large windows are run by a compiled
kernel (``compiled_depthwise.py``). Without one, PyTorch's dense depthwise convolution is the faster way for all but
large windows on slow processors, and for small windows it always is (``depthwise_costs.py``). It is made channels last
for wide kernels, where the default layout takes tenfold and more, and with AVX-512 in the default layout just below
that, where channels last is the slow one. The weight gradient is another matter: it has one number per region instead
of one per cell, and is left to the kernel or to bag sums.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from lpsc_nd.pooling.dense_kernel import dense_kernel
from lpsc_nd.pooling.depthwise_costs import by_kernel, pools_first
from lpsc_nd.pooling.expand import CONVOLUTIONS, symmetric
from lpsc_nd.pooling.layout import CHANNELS_LAST, memory_format
from lpsc_nd.pooling.processor import is_avx2_at_most
from lpsc_nd.pooling.table import fill_table, spread_size
from lpsc_nd.pooling.window import Window

NARROW = 9 if is_avx2_at_most() else 13
"""Widest kernel for which PyTorch's default layout is fast."""

NARROW_LAST = min(NARROW, 10)
"""Widest of these for which channels last is fast as well, so that no layout need be changed."""


def suits(window: Window, in_channels: int, out_channels: int, groups: int, device: str, channels_last: bool) -> bool:
    """Tell whether a convolution is depthwise, and best left to PyTorch's, which has its dimension."""
    if groups != in_channels or groups == 1 or window.ndim not in CONVOLUTIONS:
        return False
    if device == "cpu" and by_kernel(window, in_channels, out_channels, groups, channels_last):
        return False
    return out_channels > in_channels or not pools_first(window, in_channels)


def kind(x: Tensor) -> tuple[str, bool]:
    """Return the device of an input, and whether it lies channels last."""
    return x.device.type, memory_format(x) != torch.contiguous_format


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
    plane = _as_plane(x)
    layout = _faster_layout(window, memory_format(plane))
    if x.dtype == kernel.dtype and plane.is_contiguous(memory_format=layout):
        return _dense(plane, kernel, bias, window)
    y = x.new_empty((x.shape[0], kernel.shape[0], *window.output_size(x.shape[2:])))
    y = y.contiguous(memory_format=memory_format(x))
    for image, target in zip(plane.unsqueeze(1), y.unsqueeze(1), strict=True):  # the copies of one image at a time
        target.copy_(_dense(image.to(kernel.dtype).contiguous(memory_format=layout), kernel, bias, window))
    return y


def takes_as_it_is(x: Tensor, window: Window, out_channels: int, groups: int) -> bool:
    """Tell whether a depthwise convolution of an input in the compute type is one call of PyTorch's convolution."""
    if not suits(window, x.shape[1], out_channels, groups, *kind(x)) or window.ndim == 1:
        return False
    return x.is_contiguous(memory_format=_faster_layout(window, memory_format(x)))


def _faster_layout(window: Window, given: torch.memory_format) -> torch.memory_format:
    widest = max(window.stencil.kernel_size)
    if widest <= NARROW_LAST:
        return given
    return torch.contiguous_format if widest <= NARROW else CHANNELS_LAST[max(2, window.ndim) + 2]


def _spread_conv(x: Tensor, kernel: Tensor, bias: Tensor | None, window: Window, steps: tuple[int, ...]) -> Tensor:
    """Convolve an input with zeros between its cells, image by image through one padded channels-last table."""
    size, channels = spread_size(x.shape[2:], steps), x.shape[1]
    table = torch.empty((1, *window.padded_size(size), channels), dtype=kernel.dtype, device=x.device)
    starts = [before for before, _ in window.padding]
    y = x.new_empty((x.shape[0], kernel.shape[0], *window.output_size(size)))
    y = y.contiguous(memory_format=memory_format(x))
    unpadded = replace(window, padding=((0, 0),) * window.ndim)
    for image, target in zip(x.unsqueeze(1), y.unsqueeze(1), strict=True):
        fill_table(table, image, starts, steps)
        target.copy_(_dense(_as_plane(table.movedim(-1, 1)), kernel, bias, unpadded))
    return y


def _as_plane(x: Tensor) -> Tensor:
    """View lines (B, C, n) as planes of one row, whose convolution is the faster one; leave other maps as they are."""
    return x.unsqueeze(2) if x.ndim == 3 else x


def _dense(x: Tensor, kernel: Tensor, bias: Tensor | None, window: Window) -> Tensor:
    """Convolve an input that :func:`_as_plane` has seen."""
    if window.ndim > 1:
        x, padding = symmetric(x, window)
        return CONVOLUTIONS[window.ndim](x, kernel, bias, window.stride, padding, window.dilation, x.shape[1])
    line, padding = symmetric(x.squeeze(2), window)
    stride, padding, dilation = (1, *window.stride), (0, *padding), (1, *window.dilation)
    return CONVOLUTIONS[2](line.unsqueeze(2), kernel.unsqueeze(2), bias, stride, padding, dilation, x.shape[1])[:, :, 0]
