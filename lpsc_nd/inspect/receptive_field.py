"""The receptive field of a layer or a network, found by its input gradient."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from lpsc_nd import _checks
from lpsc_nd.inspect.linear_copy import linear_copy


def receptive_field(module: nn.Module, input_shape: Sequence[int], *, layer: str | None = None) -> tuple[int, ...]:
    """Return the size of the input window that one position of the output depends on.

    It is the bounding box of the non-zero cells of :func:`input_gradient`: the field of the architecture, not of its
    present weights (paper, Section 4.3, Fig. 5).

    Args:
        module: maps ``(1, *input_shape)`` to ``(1, C', *size')``.
        input_shape: channels and spatial size, ``(C, *size)``; the field cannot come out larger than ``size``, so
            choose it larger than the field expected.
        layer: name of the part whose output is looked at; the module's own by default.

    Returns:
        The extent of the field along each spatial axis, in cells; zeros when the output does not depend on the input.

    Raises:
        ValueError: the output has no spatial axes, or no part has that name.

    Example:
        >>> receptive_field(nn.Conv2d(3, 4, kernel_size=3, dilation=2), (3, 16, 16))
        (5, 5)
    """
    return bounding_box(input_gradient(module, input_shape, layer=layer))


def input_gradient(module: nn.Module, input_shape: Sequence[int], *, layer: str | None = None) -> Tensor:
    """Return how strongly each input position acts on the middle position of the output, over all channels.

    ``g[p] = sum_(c, c') |d y[c', middle] / d x[c, p]|``, on a copy in double precision and evaluation mode with the
    identity for activations, averages for maxima, and positive parameters, normalisation statistics and input, so
    that nothing cancels.

    Args:
        module: maps ``(1, *input_shape)`` to ``(1, C', *size')``.
        input_shape: channels and spatial size, ``(C, *size)``.
        layer: name of the part whose output is looked at; the module's own by default.

    Shape:
        ``(*size)``, float64.

    Raises:
        ValueError: the output has no spatial axes, or no part has that name.

    Example:
        >>> input_gradient(nn.Conv1d(1, 1, 3), (1, 5)).count_nonzero()
        tensor(3)
    """
    if layer is not None and layer not in dict(module.named_modules()):
        raise ValueError(f"layer must be a part of the {type(module).__name__}, got {layer!r}")
    x, outputs = _run(module, input_shape, "" if layer is None else layer)
    if not outputs:
        raise ValueError(f"layer must be a part that the {type(module).__name__} calls, got {layer!r}")
    ((_, y),) = outputs.items()
    if not isinstance(y, Tensor) or y.ndim < 3:
        got = f"an output of shape {tuple(y.shape)}" if isinstance(y, Tensor) else type(y).__name__
        raise ValueError(f"module must keep spatial axes, (1, C, *size), got {got}")
    return _gradient(y, x)


def input_gradients(module: nn.Module, input_shape: Sequence[int]) -> Iterator[tuple[str, Tensor]]:
    """Yield the input gradient of every part that keeps the input's spatial axes, by name in the order of the calls.

    One forward pass, then one backward pass for each part; see :func:`input_gradient`.

    Args:
        module: maps ``(1, *input_shape)`` to anything.
        input_shape: channels and spatial size, ``(C, *size)``.

    Example:
        >>> chain = nn.Sequential(nn.Conv1d(1, 1, 3), nn.Conv1d(1, 1, 5))
        >>> {name: bounding_box(gradient) for name, gradient in input_gradients(chain, (1, 20))}
        {'0': (3,), '1': (7,), '': (7,)}
    """
    x, outputs = _run(module, input_shape)
    for name, y in outputs.items():
        if _is_map(y, x):
            yield name, _gradient(y, x)


def last_map(module: nn.Module, input_shape: Sequence[int]) -> str:
    """Return the name of the last part whose output is a map of more than one position along each axis.

    That is the place to look at in a classifier, which ends without positions; empty for the module itself.

    Raises:
        ValueError: no part has such an output.

    Example:
        >>> last_map(nn.Sequential(nn.Conv1d(1, 1, 3), nn.AdaptiveAvgPool1d(1), nn.Flatten()), (1, 20))
        '0'
    """
    x, outputs = _run(module, input_shape)
    maps = [name for name, y in outputs.items() if _is_map(y, x) and min(y.shape[2:]) > 1]
    if not maps:
        raise ValueError(f"no part of the {type(module).__name__} has an output (1, C, *size) of several positions")
    return maps[-1]


def bounding_box(values: Tensor) -> tuple[int, ...]:
    """Return the extent of the non-zero values along each axis; zeros if there are none."""
    positions = values.nonzero()  # (n, ndim)
    if len(positions) == 0:
        return (0,) * values.ndim
    extent = positions.amax(dim=0) - positions.amin(dim=0) + 1
    return tuple(extent.tolist())


def reaches_border(values: Tensor) -> bool:
    """Whether a value at the border is not zero: a field that does so may be larger than the input shows.

    Example:
        >>> reaches_border(torch.tensor([0.0, 1.0, 0.0])), reaches_border(torch.tensor([1.0, 0.0]))
        (False, True)
    """
    return any(bool(values.select(axis, end).any()) for axis in range(values.ndim) for end in (0, -1))


def _run(module: nn.Module, input_shape: Sequence[int], *layers: str) -> tuple[Tensor, dict[str, Any]]:
    """Return the input and the outputs of the named parts, of all without names, in the order in which they ended."""
    shape = [_checks.integer(f"input_shape[{i}]", size, minimum=1) for i, size in enumerate(input_shape)]
    copy = linear_copy(module)
    parameter = next(copy.parameters(), None)
    x = torch.ones(1, *shape, dtype=torch.float64, device=None if parameter is None else parameter.device)
    x.requires_grad_()
    with _recorded(copy, layers) as outputs, torch.enable_grad():
        copy(x)
    return x, outputs


@contextmanager
def _recorded(module: nn.Module, layers: Sequence[str]) -> Iterator[dict[str, Any]]:
    outputs: dict[str, Any] = {}

    def recorder(name: str) -> Any:
        def record(part: nn.Module, args: tuple[Any, ...], output: Any) -> None:
            outputs.pop(name, None)  # a part that is called again moves to the end
            outputs[name] = output

        return record

    parts: Mapping[str, nn.Module] = dict(module.named_modules())
    handles = [part.register_forward_hook(recorder(n)) for n, part in parts.items() if not layers or n in layers]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


def _is_map(y: Any, x: Tensor) -> bool:
    return isinstance(y, Tensor) and y.ndim == x.ndim


def _gradient(y: Tensor, x: Tensor) -> Tensor:
    if not y.requires_grad:
        return torch.zeros_like(x[0, 0])
    middle = tuple(int(size) // 2 for size in y.shape[2:])
    (gradient,) = torch.autograd.grad(y[0].sum(dim=0)[middle], x, retain_graph=True, materialize_grads=True)
    return gradient[0].abs().sum(dim=0)
