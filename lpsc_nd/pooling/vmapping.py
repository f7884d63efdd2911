"""Batching rules of the bag operators for ``torch.func.vmap``.

Where only the data are batched, the new axis joins the batch, and one call does it all. Where weights are batched, or a
weight gradient is wanted per sample, the calls are as many as the samples: each is a product of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from lpsc_nd.pooling import ops

Rule = Callable[..., tuple[Any, Any]]


def folded(operator: Any) -> Rule:
    """Return the rule of an operator whose first argument alone is usually batched."""
    each = looped(operator)

    def rule(info: Any, in_dims: tuple[Any, ...], data: Tensor, *rest: Any) -> tuple[Any, Any]:
        if in_dims[0] is None or any(isinstance(dim, int) for dim in in_dims[1:]):
            return each(info, in_dims, data, *rest)
        together = data.movedim(in_dims[0], 0).flatten(0, 1)
        return operator(together, *rest).unflatten(0, (info.batch_size, -1)), 0

    return rule


def looped(operator: Any) -> Rule:
    """Return the rule that calls an operator once per sample."""

    def rule(info: Any, in_dims: tuple[Any, ...], *arguments: Any) -> tuple[Any, Any]:
        results = []
        for sample in range(info.batch_size):
            chosen = [
                argument.select(dim, sample) if isinstance(dim, int) else argument
                for argument, dim in zip(arguments, in_dims, strict=True)
            ]
            results.append(operator(*chosen))
        if isinstance(results[0], tuple):
            return tuple(torch.stack(parts) for parts in zip(*results, strict=True)), (0,) * len(results[0])
        return torch.stack(results), 0

    return rule


def register() -> None:
    """Give every bag operator its rule."""
    for operator in (ops.conv, ops.input_grad, ops.pool, ops.pool_adjoint):
        operator.registered.register_vmap(folded(operator))
    ops.weight_grad.registered.register_vmap(looped(ops.weight_grad))
    ops.both_grads.registered.register_vmap(looped(ops.both_grads))
