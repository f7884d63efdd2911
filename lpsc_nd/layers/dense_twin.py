"""The dense convolution that equals a log-polar layer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lpsc_nd.geometry import Reduction
from lpsc_nd.pooling.dense_kernel import layer_kernel
from lpsc_nd.pooling.padding import PaddingMode
from lpsc_nd.pooling.window import Window

Conv = nn.Conv1d | nn.Conv2d | nn.Conv3d

CONV_CLASSES: dict[int, type[nn.Conv1d] | type[nn.Conv2d] | type[nn.Conv3d]] = {
    1: nn.Conv1d,
    2: nn.Conv2d,
    3: nn.Conv3d,
}


def dense_weight(weight: Tensor, center_weight: Tensor | None, window: Window, reduction: Reduction) -> Tensor:
    """Return the dense kernel (C', C / groups, *kernel_size) of region weights, differentiable in them.

    Raises:
        ValueError: the reduction is "max", which no kernel expresses.
    """
    if reduction == "max":
        raise ValueError("reduction 'max' is not linear, so no dense kernel equals this layer")
    return layer_kernel(weight, center_weight, window, reduction).to(weight.dtype)


def dense_conv(
    kernel: Tensor,
    bias: Tensor | None,
    window: Window,
    padding: str | tuple[int, ...],
    groups: int,
    padding_mode: PaddingMode,
) -> Conv:
    """Return the nn.ConvNd with these weights, copied; no random number is drawn.

    Raises:
        ValueError: PyTorch has no convolution of this many dimensions.
    """
    if window.ndim not in CONV_CLASSES:
        raise ValueError(f"to_conv needs 1 to 3 dimensions, as nn.ConvNd has, got {window.ndim}")
    conv = torch.nn.utils.skip_init(
        CONV_CLASSES[window.ndim],
        kernel.shape[1] * groups,
        kernel.shape[0],
        window.stencil.kernel_size,
        window.stride,
        padding,
        window.dilation,
        groups,
        bias is not None,
        padding_mode,
        device=kernel.device,
        dtype=kernel.dtype,
    )
    with torch.no_grad():
        conv.weight.copy_(kernel)
        if bias is not None and conv.bias is not None:
            conv.bias.copy_(bias)
    return conv
