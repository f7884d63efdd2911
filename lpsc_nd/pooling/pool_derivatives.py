"""Derivatives of pooling alone, of any order and in both modes: pooling and its adjoint are each other's."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.autograd import Function

from lpsc_nd.pooling import ops
from lpsc_nd.pooling.differentiable import Gradients, call, register


def pool(x: Tensor, *window: Any) -> Tensor:
    """Sum every bag, differentiably; see :func:`ops.pool`."""
    return call(ops.pool, _Pool, x, *window)


def pool_adjoint(z: Tensor, input_size: list[int], *window: Any) -> Tensor:
    """Add every bag's value to its cells, differentiably; see :func:`ops.pool_adjoint`."""
    return call(ops.pool_adjoint, _PoolAdjoint, z, input_size, *window)


class _Pool(Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(*arguments: Any) -> Tensor:
        return ops.pool(*arguments)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, *ctx.window = inputs
        ctx.input_size = list(x.shape[2:])

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Gradients:
        return pool_adjoint(g, ctx.input_size, *ctx.window), *(None,) * 5

    @staticmethod
    def jvp(ctx: Any, x_t: Tensor, *_: Any) -> Tensor:
        return pool(x_t, *ctx.window)


class _PoolAdjoint(Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(*arguments: Any) -> Tensor:
        return ops.pool_adjoint(*arguments)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        _, ctx.input_size, *ctx.window = inputs

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Gradients:
        return pool(g, *ctx.window), *(None,) * 6

    @staticmethod
    def jvp(ctx: Any, z_t: Tensor, *_: Any) -> Tensor:
        return pool_adjoint(z_t, ctx.input_size, *ctx.window)


register(ops.pool, _Pool)
register(ops.pool_adjoint, _PoolAdjoint)
