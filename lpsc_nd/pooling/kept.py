"""Dense kernels that are kept from call to call, where nobody differentiates.

Writing a layer's weights into a dense kernel takes 0.03 ms, in cold caches 0.1 ms and more: a fifth of the whole
convolution of a small stem. An optimiser or ``weight.data`` may change weights in place without a trace, so a kept
kernel serves only as long as the weights are, value by value, those that it was written from. To compare them takes
0.003 ms.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.weak import WeakTensorKeyDictionary

from lpsc_nd.geometry import Reduction
from lpsc_nd.pooling.dense_kernel import layer_kernel
from lpsc_nd.pooling.plain import is_plain
from lpsc_nd.pooling.window import Window

KEPT_ELEMENTS = 2**18
"""Largest kernel that is kept: one MiB in float32. What is larger takes far longer to convolve with than to write."""


class Kept(NamedTuple):
    """A kernel, and all that it was made from."""

    weight: Tensor
    center_weight: Tensor | None
    token: str
    reduction: Reduction
    kernel: Tensor

    def is_of(self, weight: Tensor, center_weight: Tensor | None) -> bool:
        """Tell whether the weights are, value by value, those that the kernel was written from."""
        return _same(self.weight, weight) and _same(self.center_weight, center_weight)


_kept: MutableMapping[Tensor, Kept] = WeakTensorKeyDictionary()  # forgotten with the parameter


def kernel_of(
    weight: Tensor, center_weight: Tensor | None, window: Window, reduction: Reduction, dtype: torch.dtype
) -> Tensor:
    """Return the dense kernel (C', C / groups, *kernel_size) of a layer's weights in ``dtype``: a kept one if it fits.

    Kept are kernels of parameters, not of tensors that were computed from them.
    """
    size = weight.shape[0] * weight.shape[1] * window.stencil.num_cells
    if size > KEPT_ELEMENTS or not isinstance(weight, nn.Parameter) or not is_plain(weight):
        return layer_kernel(weight, center_weight, window, reduction).to(dtype)
    found = find(weight)
    if found is not None and _fits(found, weight, center_weight, window, reduction, dtype):
        return found.kernel
    with torch.inference_mode(False), torch.no_grad():
        kernel = layer_kernel(weight, center_weight, window, reduction).to(dtype)
        copied = None if center_weight is None else center_weight.clone()
        _kept[weight] = Kept(weight.detach().clone(), copied, window.stencil.token, reduction, kernel)
    return kernel


def find(weight: Tensor) -> Kept | None:
    """Return what is kept for a parameter, which may be of other weights by now."""
    return _kept.get(weight)


def _fits(
    kept: Kept,
    weight: Tensor,
    center_weight: Tensor | None,
    window: Window,
    reduction: Reduction,
    dtype: torch.dtype,
) -> bool:
    """Tell whether a kernel is the one that would be written now."""
    if kept.kernel.dtype != dtype or kept.reduction != reduction or kept.token != window.stencil.token:
        return False
    return kept.is_of(weight, center_weight)


def _same(first: Tensor | None, second: Tensor | None) -> bool:
    if first is None or second is None:
        return first is second
    return first.dtype == second.dtype and torch.equal(first, second)
