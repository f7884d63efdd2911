"""The matrix product of the CPU engine.

PyTorch hands ``torch.mm`` to the BLAS it was built with. Where that is MKL, it is the fastest on Intel's processors,
and writes or adds into memory that is there. On others MKL keeps to AVX2, while oneDNN, which serves PyTorch's own
convolutions, uses AVX-512: twice as fast on the processor where it was measured. Both take the same operands, so
float32 products go to oneDNN when PyTorch has it and the processor is not Intel's.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lpsc_nd.pooling.processor import is_intel

HAS_ONEDNN_LINEAR = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")

PREFERS_BLAS = not HAS_ONEDNN_LINEAR or (torch.backends.mkl.is_available() and is_intel())
"""Whether float32 products go to the BLAS on this machine."""


def product(left: Tensor, right: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return ``left @ right.T + bias``: (m, k), (n, k), (n,) -> (m, n)."""
    if takes_onednn(left):
        bias = None if bias is None else bias.contiguous()  # oneDNN reads it without its stride
        return torch.ops.mkldnn._linear_pointwise(left, right, bias, "none", [], "")
    return left @ right.T if bias is None else torch.addmm(bias, left, right.T)


def transposed_product(left: Tensor, right: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return ``(left @ right.T + bias).T``, contiguous: (m, k), (n, k), (n,) -> (n, m)."""
    if not takes_onednn(left):  # a matrix is transposed in less time than the BLAS loses on so few rows
        return product(left, right, bias).T.contiguous()
    mixed = product(right, left)
    return mixed if bias is None else mixed.add_(bias[:, None])


def write_product(target: Tensor, left: Tensor, right: Tensor, bias: Tensor | None = None) -> None:
    """Write ``left @ right.T + bias`` into ``target``, of any type, with m times n elements, n innermost."""
    is_matrix = target.ndim == 2 and target.stride(1) == 1
    if takes_onednn(left) or target.dtype != left.dtype or not (is_matrix or target.is_contiguous()):
        target.copy_(product(left, right, bias).view(target.shape))
    else:
        _multiply_into(target if is_matrix else target.view(len(left), -1), left, right, bias)


def _multiply_into(out: Tensor, left: Tensor, right: Tensor, bias: Tensor | None) -> None:
    if bias is None:
        torch.mm(left, right.T, out=out)
    else:
        torch.addmm(bias, left, right.T, out=out)


def add_product(total: Tensor, left: Tensor, right: Tensor) -> None:
    """Add ``left @ right.T`` to ``total``, which has its type: (m, n), (m, k), (n, k)."""
    if takes_onednn(left):
        total.add_(product(left, right))
    else:
        total.addmm_(left, right.T)


def arranged(weight: Tensor) -> Tensor:
    """Lay weights (C', C / groups, bags) out as their product reads them fastest.

    C' is outermost for oneDNN and innermost for the BLAS; the bags come before C, as in a pooled tile.
    """
    order = (0, 2, 1) if takes_onednn(weight) else (2, 1, 0)  # each its own inverse
    return weight.permute(order).contiguous().permute(order)


def takes_onednn(left: Tensor) -> bool:
    """Tell whether a product with this operand goes to oneDNN."""
    return (
        not PREFERS_BLAS
        and left.device.type == "cpu"
        and left.dtype == torch.float32
        and left.numel() > 0
        and bool(torch.backends.mkldnn.enabled)
    )
