"""Dense kernels of windows whose regions are single cells, as those of 3 x 3: the weights in another order.

The product that writes any window's kernel has as many columns as cells there, and is slow where these are few. Here
the cells are put in their places as the kernel lies in memory, and its gradient's values back into theirs.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.autograd import Function

from lpsc_nd.geometry import Stencil
from lpsc_nd.pooling.differentiable import Gradients
from lpsc_nd.pooling.layout import CHANNELS_LAST
from lpsc_nd.pooling.plain import is_dual, is_ordinary, is_traced, is_transformed, is_watched
from lpsc_nd.pooling.window import Window


class Order(NamedTuple):
    """Which cell is which bag.

    Args:
        bag_of: the bag of each cell, (cells,).
        cell_of: the cell of each bag, (bags,).
        size: cells of the window, per axis.
        axis: where cells and bags are in memory: 1, before the input channels, or 2, after them.
    """

    bag_of: Tensor
    cell_of: Tensor
    size: tuple[int, ...]
    axis: int


def suits(x: Tensor, weight: Tensor, center_weight: Tensor | None) -> bool:
    """Tell whether a kernel is written for a graph, in eager code that nobody transforms, in the type of the input.

    A mode may watch, as what a call saves must not depend on that: a checkpoint may be computed again under others.
    """
    if not torch.is_grad_enabled() or is_traced() or is_transformed() or is_dual():
        return False
    tensors = (weight,) if center_weight is None else (weight, center_weight)
    return all(tensor.dtype == x.dtype and is_ordinary(tensor) for tensor in tensors)


def order_of(window: Window, layout: torch.memory_format, device: torch.device) -> Order | None:
    """Return the order of a window, for kernels of a memory format; None unless each cell is a bag by itself."""
    make = _make if is_watched() else _kept  # a mode's own tensors are of no use outside of it
    return make(window.stencil, window.center, 1 if layout in CHANNELS_LAST.values() else 2, device)


def _make(stencil: Stencil, center: bool, axis: int, device: torch.device) -> Order | None:
    indptr, cells = stencil.bags(center=center)
    if np.any(np.diff(indptr) != 1) or not np.array_equal(np.sort(cells), np.arange(stencil.num_cells)):
        return None
    bag_of, cell_of = (torch.as_tensor(order, device=device) for order in (np.argsort(cells), cells))
    return Order(bag_of, cell_of, stencil.kernel_size, axis)


_kept = lru_cache(maxsize=64)(_make)


def write(weight: Tensor, center_weight: Tensor | None, order: Order) -> Tensor:
    """Write the kernel (C', C / groups, *kernel_size) of weights (C', C / groups, R [+ 1]), differentiably."""
    kernel: Tensor = _Write.apply(weight, center_weight, order)  # type: ignore[no-untyped-call]
    return kernel


class _Write(Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, center_weight: Tensor | None, order: Order) -> Tensor:
        ctx.order, ctx.has_center = order, center_weight is not None
        bags = weight if order.axis == 2 else weight.transpose(1, 2)
        if center_weight is not None:
            bags = torch.cat([bags, center_weight.unsqueeze(order.axis)], dim=order.axis)
        cells = bags.contiguous().index_select(order.axis, order.bag_of)
        kernel = cells.view(*cells.shape[: order.axis], *order.size, *cells.shape[order.axis + 1 :])
        return kernel if order.axis == 2 else kernel.movedim(-1, 1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Gradients:
        if torch.is_grad_enabled():  # to differentiate again
            return *_Read.apply(gradient, ctx.order, ctx.has_center), None  # type: ignore[no-untyped-call]
        return *_read(gradient, ctx.order, ctx.has_center), None


class _Read(Function):
    @staticmethod
    def forward(ctx: Any, gradient: Tensor, order: Order, has_center: bool) -> tuple[Tensor, Tensor | None]:
        ctx.order = order
        return _read(gradient, order, has_center)

    @staticmethod
    def backward(ctx: Any, weight: Tensor, center_weight: Tensor | None) -> Gradients:
        return write(weight, center_weight, ctx.order), None, None


def _read(gradient: Tensor, order: Order, has_center: bool) -> tuple[Tensor, Tensor | None]:
    """Return the gradients of weight and centre weight of that of a kernel."""
    filters, channels = gradient.shape[:2]
    if order.axis == 2:
        bags = gradient.reshape(filters, channels, -1).index_select(2, order.cell_of)
    else:
        rows = gradient.permute(0, *range(2, gradient.ndim), 1).reshape(filters, -1, channels)
        bags = rows.index_select(1, order.cell_of).transpose(1, 2)
    if not has_center:
        return bags.contiguous(), None
    return bags[..., :-1].contiguous(), bags[..., -1].contiguous()
