"""The point engine as PyTorch operators: one opaque node each in a traced graph.

The neighbourhood travels as the plain arguments of :class:`Links`. Derivatives are in
:mod:`lpsc_nd.pooling.point_derivatives`.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from lpsc_nd.pooling import point_bags, vmapping
from lpsc_nd.pooling.operator import operator
from lpsc_nd.pooling.point_plan import Links
from lpsc_nd.pooling.table import compute_dtype

_LINKS = "Tensor indptr, Tensor indices, Tensor centers, int num_regions, bool center, bool mean"


@operator(
    "lpsc::point_conv",
    f"(Tensor x, Tensor weight, Tensor? bias, int groups, {_LINKS}) -> Tensor",
)
def conv(x: Tensor, weight: Tensor, bias: Tensor | None, groups: int, *links: Any) -> Tensor:
    """Pool and mix: (S, C), (C', C / groups, bags), (C',) -> (Q, C')."""
    return point_bags.conv(x, weight, bias, Links(*links), groups)


@operator(
    "lpsc::point_input_grad",
    f"(Tensor gy, Tensor weight, SymInt num_sources, int groups, {_LINKS}) -> Tensor",
)
def input_grad(gy: Tensor, weight: Tensor, num_sources: int, groups: int, *links: Any) -> Tensor:
    """Carry an output gradient back to the sources: (Q, C') -> (S, C)."""
    return point_bags.input_grad(gy, weight, Links(*links), groups, num_sources)


@operator("lpsc::point_weight_grad", f"(Tensor x, Tensor gy, int groups, {_LINKS}) -> Tensor")
def weight_grad(x: Tensor, gy: Tensor, groups: int, *links: Any) -> Tensor:
    """Sum over queries the products of output gradient and pooled sources: (C', C / groups, bags)."""
    return point_bags.weight_grad(x, gy, Links(*links), groups)


@conv.registered.register_fake
def _(x: Tensor, weight: Tensor, bias: Tensor | None, groups: int, *links: Any) -> Tensor:
    return x.new_empty((Links(*links).num_queries, weight.shape[0]))


@input_grad.registered.register_fake
def _(gy: Tensor, weight: Tensor, num_sources: int, groups: int, *links: Any) -> Tensor:
    return gy.new_empty((num_sources, weight.shape[1] * groups))


@weight_grad.registered.register_fake
def _(x: Tensor, gy: Tensor, groups: int, *links: Any) -> Tensor:
    shape = (gy.shape[1], x.shape[1] // groups, Links(*links).num_bags)
    return x.new_empty(shape, dtype=compute_dtype(x.dtype))


for _operator in (conv, input_grad, weight_grad):
    _operator.registered.register_vmap(vmapping.looped(_operator))
