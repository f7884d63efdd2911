"""PyTorch's convolution with a kernel that was brought into oneDNN's order before.

nn.Conv brings its kernel into the order of the processor's vectors in every call: for an 11 x 11 stem on 8 images a
twentieth of it, and half of what it takes to see that a kernel which was kept still serves. PyTorch packs for channels
last; in the default layout oneDNN may want another order yet, to which it comes sooner from a packed kernel.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from lpsc_nd.pooling.decided import WithWeights
from lpsc_nd.pooling.layout import memory_format
from lpsc_nd.pooling.onednn import HAS_CONVOLUTION

Steps = tuple[int, ...]
"""A number for each axis."""


def packed_convolution(
    x: Tensor, kernel: Tensor, stride: Steps, padding: Steps, dilation: Steps, groups: int
) -> WithWeights | None:
    """Return PyTorch's convolution of inputs of the shape and strides of ``x`` with a kernel as it is now.

    The result is that of ``torch.nn.functional.convNd``, bit by bit and in the same memory format. None where that
    would not call oneDNN, where a mode sees the functions that are called, and for inputs of any other strides than
    PyTorch gives to a tensor of their format.

    Args:
        x: (B, C, *in), of one to three axes.
        kernel: (C', C / groups, *kernel_size), in the memory format of ``x``; later changes are not noticed.
        stride, padding, dilation, groups: those of the convolution.
    """
    if torch._C._len_torch_function_stack() > 0:
        return None
    layout = memory_format(x)
    if x.dtype != torch.float32 or x.stride() != torch.empty(x.shape, device="meta", memory_format=layout).stride():
        return None
    if x.ndim == 3:  # lines are pictures of one row, as PyTorch does it
        how = ((1, *stride), (0, *padding), (1, *dilation), groups)
        convolve = packed_convolution(x.unsqueeze(2), kernel.unsqueeze(2), *how)
        return None if convolve is None else lambda x, bias: convolve(x.unsqueeze(2), bias).squeeze(2)
    if not (HAS_CONVOLUTION and _goes_to_onednn(x, kernel, stride, padding, dilation, groups)):
        return None
    how = (padding, stride, dilation, groups)  # as oneDNN's operators have them
    packed = torch.ops.mkldnn._reorder_convolution_weight(kernel, *how, x.shape)
    return partial(_convolve if layout == torch.contiguous_format else _convolve_channels_last, packed, how)


def _goes_to_onednn(x: Tensor, kernel: Tensor, stride: Steps, padding: Steps, dilation: Steps, groups: int) -> bool:
    plain = (False, (0,) * len(stride))  # not transposed, nothing added to the output
    chosen = torch._C._select_conv_backend(x, kernel, None, stride, padding, dilation, *plain, groups)
    return chosen == torch._C._ConvBackend.Mkldnn  # type: ignore[attr-defined]  # its stub misnames it


def _convolve(packed: Tensor, how: tuple[Steps, Steps, Steps, int], x: Tensor, bias: Tensor | None) -> Tensor:
    bias = None if bias is None else bias.contiguous()  # oneDNN reads it without its stride
    return torch.mkldnn_convolution(x, packed, bias, *how)


def _convolve_channels_last(
    packed: Tensor, how: tuple[Steps, Steps, Steps, int], x: Tensor, bias: Tensor | None
) -> Tensor:
    bias = None if bias is None else bias.contiguous()
    return torch.ops.mkldnn._convolution_pointwise.default(x, packed, bias, *how, "none", [], "")
