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


class _ByRows(torch.autograd.Function):
    """A linear function of rows, whose columns do not see each other, and of the numbers of rows of each segment."""

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(inputs[1])
        ctx.save_for_forward(inputs[1])

    @classmethod
    def of_batch(cls, in_dims: tuple[int | None, int | None], x: Tensor, counts: Tensor) -> tuple[Tensor, int]:
        """Apply it to a batch, whose members stand beside each other as columns."""
        place, of_counts = in_dims
        if of_counts is not None:
            raise RuntimeError("batch cannot be vmapped: the sizes of clouds have to be the same in each call")
        columns = x.unsqueeze(-1) if place is None else x.movedim(place, -1)  # (n, d, B)
        reduced: Tensor = cls.apply(columns.flatten(1), counts)  # type: ignore[no-untyped-call]
        return reduced.unflatten(1, columns.shape[1:]), 2


class _Sum(_ByRows):
    """Add the rows of each segment; PyTorch's segment sum has no second derivative, its index_add no fixed order."""

    @staticmethod
    def forward(x: Tensor, counts: Tensor) -> Tensor:
        return torch.segment_reduce(x, "sum", lengths=counts, unsafe=True)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, None]:
        spread: Tensor = _Spread.apply(gradients[0], *ctx.saved_tensors)  # type: ignore[no-untyped-call]
        return spread, None

    @staticmethod
    def jvp(ctx: Any, x_t: Tensor, counts_t: None) -> Tensor:
        added: Tensor = _Sum.apply(x_t.contiguous(), *ctx.saved_tensors)  # type: ignore[no-untyped-call]
        return added

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, int | None], x: Tensor, counts: Tensor) -> tuple[Tensor, int]:
        return _Sum.of_batch(in_dims, x, counts)


class _Spread(_ByRows):
    """Give every row of a segment the segment's value: the adjoint of the sum."""

    @staticmethod
    def forward(y: Tensor, counts: Tensor) -> Tensor:
        return y.repeat_interleave(counts, dim=0)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, None]:
        added: Tensor = _Sum.apply(gradients[0].contiguous(), *ctx.saved_tensors)  # type: ignore[no-untyped-call]
        return added, None

    @staticmethod
    def jvp(ctx: Any, y_t: Tensor, counts_t: None) -> Tensor:
        spread: Tensor = _Spread.apply(y_t, *ctx.saved_tensors)  # type: ignore[no-untyped-call]
        return spread

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, int | None], y: Tensor, counts: Tensor) -> tuple[Tensor, int]:
        return _Spread.of_batch(in_dims, y, counts)


def _maximum(x: Tensor, counts: Tensor) -> Tensor:
    """Reduce cloud by cloud: of few segments, as clouds are, that is several times faster than a segmented maximum."""
    parts = x.split(counts.tolist()) if len(counts) else ()
    return torch.stack([part.amax(dim=0) if len(part) else part.sum(dim=0) for part in parts]) if parts else x[:0]
