"""What is made of a layer's weights and kept from call to call, where nobody differentiates.

Writing weights into a dense kernel takes 0.03 ms, in cold caches 0.1 ms and more: a fifth of the whole convolution of a
small stem. Arranging them for the product of the bag engine takes nearly as long. An optimiser or ``weight.data`` may
change weights in place without a trace, so what is kept serves only as long as the weights are, byte by byte, those
that it was made from. To compare them takes 0.002 ms.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.weak import WeakTensorKeyDictionary

from lpsc_nd.geometry import Reduction
from lpsc_nd.pooling.dense_kernel import layer_kernel
from lpsc_nd.pooling.folding import fold
from lpsc_nd.pooling.plain import is_plain
from lpsc_nd.pooling.product import arranged
from lpsc_nd.pooling.snapshot import Snapshot
from lpsc_nd.pooling.window import Window

KEPT_ELEMENTS = 2**18
"""Most elements that are kept: one MiB in float32. What is larger takes far longer to convolve with than to make."""

Make = Callable[[Tensor, Tensor | None, Window, Reduction, torch.dtype], Tensor]


class Kept(NamedTuple):
    """Something made of weights, and all that it was made from."""

    weight: Snapshot
    center_weight: Snapshot | None
    token: str
    reduction: Reduction
    made: Tensor

    def is_of(self, weight: Tensor, center_weight: Tensor | None) -> bool:
        """Tell whether the weights are, byte by byte, those that it was made from."""
        if self.center_weight is None or center_weight is None:
            return self.center_weight is None and center_weight is None and self.weight.is_of(weight)
        return self.weight.is_of(weight) and self.center_weight.is_of(center_weight)


_kernels: MutableMapping[Tensor, Kept] = WeakTensorKeyDictionary()  # forgotten with the parameter
_folded: MutableMapping[Tensor, Kept] = WeakTensorKeyDictionary()


def kernel_of(
    weight: Tensor, center_weight: Tensor | None, window: Window, reduction: Reduction, dtype: torch.dtype
) -> Tensor:
    """Return the dense kernel (C', C / groups, *kernel_size) of a layer's weights in ``dtype``: a kept one if it fits.

    Kept are kernels of parameters, not of tensors that were computed from them.
    """
    size = weight.shape[0] * weight.shape[1] * window.stencil.num_cells
    return _make_or_find(_kernels, _make_kernel, size, weight, center_weight, window, reduction, dtype)


def folded_of(
    weight: Tensor, center_weight: Tensor | None, window: Window, reduction: Reduction, dtype: torch.dtype
) -> Tensor:
    """Return the weights (C', C / groups, bags) as :func:`fold` has them, in ``dtype``: kept ones if they fit.

    They lie in memory in the order of the product, so that ``Mixing.to_matrix`` has nothing to copy.
    """
    size = weight.shape[0] * weight.shape[1] * window.num_bags
    return _make_or_find(_folded, _make_folded, size, weight, center_weight, window, reduction, dtype)


def find_kernel(weight: Tensor, window: Window, reduction: Reduction, dtype: torch.dtype) -> Kept | None:
    """Return the kernel that is kept for a parameter and a window, which may be of other weights by now."""
    return _find(_kernels, weight, window, reduction, dtype)


def find_folded(weight: Tensor, window: Window, reduction: Reduction, dtype: torch.dtype) -> Kept | None:
    """Return the folded weights that are kept for a parameter and a window, which may be of other weights by now."""
    return _find(_folded, weight, window, reduction, dtype)


def forget(parameter: Tensor) -> None:
    """Keep nothing of a parameter any more, and no weak reference to it, which ``torch.utils.swap_tensors`` refuses."""
    _kernels.pop(parameter, None)
    _folded.pop(parameter, None)


def _find(
    kept: MutableMapping[Tensor, Kept], weight: Tensor, window: Window, reduction: Reduction, dtype: torch.dtype
) -> Kept | None:
    found = kept.get(weight)
    return found if found is not None and _is_for(found, window, reduction, dtype) else None


def _make_or_find(
    kept: MutableMapping[Tensor, Kept],
    make: Make,
    size: int,
    weight: Tensor,
    center_weight: Tensor | None,
    window: Window,
    reduction: Reduction,
    dtype: torch.dtype,
) -> Tensor:
    weights = (weight,) if center_weight is None else (weight, center_weight)
    if size > KEPT_ELEMENTS or not isinstance(weight, nn.Parameter) or not is_plain(*weights):
        return make(weight, center_weight, window, reduction, dtype)
    found = _find(kept, weight, window, reduction, dtype)
    if found is not None and found.is_of(weight, center_weight):
        return found.made
    with torch.inference_mode(False), torch.no_grad():
        made = make(weight, center_weight, window, reduction, dtype)
        if all(map(Snapshot.takes, weights)):
            copied = None if center_weight is None else Snapshot(center_weight)
            kept[weight] = Kept(Snapshot(weight), copied, window.stencil.token, reduction, made)
    return made


def _make_kernel(
    weight: Tensor, center_weight: Tensor | None, window: Window, reduction: Reduction, dtype: torch.dtype
) -> Tensor:
    return layer_kernel(weight, center_weight, window, reduction).to(dtype)


def _make_folded(
    weight: Tensor, center_weight: Tensor | None, window: Window, reduction: Reduction, dtype: torch.dtype
) -> Tensor:
    return arranged(fold(weight, center_weight, window.stencil, reduction, dtype))


def _is_for(kept: Kept, window: Window, reduction: Reduction, dtype: torch.dtype) -> bool:
    return kept.made.dtype == dtype and kept.reduction == reduction and kept.token == window.stencil.token
