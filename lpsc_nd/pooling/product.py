"""The matrix product of the CPU engine.

PyTorch hands ``torch.mm`` to the BLAS it was built with. Where that is MKL, it is the fastest on Intel's processors,
and writes or adds into memory that is there. On others MKL keeps to AVX2, while oneDNN, which serves PyTorch's own
convolutions, uses AVX-512: twice as fast on the processor where it was measured. Both take the same operands, so
float32 products go to oneDNN when PyTorch has it and the processor is not Intel's. Where there is no AVX-512, sums of
products, the weight gradient, are MKL's all the same, and oneDNN writes products in place, as convolutions.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from lpsc_nd.pooling import onednn
from lpsc_nd.pooling.layout import transposed
from lpsc_nd.pooling.processor import is_avx2_at_most, is_intel
from lpsc_nd.pooling.threads import add_into, add_into_columns, equal_parts, multiply_into, multiply_whole

PREFERS_BLAS = not onednn.HAS_LINEAR or (torch.backends.mkl.is_available() and is_intel())
"""Whether float32 products go to the BLAS on this machine."""

SUMS_BY_BLAS = PREFERS_BLAS or (torch.backends.mkl.is_available() and is_avx2_at_most())
"""Whether float32 products that are added up go to the BLAS."""

CONVOLVES = onednn.HAS_CONVOLUTION and is_avx2_at_most()
"""Whether oneDNN writes products in place, where it is oneDNN's to multiply."""

NARROW = 32
"""Columns from which a convolution is the faster product, and up to which a transposed sum is the slower one."""


def product(left: Tensor, right: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return ``left @ right.T + bias``: (m, k), (n, k), (n,) -> (m, n)."""
    if takes_onednn(left):
        return onednn.linear(left, right, bias)
    out = left.new_empty(len(left), len(right))
    multiply_into(out, left, right.T, bias)
    return out


def transposed_product(left: Tensor, right: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return ``(left @ right.T + bias).T``, contiguous: (m, k), (n, k), (n,) -> (n, m)."""
    if not takes_onednn(left):  # a matrix is transposed in less time than the BLAS loses on so few rows
        return transposed(product(left, right, bias))
    mixed = product(right, left)
    return mixed if bias is None else mixed.add_(bias[:, None])


def write_product(target: Tensor, left: Tensor, right: Tensor, bias: Tensor | None = None) -> None:
    """Write ``left @ right.T + bias`` into ``target``, of any type, with m times n elements, n innermost."""
    is_matrix = target.ndim == 2 and target.stride(1) == 1
    if takes_onednn(left) or target.dtype != left.dtype or not (is_matrix or target.is_contiguous()):
        target.copy_(product(left, right, bias).view(target.shape))
    else:
        multiply_into(target if is_matrix else target.view(len(left), -1), left, right.T, bias)


def multiplier(right: Tensor, bias: Tensor | None, dtype: torch.dtype) -> Callable[[Tensor, Tensor], None]:
    """Return :func:`write_product` from ``target`` and ``left`` for one right-hand side.

    Args:
        right: (n, k).
        bias: (n,), or None.
        dtype: type of the targets, (m, n), which are contiguous as the left-hand sides are.
    """
    if _is_convolved(right) and dtype == right.dtype:
        return onednn.convolver(right, bias)
    if takes_onednn(right) or dtype != right.dtype or torch.get_num_threads() > 1:
        return lambda target, left: write_product(target, left, right, bias)
    turned = right.T
    return lambda target, left: multiply_whole(target, left, turned, bias)


def writes_in_place(right: Tensor) -> bool:
    """Tell whether :func:`multiplier` writes contiguous targets of the type of ``right``, (n, k), in place."""
    return not takes_onednn(right) or _is_convolved(right)


def _is_convolved(right: Tensor) -> bool:
    return CONVOLVES and len(right) >= NARROW and takes_onednn(right)


def add_product(total: Tensor, left: Tensor, right: Tensor) -> None:
    """Add ``left @ right.T`` to ``total``, which has its type: (m, n), (m, k), (n, k)."""
    if takes_onednn(left):
        total.add_(product(left, right))
    else:
        add_into(total, left, right.T)


def add_columns(total: Tensor, left: Tensor, right: Tensor) -> None:
    """Add ``left @ right`` to a sum of :func:`zero_columns`: (parts, m, n / parts), (m, k), (k, n)."""
    if takes_onednn(left) and not SUMS_BY_BLAS:
        total[0].add_(product(left, right.T))
    else:
        add_into_columns(total, left, right)


def zero_columns(rows: int, columns: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return the sum (parts, m, n / parts) to which :func:`add_columns` adds; a part of the columns for each thread."""
    shares = device.type == "cpu" and (SUMS_BY_BLAS or dtype != torch.float32)
    parts = equal_parts(columns, torch.get_num_threads()) if shares else 1
    if rows > NARROW and SUMS_BY_BLAS and not PREFERS_BLAS:  # MKL takes a twentieth less so, with AVX2
        return torch.zeros((parts, columns // parts, rows), dtype=dtype, device=device).transpose(1, 2)
    return torch.zeros((parts, rows, columns // parts), dtype=dtype, device=device)


def arranged(weight: Tensor) -> Tensor:
    """Lay weights (C', C / groups, bags) out as their product reads them fastest.

    C' is outermost for oneDNN and innermost for the BLAS; the bags come before C, as in a pooled tile.
    """
    order = (0, 2, 1) if takes_onednn(weight) else (2, 1, 0)  # each its own inverse
    turned = weight.permute(order)
    return weight if turned.is_contiguous() else turned.contiguous().permute(order)


def takes_onednn(left: Tensor) -> bool:
    """Tell whether a product with this operand goes to oneDNN."""
    return (
        not PREFERS_BLAS
        and left.device.type == "cpu"
        and left.dtype == torch.float32
        and left.numel() > 0
        and bool(torch.backends.mkldnn.enabled)
    )
