"""Derivatives of the point operators, of any order and in both modes.

As on grids (:mod:`lpsc_nd.pooling.derivatives`), convolution is bilinear in x and W, and the derivatives of its three
operators are the three again. Only x, gy, W and the neighbourhood are saved.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from lpsc_nd.pooling import point_ops as ops
from lpsc_nd.pooling.differentiable import Gradients, add, call, register

NO_LINKS = (None,) * 6
"""The neighbourhood has no gradient."""


def conv(x: Tensor, weight: Tensor, bias: Tensor | None, groups: int, *links: Any) -> Tensor:
    """Pool and mix, differentiably; see :func:`point_ops.conv`."""
    return call(ops.conv, _Conv, x, weight, bias, groups, *links)


def input_grad(gy: Tensor, weight: Tensor, num_sources: int, groups: int, *links: Any) -> Tensor:
    """Carry an output gradient back, differentiably; see :func:`point_ops.input_grad`."""
    return call(ops.input_grad, _InputGrad, gy, weight, num_sources, groups, *links)


def weight_grad(x: Tensor, gy: Tensor, groups: int, *links: Any) -> Tensor:
    """Sum products of output gradient and pooled sources, differentiably; see :func:`point_ops.weight_grad`."""
    return call(ops.weight_grad, _WeightGrad, x, gy, groups, *links)


class _Conv(Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(*arguments: Any) -> Tensor:
        return ops.conv(*arguments)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, weight, bias, ctx.groups, *links = inputs
        ctx.has_bias = bias is not None
        _save(ctx, x, weight, links)

    @staticmethod
    def backward(ctx: Any, gy: Tensor) -> Gradients:
        x, weight, *links = _saved(ctx)
        need_x, need_weight, need_bias, *_ = ctx.needs_input_grad
        gx = input_grad(gy, weight, x.shape[0], ctx.groups, *links) if need_x else None
        gw = weight_grad(x, gy, ctx.groups, *links) if need_weight else None
        gb = gy.sum(0, dtype=weight.dtype) if ctx.has_bias and need_bias else None
        return gx, gw, gb, None, *NO_LINKS

    @staticmethod
    def jvp(ctx: Any, x_t: Tensor | None, weight_t: Tensor | None, bias_t: Tensor | None, *_: Any) -> Tensor | None:
        x, weight, *links = _saved(ctx)
        if weight_t is None and bias_t is not None:
            weight_t = torch.zeros_like(weight)
        from_weight = None if weight_t is None else conv(x, weight_t, bias_t, ctx.groups, *links)
        return add(None if x_t is None else conv(x_t, weight, None, ctx.groups, *links), from_weight)


class _InputGrad(Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(*arguments: Any) -> Tensor:
        return ops.input_grad(*arguments)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        gy, weight, ctx.num_sources, ctx.groups, *links = inputs
        _save(ctx, gy, weight, links)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Gradients:
        gy, weight, *links = _saved(ctx)
        need_gy, need_weight, *_ = ctx.needs_input_grad
        ggy = conv(g, weight, None, ctx.groups, *links) if need_gy else None
        return ggy, weight_grad(g, gy, ctx.groups, *links) if need_weight else None, None, None, *NO_LINKS

    @staticmethod
    def jvp(ctx: Any, gy_t: Tensor | None, weight_t: Tensor | None, *_: Any) -> Tensor | None:
        gy, weight, *links = _saved(ctx)
        rest = (ctx.num_sources, ctx.groups, *links)
        from_gy = None if gy_t is None else input_grad(gy_t, weight, *rest)
        return add(from_gy, None if weight_t is None else input_grad(gy, weight_t, *rest))


class _WeightGrad(Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(*arguments: Any) -> Tensor:
        return ops.weight_grad(*arguments)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, gy, ctx.groups, *links = inputs
        _save(ctx, x, gy, links)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Gradients:
        x, gy, *links = _saved(ctx)
        need_x, need_gy, *_ = ctx.needs_input_grad
        gx = input_grad(gy, g, x.shape[0], ctx.groups, *links) if need_x else None
        return gx, conv(x, g, None, ctx.groups, *links) if need_gy else None, None, *NO_LINKS

    @staticmethod
    def jvp(ctx: Any, x_t: Tensor | None, gy_t: Tensor | None, *_: Any) -> Tensor | None:
        x, gy, *links = _saved(ctx)
        from_x = None if x_t is None else weight_grad(x_t, gy, ctx.groups, *links)
        return add(from_x, None if gy_t is None else weight_grad(x, gy_t, ctx.groups, *links))


def _save(ctx: Any, first: Tensor, second: Tensor, links: list[Any]) -> None:
    indptr, indices, centers, *ctx.how = links
    ctx.save_for_backward(first, second, indptr, indices, centers)
    ctx.save_for_forward(first, second, indptr, indices, centers)


def _saved(ctx: Any) -> tuple[Any, ...]:
    return *ctx.saved_tensors, *ctx.how


for _operator, _function in ((ops.conv, _Conv), (ops.input_grad, _InputGrad), (ops.weight_grad, _WeightGrad)):
    register(_operator, _function)
