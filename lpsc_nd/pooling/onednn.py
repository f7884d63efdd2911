"""Float32 products by oneDNN, through the operators that PyTorch's own compiler calls.

As a linear layer, into memory of its own; every call brings the right-hand side into oneDNN's order. Or as a
convolution of single cells, which adds into memory that is there, with weights that were brought into that order once:
(1024, 832) by (832, 64), on a processor with AVX2, at 63 GFLOP/s as the one and at 74 as the other.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

_AVAILABLE = torch.backends.mkldnn.is_available()

HAS_LINEAR = _AVAILABLE and hasattr(torch.ops.mkldnn, "_linear_pointwise")
"""Whether :func:`linear` can be called."""

HAS_CONVOLUTION = (
    _AVAILABLE
    and hasattr(torch.ops.mkldnn, "_convolution_pointwise")
    and hasattr(torch.ops.mkldnn, "_convolution_pointwise_")
    and hasattr(torch.ops.mkldnn, "_reorder_convolution_weight")
)
"""Whether weights of convolutions can be packed, and :func:`convolver` be called."""

USUAL_ROWS = 1024
"""Rows for which the order of weights is asked; it is the same for other numbers."""

_CELL = ([0, 0], [1, 1], [1, 1], 1)  # padding, stride, dilation and groups


def linear(left: Tensor, right: Tensor, bias: Tensor | None) -> Tensor:
    """Return ``left @ right.T + bias``: (m, k), (n, k), (n,) -> (m, n)."""
    bias = None if bias is None else bias.contiguous()  # oneDNN reads it without its stride
    return torch.ops.mkldnn._linear_pointwise(left, right, bias, "none", [], "")


def convolver(right: Tensor, bias: Tensor | None) -> Callable[[Tensor, Tensor], None]:
    """Return what writes ``left @ right.T + bias`` into ``target`` for any left-hand side.

    Args:
        right: (n, k), n and k at least 1.
        bias: (n,), or None.

    Returns:
        A function of ``target``, (m, n), and ``left``, (m, k).
    """
    columns, depth = right.shape
    kernel = right.reshape(columns, depth, 1, 1)
    packed = torch.ops.mkldnn._reorder_convolution_weight(kernel, *_CELL, [1, depth, 1, USUAL_ROWS])
    bias = None if bias is None else bias.contiguous()
    return lambda target, left: convolve_into(target, left, packed, bias)


def convolve_into(target: Tensor, left: Tensor, packed: Tensor, bias: Tensor | None) -> None:
    """Write ``left @ right.T + bias`` for a right-hand side that :func:`convolver` has packed."""
    add = torch.ops.mkldnn._convolution_pointwise_.binary
    target.zero_()
    add(_as_picture(target), _as_picture(left), packed, bias, *_CELL, "add", 1.0, None, [], None)


def _as_picture(matrix: Tensor) -> Tensor:
    """View (rows, channels) as a picture of one row, channels last: (1, channels, 1, rows)."""
    (rows, channels), (step, apart) = matrix.shape, matrix.stride()
    return matrix.as_strided((1, channels, 1, rows), (rows * step, apart, rows * step, step))
