"""A copy of a network in which nothing hides or cancels how the output depends on the input."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

import torch
from torch import nn

from lpsc_nd.layers import LogPolarPoolNd, LPSConvNd

# Softmax and attention are not maps of one value each, so they stay.
_ACTIVATIONS = (
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.RReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish,
    nn.Softplus, nn.Softsign, nn.Softshrink, nn.Hardshrink, nn.Tanhshrink, nn.Threshold, nn.Sigmoid, nn.LogSigmoid,
    nn.Tanh, nn.Hardtanh, nn.Hardsigmoid, nn.Hardswish,
)  # fmt: skip
_AVERAGES: dict[type[nn.Module], Callable[..., nn.Module]] = {
    nn.MaxPool1d: nn.AvgPool1d,
    nn.MaxPool2d: nn.AvgPool2d,
    nn.MaxPool3d: nn.AvgPool3d,
}
_ADAPTIVE_AVERAGES: dict[type[nn.Module], Callable[..., nn.Module]] = {
    nn.AdaptiveMaxPool1d: nn.AdaptiveAvgPool1d,
    nn.AdaptiveMaxPool2d: nn.AdaptiveAvgPool2d,
    nn.AdaptiveMaxPool3d: nn.AdaptiveAvgPool3d,
}


def linear_copy(module: nn.Module) -> nn.Module:
    """Return a copy in double precision and evaluation mode that is linear as far as its parts are modules.

    Activations become the identity; maxima, of pooling and of log-polar layers, become means; parameters become
    positive and keep activations near one, statistics of normalisation those of a new layer. Maxima and activations
    that are called as functions stay; on positive values rectifiers pass everything.

    Example:
        >>> linear_copy(nn.Sequential(nn.ReLU(), nn.MaxPool2d(2)))
        Sequential(
          (0): Identity()
          (1): AvgPool2d(kernel_size=2, stride=2, padding=0)
        )
    """
    copy = _linear(deepcopy(module)).double().eval()
    for part in copy.modules():
        reset = getattr(part, "reset_running_stats", None)
        if callable(reset):
            reset()
    with torch.no_grad():
        for parameter in copy.parameters():
            parameter.fill_(1.0 if parameter.ndim < 2 else len(parameter) / parameter.numel())
    return copy


def _linear(module: nn.Module) -> nn.Module:
    if isinstance(module, _ACTIVATIONS):
        return nn.Identity()
    if type(module) in _ADAPTIVE_AVERAGES:
        return _ADAPTIVE_AVERAGES[type(module)](module.output_size)
    if type(module) in _AVERAGES and module.dilation in (1, (1,), (1, 1), (1, 1, 1)):
        return _AVERAGES[type(module)](module.kernel_size, module.stride, module.padding, module.ceil_mode)
    if isinstance(module, (LPSConvNd, LogPolarPoolNd)) and module.reduction == "max":
        module.reduction, module.engine = "mean", "auto"
    for name, child in module._modules.items():  # named_children() leaves out a part that has two names
        if child is not None:
            module._modules[name] = _linear(child)
    return module
