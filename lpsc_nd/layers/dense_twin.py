"""The dense convolution that equals a log-polar layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from lpsc_nd.pooling.execute import fold
from lpsc_nd.pooling.expand import dense_kernel
from lpsc_nd.pooling.table import compute_dtype

if TYPE_CHECKING:
    from lpsc_nd.layers.conv_nd import LPSConvNd

Conv = nn.Conv1d | nn.Conv2d | nn.Conv3d

CONV_CLASSES: dict[int, type[nn.Conv1d] | type[nn.Conv2d] | type[nn.Conv3d]] = {
    1: nn.Conv1d,
    2: nn.Conv2d,
    3: nn.Conv3d,
}


def dense_weight(layer: LPSConvNd) -> Tensor:
    """Return the layer's dense kernel (C', C / groups, *kernel_size), differentiable in its weights.

    Raises:
        ValueError: the reduction is "max", which no kernel expresses.
    """
    if layer.reduction == "max":
        raise ValueError("reduction 'max' is not linear, so no dense kernel equals this layer")
    dtype = compute_dtype(layer.weight.dtype)
    folded = fold(layer.weight, layer.center_weight, layer.stencil, layer.reduction, dtype)
    return dense_kernel(folded, layer.window).to(layer.weight.dtype)


def dense_twin(layer: LPSConvNd) -> Conv:
    """Return the equal nn.ConvNd, with parameters of its own.

    Raises:
        ValueError: PyTorch has no convolution of this many dimensions, or the reduction is "max".
    """
    if layer.ndim not in CONV_CLASSES:
        raise ValueError(f"to_conv needs 1 to 3 dimensions, as nn.ConvNd has, got {layer.ndim}")
    kernel = dense_weight(layer).detach()
    conv = torch.nn.utils.skip_init(
        CONV_CLASSES[layer.ndim],
        layer.in_channels,
        layer.out_channels,
        layer.kernel_size,
        layer.stride,
        layer.padding,
        layer.dilation,
        layer.groups,
        layer.bias is not None,
        layer.padding_mode,
        device=kernel.device,
        dtype=kernel.dtype,
    )
    with torch.no_grad():
        conv.weight.copy_(kernel)
        if layer.bias is not None and conv.bias is not None:
            conv.bias.copy_(layer.bias)
    return conv.train(layer.training)
