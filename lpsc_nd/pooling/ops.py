"""The bag engine as PyTorch operators: one opaque node each in a traced graph.

The window travels as plain arguments (:attr:`Window.args`), so that a graph is complete by itself. Derivatives are in
:mod:`lpsc_nd.pooling.derivatives`, batching rules for ``torch.func.vmap`` in :mod:`lpsc_nd.pooling.vmapping`.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from lpsc_nd.pooling import bags
from lpsc_nd.pooling.layout import empty_sites
from lpsc_nd.pooling.operator import operator
from lpsc_nd.pooling.table import compute_dtype
from lpsc_nd.pooling.window import Window

_WINDOW = "str stencil, bool center, int[] stride, int[] padding, int[] dilation"


@operator("lpsc::conv", f"(Tensor x, Tensor weight, Tensor? bias, int groups, {_WINDOW}) -> Tensor")
def conv(x: Tensor, weight: Tensor, bias: Tensor | None, groups: int, *window: Any) -> Tensor:
    """Pool and mix: (B, C, *in), (C', C / groups, bags), (C',) -> (B, C', *out)."""
    return bags.conv(x, weight, bias, Window.from_args(*window), groups)


@operator(
    "lpsc::input_grad",
    f"(Tensor gy, Tensor weight, SymInt[] input_size, int groups, {_WINDOW}) -> Tensor",
)
def input_grad(gy: Tensor, weight: Tensor, input_size: list[int], groups: int, *window: Any) -> Tensor:
    """Carry an output gradient back to the input: (B, C', *out) -> (B, C, *in)."""
    return bags.input_grad(gy, weight, Window.from_args(*window), groups, input_size)


@operator("lpsc::weight_grad", f"(Tensor x, Tensor gy, int groups, {_WINDOW}) -> Tensor")
def weight_grad(x: Tensor, gy: Tensor, groups: int, *window: Any) -> Tensor:
    """Sum over sites the products of output gradient and pooled input: (C', C / groups, bags)."""
    return bags.weight_grad(x, gy, Window.from_args(*window), groups).contiguous()


@operator(
    "lpsc::both_grads",
    f"(Tensor x, Tensor gy, Tensor weight, int groups, {_WINDOW}) -> (Tensor, Tensor)",
)
def both_grads(x: Tensor, gy: Tensor, weight: Tensor, groups: int, *window: Any) -> tuple[Tensor, Tensor]:
    """Return input and weight gradient from one pooling of gy; the stride is 1."""
    gx, gw = bags.both_grads(x, gy, weight, Window.from_args(*window), groups)
    return gx, gw.contiguous()


@operator("lpsc::pool", f"(Tensor x, {_WINDOW}) -> Tensor")
def pool(x: Tensor, *window: Any) -> Tensor:
    """Sum every bag: (B, C, *in) -> (B, C, bags, *out)."""
    return bags.pool(x, Window.from_args(*window))


@operator("lpsc::pool_adjoint", f"(Tensor z, SymInt[] input_size, {_WINDOW}) -> Tensor")
def pool_adjoint(z: Tensor, input_size: list[int], *window: Any) -> Tensor:
    """Add every bag's value to its cells: (B, C, bags, *out) -> (B, C, *in)."""
    return bags.pool_adjoint(z, Window.from_args(*window), input_size)


@conv.registered.register_fake
def _(x: Tensor, weight: Tensor, bias: Tensor | None, groups: int, *window: Any) -> Tensor:
    return empty_sites(x, weight.shape[0], Window.from_args(*window).output_size(x.shape[2:]))


@input_grad.registered.register_fake
def _(gy: Tensor, weight: Tensor, input_size: list[int], groups: int, *window: Any) -> Tensor:
    return empty_sites(gy, weight.shape[1] * groups, tuple(input_size))


@weight_grad.registered.register_fake
def _(x: Tensor, gy: Tensor, groups: int, *window: Any) -> Tensor:
    shape = (gy.shape[1], x.shape[1] // groups, Window.from_args(*window).num_bags)
    return x.new_empty(shape, dtype=compute_dtype(x.dtype))


@both_grads.registered.register_fake
def _(x: Tensor, gy: Tensor, weight: Tensor, groups: int, *window: Any) -> tuple[Tensor, Tensor]:
    return empty_sites(gy, x.shape[1], tuple(x.shape[2:])), weight.new_empty(weight.shape)


@pool.registered.register_fake
def _(x: Tensor, *window: Any) -> Tensor:
    laid = Window.from_args(*window)
    return x.new_empty((*x.shape[:2], laid.num_bags, *laid.output_size(x.shape[2:])))


@pool_adjoint.registered.register_fake
def _(z: Tensor, input_size: list[int], *window: Any) -> Tensor:
    return z.new_empty((*z.shape[:2], *input_size))
