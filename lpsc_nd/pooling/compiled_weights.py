"""A layer's weights in the order of a compiled pass, and their gradients back, each in one move.

Dividing by the regions' counts, joining the centre's weights and bringing all into another order are half a dozen
operators of PyTorch, each of which reads and writes the weights once; between passes, whose tables have taken the
caches, they take twice as long as alone.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lpsc_nd.native.library import MoveKind
from lpsc_nd.native.structures import Weights, address
from lpsc_nd.pooling import compiled_layout
from lpsc_nd.pooling.compiled_layout import filled, lanes_of
from lpsc_nd.pooling.folding import Folding

SHARED_ELEMENTS = 2**16
"""Weights for each thread that moves some of them."""


def suits(weight: Tensor, center_weight: Tensor | None, folding: Folding) -> bool:
    """Tell whether weights lie in memory as they are made, in the type of accumulation."""
    tensors = (weight,) if center_weight is None else (weight, center_weight)
    return all(
        tensor.is_contiguous() and tensor.dtype == folding.dtype and not (tensor.is_neg() or tensor._is_zerotensor())
        for tensor in tensors
    )


def lay(weight: Tensor, center_weight: Tensor | None, folding: Folding, *, turned: bool) -> Tensor:
    """Divide and join weights (C', C, R), (C', C); lay them out as (bags, C', columns), turned as (bags, C, columns).

    The columns are the other channels, in whole vectors.
    """
    outputs, inputs, regions = weight.shape
    rows, columns = (inputs, outputs) if turned else (outputs, inputs)
    bags = regions + (center_weight is not None)
    laid = weight.new_empty((bags, rows, filled(columns, lanes_of(weight.dtype))))
    _move("lay", weight, center_weight, folding, laid, turned)
    return laid


def take(
    laid: Tensor, weight: Tensor, center_weight: Tensor | None, folding: Folding, *, turned: bool
) -> tuple[Tensor, Tensor | None]:
    """Return the gradients of weights that were laid out, of those of what :func:`lay` gave."""
    gradient = torch.empty_like(weight)
    of_center = None if center_weight is None else torch.empty_like(center_weight)
    _move("take", gradient, of_center, folding, laid, turned)
    return gradient, of_center


def _move(
    kind: MoveKind, weight: Tensor, center_weight: Tensor | None, folding: Folding, laid: Tensor, turned: bool
) -> None:
    kernels = compiled_layout.KERNELS
    if kernels is None:
        raise RuntimeError("there are no compiled kernels for this processor")
    outputs, inputs, regions = weight.shape
    threads = torch.get_num_threads() if kernels.parallel else 1
    job = Weights(
        outputs=outputs,
        inputs=inputs,
        regions=regions,
        turned=turned,
        parts=max(1, min(threads, weight.numel() // SHARED_ELEMENTS)),
        weight=address(weight),
        center=None if center_weight is None else address(center_weight),
        divisors=None if folding.divisors is None else address(folding.divisors),
        laid=address(laid),
    )
    kernels.move(kind, weight.dtype, job)
