"""Regions written out as a dense kernel for PyTorch's own convolution: for export, and for few channels."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from lpsc_nd.geometry import Reduction
from lpsc_nd.pooling import single_cells
from lpsc_nd.pooling.constants import bag_taps
from lpsc_nd.pooling.decided import Run
from lpsc_nd.pooling.dense_kernel import dense_kernel
from lpsc_nd.pooling.kept import kernel_of
from lpsc_nd.pooling.layout import memory_format
from lpsc_nd.pooling.plain import is_traced, is_transformed, is_watched
from lpsc_nd.pooling.table import compute_dtype
from lpsc_nd.pooling.window import Window

CONVOLUTIONS: dict[int, Callable[..., Tensor]] = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}


def conv(
    x: Tensor,
    weight: Tensor,
    center_weight: Tensor | None,
    bias: Tensor | None,
    window: Window,
    groups: int,
    reduction: Reduction,
) -> Tensor:
    """Convolve densely: (B, C, *in), (C', C / groups, R) -> (B, C', *out), for one to three axes."""
    bias = None if bias is None else bias.to(x.dtype)
    if single_cells.suits(x, weight, center_weight):
        order = single_cells.order_of(window, memory_format(x), weight.device)
        if order is not None:
            return dense(x, single_cells.write(weight, center_weight, order), bias, window, groups)
    kernel = kernel_of(weight, center_weight, window, reduction, x.dtype)
    if torch.is_grad_enabled() and not is_traced():  # once, or each pass brings it to the format of the input again
        kernel = kernel.contiguous(memory_format=memory_format(x))
    return dense(x, kernel, bias, window, groups)


def prepared(x: Tensor, weight: Tensor, window: Window, groups: int, reduction: Reduction) -> Run | None:
    """Return :func:`conv` in float32 or float64 for inputs as ``x`` and weights of this shape, with all else known.

    It is one function instead of a dozen, which between other calls are out of the caches: 5 % of a training step of a
    stem on 8 images. None where the input has to be padded first, or is seen by a transform or a mode.
    """
    if not window.pads_evenly or window.num_bags == 0 or is_transformed() or is_watched():
        return None
    if not weight.dtype == x.dtype == compute_dtype(x.dtype):
        return None
    taps, bags = bag_taps(window.stencil, window.center, reduction, weight), window.num_bags
    size, convolve = (*weight.shape[:2], *window.stencil.kernel_size), CONVOLUTIONS[window.ndim]
    how, layout = (window.stride, symmetric(x, window)[1], window.dilation, groups), memory_format(x)
    order = single_cells.order_of(window, layout, weight.device)

    def run(x: Tensor, weight: Tensor, center_weight: Tensor | None, bias: Tensor | None) -> Tensor:
        if order is not None:
            return convolve(x, single_cells.write(weight, center_weight, order), bias, *how)
        rows = weight if center_weight is None else torch.cat([weight, center_weight.unsqueeze(-1)], dim=-1)
        kernel = torch.mm(rows.reshape(-1, bags), taps).view(size)
        return convolve(x, kernel.contiguous(memory_format=layout), bias, *how)

    return run


def dense(x: Tensor, kernel: Tensor, bias: Tensor | None, window: Window, groups: int) -> Tensor:
    """Convolve with a kernel that is written out."""
    x, padding = symmetric(x, window)
    return CONVOLUTIONS[window.ndim](x, kernel, bias, window.stride, padding, window.dilation, groups)


def pool(x: Tensor, window: Window) -> Tensor:
    """Sum every bag at every output site by one-hot kernels: (B, C, *in) -> (B, C, bags, *out)."""
    one_hot = torch.eye(window.num_bags, dtype=x.dtype, device=x.device).unsqueeze(1)  # (bags, 1, bags)
    pooled = dense(x.flatten(0, 1).unsqueeze(1), dense_kernel(one_hot, window), None, window, 1)
    return pooled.unflatten(0, x.shape[:2])


def symmetric(x: Tensor, window: Window) -> tuple[Tensor, tuple[int, ...]]:
    """Leave padding that is equal on both sides to the convolution, and add any other now."""
    if window.pads_evenly:
        return x, tuple(before for before, _ in window.padding)
    counts = [count for pair in reversed(window.padding) for count in pair]
    grown = F.pad(x, [max(0, count) for count in counts])  # cutting first might leave less than nothing
    return F.pad(grown, [min(0, count) for count in counts]) if min(counts) < 0 else grown, (0,) * window.ndim
