"""The bag engine as PyTorch operators: one opaque node each, differentiable any number of times.

Convolution is bilinear in x and W, and the derivatives of its three operators are the three again:

    y  = conv(x, W)           dx = input_grad(gy, W)     dW = weight_grad(x, gy)
    gx = input_grad(gy, W)    d gy = conv(g, W)          dW = weight_grad(g, gy)
    gW = weight_grad(x, gy)   dx = input_grad(gy, g)     d gy = conv(x, g)

Likewise pooling and its adjoint are each other's derivative. Only x, gy and W are saved. The window travels as plain
arguments (:attr:`Window.args`), so that a traced graph is complete by itself.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.library import custom_op

from lpsc_nd.pooling import bags
from lpsc_nd.pooling.table import compute_dtype
from lpsc_nd.pooling.window import Window

_WINDOW = "str stencil, bool center, int[] stride, int[] padding, int[] dilation"


@custom_op(
    "lpsc::conv", mutates_args=(), schema=f"(Tensor x, Tensor weight, Tensor? bias, int groups, {_WINDOW}) -> Tensor"
)
def conv(x: Tensor, weight: Tensor, bias: Tensor | None, groups: int, *window: Any) -> Tensor:
    """Pool and mix: (B, C, *in), (C', C / groups, bags), (C',) -> (B, C', *out)."""
    return bags.conv(x, weight, bias, Window.from_args(*window), groups)


@custom_op(
    "lpsc::input_grad",
    mutates_args=(),
    schema=f"(Tensor gy, Tensor weight, SymInt[] input_size, int groups, {_WINDOW}) -> Tensor",
)
def input_grad(gy: Tensor, weight: Tensor, input_size: list[int], groups: int, *window: Any) -> Tensor:
    """Carry an output gradient back to the input: (B, C', *out) -> (B, C, *in)."""
    return bags.input_grad(gy, weight, Window.from_args(*window), groups, input_size)


@custom_op("lpsc::weight_grad", mutates_args=(), schema=f"(Tensor x, Tensor gy, int groups, {_WINDOW}) -> Tensor")
def weight_grad(x: Tensor, gy: Tensor, groups: int, *window: Any) -> Tensor:
    """Sum over sites the products of output gradient and pooled input: (C', C / groups, bags)."""
    return bags.weight_grad(x, gy, Window.from_args(*window), groups)


@custom_op("lpsc::pool", mutates_args=(), schema=f"(Tensor x, {_WINDOW}) -> Tensor")
def pool(x: Tensor, *window: Any) -> Tensor:
    """Sum every bag: (B, C, *in) -> (B, C, bags, *out)."""
    return bags.pool(x, Window.from_args(*window))


@custom_op("lpsc::pool_adjoint", mutates_args=(), schema=f"(Tensor z, SymInt[] input_size, {_WINDOW}) -> Tensor")
def pool_adjoint(z: Tensor, input_size: list[int], *window: Any) -> Tensor:
    """Add every bag's value to its cells: (B, C, bags, *out) -> (B, C, *in)."""
    return bags.pool_adjoint(z, Window.from_args(*window), input_size)


@conv.register_fake
def _(x: Tensor, weight: Tensor, bias: Tensor | None, groups: int, *window: Any) -> Tensor:
    return bags.empty_sites(x, weight.shape[0], Window.from_args(*window).output_size(x.shape[2:]))


@input_grad.register_fake
def _(gy: Tensor, weight: Tensor, input_size: list[int], groups: int, *window: Any) -> Tensor:
    return bags.empty_sites(gy, weight.shape[1] * groups, tuple(input_size))


@weight_grad.register_fake
def _(x: Tensor, gy: Tensor, groups: int, *window: Any) -> Tensor:
    shape = (gy.shape[1], x.shape[1] // groups, Window.from_args(*window).num_bags)
    return x.new_empty(shape, dtype=compute_dtype(x.dtype))


@pool.register_fake
def _(x: Tensor, *window: Any) -> Tensor:
    laid = Window.from_args(*window)
    return x.new_empty((*x.shape[:2], laid.num_bags, *laid.output_size(x.shape[2:])))


@pool_adjoint.register_fake
def _(z: Tensor, input_size: list[int], *window: Any) -> Tensor:
    return z.new_empty((*z.shape[:2], *input_size))


def _conv_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, weight, bias, ctx.groups, *ctx.window = inputs
    ctx.has_bias = bias is not None
    ctx.save_for_backward(x, weight)


def _conv_backward(ctx: Any, gy: Tensor) -> tuple[Tensor | None, ...]:
    x, weight = ctx.saved_tensors
    need_x, need_weight, need_bias, *_ = ctx.needs_input_grad
    gx = input_grad(gy, weight, x.shape[2:], ctx.groups, *ctx.window) if need_x else None
    gw = weight_grad(x, gy, ctx.groups, *ctx.window) if need_weight else None
    axes = [0, *range(2, gy.ndim)]
    gb = gy.sum(axes, dtype=weight.dtype) if ctx.has_bias and need_bias else None
    return gx, gw, gb, *(None,) * 6


def _input_grad_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    gy, weight, _, ctx.groups, *ctx.window = inputs
    ctx.save_for_backward(gy, weight)


def _input_grad_backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
    gy, weight = ctx.saved_tensors
    need_gy, need_weight, *_ = ctx.needs_input_grad
    ggy = conv(g, weight, None, ctx.groups, *ctx.window) if need_gy else None
    gw = weight_grad(g, gy, ctx.groups, *ctx.window) if need_weight else None
    return ggy, gw, *(None,) * 7


def _weight_grad_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, gy, ctx.groups, *ctx.window = inputs
    ctx.save_for_backward(x, gy)


def _weight_grad_backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
    x, gy = ctx.saved_tensors
    need_x, need_gy, *_ = ctx.needs_input_grad
    gx = input_grad(gy, g, x.shape[2:], ctx.groups, *ctx.window) if need_x else None
    ggy = conv(x, g, None, ctx.groups, *ctx.window) if need_gy else None
    return gx, ggy, *(None,) * 6


def _pool_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, *ctx.window = inputs
    ctx.input_size = x.shape[2:]


def _pool_backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
    return pool_adjoint(g, ctx.input_size, *ctx.window), *(None,) * 5


def _pool_adjoint_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    _, _, *ctx.window = inputs


def _pool_adjoint_backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
    return pool(g, *ctx.window), *(None,) * 6


conv.register_autograd(_conv_backward, setup_context=_conv_context)
input_grad.register_autograd(_input_grad_backward, setup_context=_input_grad_context)
weight_grad.register_autograd(_weight_grad_backward, setup_context=_weight_grad_context)
pool.register_autograd(_pool_backward, setup_context=_pool_context)
pool_adjoint.register_autograd(_pool_adjoint_backward, setup_context=_pool_adjoint_context)
