"""Sums, means and maxima over consecutive rows, in the order of the rows and differentiable any number of times."""

from __future__ import annotations

import math
from typing import Any, Literal, get_args

import torch
from torch import Tensor

PoolReduction = Literal["mean", "sum", "max"]
POOL_REDUCTIONS: tuple[str, ...] = get_args(PoolReduction)


def reduce_segments(x: Tensor, counts: Tensor, reduction: PoolReduction) -> Tensor:
    """Reduce ``counts[k]`` rows at a time; an empty segment gives 0.

    Sums are taken in float64, since their rows may be many. Equal maxima share the gradient.

    Shape:
        x (n, ...), counts (k,) that add up to n; the result is (k, ...).
    """
    flat = x.reshape(len(x), math.prod(x.shape[1:]))
    if reduction == "max":
        reduced = _maximum(flat, counts)
    else:
        reduced = _Sum.apply(flat.double(), counts)  # type: ignore[no-untyped-call]
        if reduction == "mean":
            reduced = reduced / counts.clamp(min=1).unsqueeze(1)
    return reduced.to(x.dtype).reshape(len(counts), *x.shape[1:])


class _Sum(torch.autograd.Function):
    """Add the rows of each segment; PyTorch's segment sum has no second derivative, its index_add no fixed order."""

    @staticmethod
    def forward(x: Tensor, counts: Tensor) -> Tensor:
        return torch.segment_reduce(x, "sum", lengths=counts, unsafe=True)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(inputs[1])

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, None]:
        (counts,) = ctx.saved_tensors
        spread: Tensor = _Spread.apply(gradients[0], counts)  # type: ignore[no-untyped-call]
        return spread, None


class _Spread(torch.autograd.Function):
    """Give every row of a segment the segment's value: the adjoint of the sum."""

    @staticmethod
    def forward(y: Tensor, counts: Tensor) -> Tensor:
        return y.repeat_interleave(counts, dim=0)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(inputs[1])

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, None]:
        (counts,) = ctx.saved_tensors
        added: Tensor = _Sum.apply(gradients[0].contiguous(), counts)  # type: ignore[no-untyped-call]
        return added, None


def _maximum(x: Tensor, counts: Tensor) -> Tensor:
    """Reduce cloud by cloud: of few segments, as clouds are, that is several times faster than a segmented maximum."""
    parts = x.split(counts.tolist()) if len(counts) else ()
    return torch.stack([part.amax(dim=0) if len(part) else part.sum(dim=0) for part in parts]) if parts else x[:0]
