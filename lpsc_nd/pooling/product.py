"""The matrix product of the CPU engine.

PyTorch hands ``torch.mm`` to the BLAS it was built with. Where that is MKL and the processor is not Intel's, MKL keeps
to AVX2, while oneDNN, which serves PyTorch's own convolutions, uses AVX-512: twice as fast on the processor where it
was measured. Both take the same operands, so float32 products go to oneDNN when PyTorch has it.
"""

from __future__ import annotations

import torch
from torch import Tensor

HAS_ONEDNN_LINEAR = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def product(left: Tensor, right: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return ``left @ right.T + bias``: (m, k), (n, k), (n,) -> (m, n)."""
    if _takes_onednn(left):
        bias = None if bias is None else bias.contiguous()  # oneDNN reads it without its stride
        return torch.ops.mkldnn._linear_pointwise(left, right, bias, "none", [], "")
    return left @ right.T if bias is None else torch.addmm(bias, left, right.T)


def _takes_onednn(left: Tensor) -> bool:
    return (
        HAS_ONEDNN_LINEAR
        and left.device.type == "cpu"
        and left.dtype == torch.float32
        and left.numel() > 0
        and bool(torch.backends.mkldnn.enabled)
    )
