"""A layer of the bag engine, from its own parameters to its output, as one ``autograd.Function``.

To divide and join the weights, and to part and divide their gradient, takes half a dozen operators. As nodes of a graph
each costs 0.01 to 0.02 ms between other calls, whose code is out of the caches then. Here they run within one node.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from lpsc_nd.geometry import Reduction
from lpsc_nd.pooling import derivatives, layer_passes, ops
from lpsc_nd.pooling.decided import Parameters, Run
from lpsc_nd.pooling.differentiable import Gradients
from lpsc_nd.pooling.folding import Folding
from lpsc_nd.pooling.layer_passes import Layer, LayerGradients, LayerWeights
from lpsc_nd.pooling.plain import is_dual, is_plain, is_plain_tensor, is_traced, is_transformed, is_watched
from lpsc_nd.pooling.table import compute_dtype
from lpsc_nd.pooling.window import Window


def suits(x: Tensor, parameters: Parameters) -> bool:
    """Tell whether a call has a graph, in eager code on the CPU that nobody transforms or traces; a mode may watch it.

    What a call saves must not depend on who watches: a checkpoint may be computed again under other modes.
    """
    if not torch.is_grad_enabled() or is_traced() or is_transformed() or is_dual():
        return False
    return all(tensor is None or is_plain_tensor(tensor) for tensor in (x, *parameters))


def conv(x: Tensor, parameters: Parameters, window: Window, groups: int, reduction: Reduction) -> Tensor:
    """Pool and mix, differentiably to any order: (B, C, *in), (C', C / groups, R) -> (B, C', *out)."""
    return prepared(x, window, groups, reduction)(x, *parameters)


def prepared(x: Tensor, window: Window, groups: int, reduction: Reduction) -> Run:
    """Return :func:`conv` for inputs of the type of ``x``, with all else looked up before."""
    folding = Folding.of(window.stencil, reduction, x.new_empty(0, dtype=compute_dtype(x.dtype)))
    layer = Layer(window, window.args, groups, folding)

    def run(x: Tensor, weight: Tensor, center_weight: Tensor | None, bias: Tensor | None) -> Tensor:
        y: Tensor = _Conv.apply(x, weight, center_weight, bias, layer)  # type: ignore[no-untyped-call]
        return y

    return run


class _Conv(Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, center_weight: Tensor | None, bias: Tensor | None, layer: Layer
    ) -> Tensor:
        ctx.save_for_backward(x, weight, center_weight)
        ctx.layer, ctx.bias_dtype = layer, None if bias is None else bias.dtype
        bias = None if bias is None else bias.to(layer.folding.dtype)
        if is_watched():
            folded = layer.folding.fold(weight, center_weight)
            y: Tensor = ops.conv(x, folded, bias, layer.groups, *layer.window_args)
            return y
        return layer_passes.forward(x, LayerWeights(weight, center_weight), bias, layer)

    @staticmethod
    def backward(ctx: Any, gy: Tensor) -> Gradients:
        *_, need_bias, _ = ctx.needs_input_grad
        of_inputs, dtype = _gradients(ctx, gy), ctx.layer.folding.dtype
        gb = gy.sum([0, *range(2, gy.ndim)], dtype=dtype).to(ctx.bias_dtype) if need_bias else None
        return *of_inputs, gb, None


def _gradients(ctx: Any, gy: Tensor) -> LayerGradients:
    x, weight, center_weight = ctx.saved_tensors
    need_x, need_weight, need_center, *_ = ctx.needs_input_grad
    weights, needed = LayerWeights(weight, center_weight), (need_x, need_weight or need_center)
    if is_plain(x, gy, weight):
        return layer_passes.gradients(x, gy, weights, *needed, ctx.layer)
    _, window_args, groups, folding = ctx.layer
    gx, gw = derivatives.gradients(x, gy, folding.fold(*weights), *needed, groups, *window_args)
    return gx, *((None, None) if gw is None else folding.carry_back(gw, *weights))
