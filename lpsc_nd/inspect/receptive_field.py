"""The receptive field of a layer or a network, found by its input gradient."""

from collections.abc import Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn


def receptive_field(module: nn.Module, input_shape: Sequence[int]) -> tuple[int, ...]:
    """Return the size of the input window that one position of the output depends on.

    It is the bounding box of the non-zero gradient of the output's middle position with respect to the input. The
    gradient is taken on a double precision copy in evaluation mode whose parameters, normalisation statistics and
    input are positive, so that nothing cancels and no rectifier is off: the field is that of the architecture, not
    of its present weights. A maximum passes the gradient to one of its inputs only; networks with max pooling come
    out smaller.

    Args:
        module: maps ``(1, *input_shape)`` to ``(1, C', *size')``.
        input_shape: channels and spatial size, ``(C, *size)``; the field cannot come out larger than ``size``, so
            choose it larger than the field expected.

    Returns:
        The extent of the field along each spatial axis, in cells; zeros when the output does not depend on the input.

    Raises:
        ValueError: the output has no spatial axes.

    Example:
        >>> receptive_field(nn.Conv2d(3, 4, kernel_size=3, dilation=2), (3, 16, 16))
        (5, 5)
    """
    positive = _positive_copy(module)
    parameter = next(positive.parameters(), None)
    x = torch.ones(1, *input_shape, dtype=torch.float64, device=None if parameter is None else parameter.device)
    x.requires_grad_()
    y: Tensor = positive(x)
    if y.ndim < 3:
        raise ValueError(f"module must keep spatial axes, (1, C, *size), got an output of shape {tuple(y.shape)}")
    middle = tuple(int(size) // 2 for size in y.shape[2:])
    (gradient,) = torch.autograd.grad(y[0].sum(dim=0)[middle], x)
    return _bounding_box(gradient[0].abs().sum(dim=0))


def _positive_copy(module: nn.Module) -> nn.Module:
    """A float64 copy in evaluation mode whose parameters are positive and keep activations near one."""
    copy = deepcopy(module).double().eval()
    for part in copy.modules():
        reset = getattr(part, "reset_running_stats", None)
        if callable(reset):
            reset()
    with torch.no_grad():
        for parameter in copy.parameters():
            parameter.fill_(1.0 if parameter.ndim < 2 else len(parameter) / parameter.numel())
    return copy


def _bounding_box(values: Tensor) -> tuple[int, ...]:
    positions = values.nonzero()  # (n, ndim)
    if len(positions) == 0:
        return (0,) * values.ndim
    extent = positions.amax(dim=0) - positions.amin(dim=0) + 1
    return tuple(extent.tolist())
