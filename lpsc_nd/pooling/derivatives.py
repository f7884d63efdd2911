"""Derivatives of the bag operators, of any order and in both modes.

Convolution is bilinear in x and W, and the derivatives of its three operators are the three again:

    y  = conv(x, W)           dx = input_grad(gy, W)     dW = weight_grad(x, gy)
    gx = input_grad(gy, W)    d gy = conv(g, W)          dW = weight_grad(g, gy)
    gW = weight_grad(x, gy)   dx = input_grad(gy, g)     d gy = conv(x, g)

``both_grads`` gives the first row's two derivatives at once, from one pooling.

Only x, gy and W are saved. Each rule is written once, in an ``autograd.Function``
(:mod:`lpsc_nd.pooling.differentiable`); batching rules are in :mod:`lpsc_nd.pooling.vmapping`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from lpsc_nd.pooling import ops
from lpsc_nd.pooling.differentiable import Gradients, add, call, register


def conv(x: Tensor, weight: Tensor, bias: Tensor | None, groups: int, *window: Any) -> Tensor:
    """Pool and mix, differentiably; see :func:`ops.conv`."""
    return call(ops.conv, _Conv, x, weight, bias, groups, *window)


def input_grad(gy: Tensor, weight: Tensor, input_size: list[int], groups: int, *window: Any) -> Tensor:
    """Carry an output gradient back, differentiably; see :func:`ops.input_grad`."""
    return call(ops.input_grad, _InputGrad, gy, weight, input_size, groups, *window)


def weight_grad(x: Tensor, gy: Tensor, groups: int, *window: Any) -> Tensor:
    """Sum products of output gradient and pooled input, differentiably; see :func:`ops.weight_grad`."""
    return call(ops.weight_grad, _WeightGrad, x, gy, groups, *window)


def both_grads(x: Tensor, gy: Tensor, weight: Tensor, groups: int, *window: Any) -> tuple[Tensor, Tensor]:
    """Return input and weight gradient at once, differentiably; see :func:`ops.both_grads`."""
    return call(ops.both_grads, _BothGrads, x, gy, weight, groups, *window)


def gradients(
    x: Tensor, gy: Tensor, weight: Tensor, need_x: bool, need_weight: bool, groups: int, *window: Any
) -> tuple[Tensor | None, Tensor | None]:
    """Return the gradients that are needed; both at once where the stride of 1 lets one pooling serve."""
    stride = window[2]
    if need_x and need_weight and all(step == 1 for step in stride):
        return both_grads(x, gy, weight, groups, *window)
    gx = input_grad(gy, weight, list(x.shape[2:]), groups, *window) if need_x else None
    return gx, weight_grad(x, gy, groups, *window) if need_weight else None


class _Conv(Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(*arguments: Any) -> Tensor:
        return ops.conv(*arguments)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, weight, bias, ctx.groups, *ctx.window = inputs
        ctx.has_bias = bias is not None
        _save(ctx, x, weight)

    @staticmethod
    def backward(ctx: Any, gy: Tensor) -> Gradients:
        x, weight = ctx.saved_tensors
        need_x, need_weight, need_bias, *_ = ctx.needs_input_grad
        gx, gw = gradients(x, gy, weight, need_x, need_weight, ctx.groups, *ctx.window)
        gb = gy.sum([0, *range(2, gy.ndim)], dtype=weight.dtype) if ctx.has_bias and need_bias else None
        return gx, gw, gb, *(None,) * 6

    @staticmethod
    def jvp(ctx: Any, x_t: Tensor | None, weight_t: Tensor | None, bias_t: Tensor | None, *_: Any) -> Tensor | None:
        x, weight = ctx.saved_tensors
        if weight_t is None and bias_t is not None:
            weight_t = torch.zeros_like(weight)
        from_weight = None if weight_t is None else conv(x, weight_t, bias_t, ctx.groups, *ctx.window)
        from_x = None if x_t is None else conv(x_t, weight, None, ctx.groups, *ctx.window)
        return add(from_x, from_weight)


class _InputGrad(Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(*arguments: Any) -> Tensor:
        return ops.input_grad(*arguments)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        gy, weight, ctx.input_size, ctx.groups, *ctx.window = inputs
        _save(ctx, gy, weight)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Gradients:
        gy, weight = ctx.saved_tensors
        need_gy, need_weight, *_ = ctx.needs_input_grad
        ggy = conv(g, weight, None, ctx.groups, *ctx.window) if need_gy else None
        gw = weight_grad(g, gy, ctx.groups, *ctx.window) if need_weight else None
        return ggy, gw, *(None,) * 7

    @staticmethod
    def jvp(ctx: Any, gy_t: Tensor | None, weight_t: Tensor | None, *_: Any) -> Tensor | None:
        gy, weight = ctx.saved_tensors
        rest = (ctx.input_size, ctx.groups, *ctx.window)
        from_gy = None if gy_t is None else input_grad(gy_t, weight, *rest)
        return add(from_gy, None if weight_t is None else input_grad(gy, weight_t, *rest))


class _WeightGrad(Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(*arguments: Any) -> Tensor:
        return ops.weight_grad(*arguments)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, gy, ctx.groups, *ctx.window = inputs
        _save(ctx, x, gy)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Gradients:
        x, gy = ctx.saved_tensors
        need_x, need_gy, *_ = ctx.needs_input_grad
        gx = input_grad(gy, g, list(x.shape[2:]), ctx.groups, *ctx.window) if need_x else None
        ggy = conv(x, g, None, ctx.groups, *ctx.window) if need_gy else None
        return gx, ggy, *(None,) * 6

    @staticmethod
    def jvp(ctx: Any, x_t: Tensor | None, gy_t: Tensor | None, *_: Any) -> Tensor | None:
        x, gy = ctx.saved_tensors
        from_x = None if x_t is None else weight_grad(x_t, gy, ctx.groups, *ctx.window)
        return add(from_x, None if gy_t is None else weight_grad(x, gy_t, ctx.groups, *ctx.window))


class _BothGrads(Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(*arguments: Any) -> tuple[Tensor, Tensor]:
        return ops.both_grads(*arguments)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        x, gy, weight, ctx.groups, *ctx.window = inputs
        _save(ctx, x, gy, weight)

    @staticmethod
    def backward(ctx: Any, g_x: Tensor, g_weight: Tensor) -> Gradients:
        x, gy, weight = ctx.saved_tensors
        need_x, need_gy, need_weight, *_ = ctx.needs_input_grad
        rest = (ctx.groups, *ctx.window)
        gx = input_grad(gy, g_weight, list(x.shape[2:]), *rest) if need_x else None
        ggy = conv(g_x, weight, None, *rest) + conv(x, g_weight, None, *rest) if need_gy else None
        gw = weight_grad(g_x, gy, *rest) if need_weight else None
        return gx, ggy, gw, *(None,) * 6

    @staticmethod
    def jvp(
        ctx: Any, x_t: Tensor | None, gy_t: Tensor | None, weight_t: Tensor | None, *_: Any
    ) -> tuple[Tensor | None, Tensor | None]:
        x, gy, weight = ctx.saved_tensors
        size, rest = list(x.shape[2:]), (ctx.groups, *ctx.window)
        from_gy = None if gy_t is None else input_grad(gy_t, weight, size, *rest)
        gx_t = add(from_gy, None if weight_t is None else input_grad(gy, weight_t, size, *rest))
        from_x = None if x_t is None else weight_grad(x_t, gy, *rest)
        return gx_t, add(from_x, None if gy_t is None else weight_grad(x, gy_t, *rest))


def _save(ctx: Any, *tensors: Tensor) -> None:
    ctx.save_for_backward(*tensors)
    ctx.save_for_forward(*tensors)


for _operator, _function in (
    (ops.conv, _Conv),
    (ops.input_grad, _InputGrad),
    (ops.weight_grad, _WeightGrad),
    (ops.both_grads, _BothGrads),
):
    register(_operator, _function)
