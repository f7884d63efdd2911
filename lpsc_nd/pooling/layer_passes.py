"""The passes of a layer of the bag engine from its own weights, where nobody differentiates on or watches.

Compiled kernels take weights as they are, and give their gradients so (:mod:`lpsc_nd.pooling.compiled_weights`). The
other ways take folded weights, and their gradients are carried back.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from lpsc_nd.pooling import bags, compiled, compiled_weights
from lpsc_nd.pooling.folding import Folding
from lpsc_nd.pooling.window import Window, WindowArgs


class Layer(NamedTuple):
    """What a call depends on beside its tensors."""

    window: Window
    window_args: WindowArgs
    groups: int
    folding: Folding


class LayerWeights(NamedTuple):
    """A layer's weights: (C', C / groups, R), and (C', C / groups) or None."""

    weight: Tensor
    center_weight: Tensor | None


LayerGradients = tuple[Tensor | None, Tensor | None, Tensor | None]
"""Of input, weight and centre weight."""


def forward(x: Tensor, weights: LayerWeights, bias: Tensor | None, layer: Layer) -> Tensor:
    """Pool and mix: (B, C, *in) -> (B, C', *out) in the type of ``x``."""
    window, channels = layer.window, len(weights.weight)
    run = bags.forward_of(window, x, channels, layer.groups)
    if run is not compiled.conv or not _takes_weights(weights, layer, x):
        return run(x, layer.folding.fold(*weights), bias, window)
    laid = compiled_weights.lay(*weights, layer.folding, turned=True)
    return compiled.with_laid(x, laid, channels, window)(x, bias)


def gradients(
    x: Tensor, gy: Tensor, weights: LayerWeights, need_x: bool, need_weights: bool, layer: Layer
) -> LayerGradients:
    """Return the gradients that are needed."""
    window, _, groups, folding = layer
    by_kernels = need_weights and window.num_bags > 0 and _takes_weights(weights, layer, x, gy)
    together = need_x and all(step == 1 for step in window.stride)
    way = bags.way_of_both(x, gy, window, groups) if by_kernels and together else None
    if way == "compiled":
        laid = compiled_weights.lay(*weights, folding, turned=False)
        carried, found = compiled.laid_both_grads(x, gy, laid, window)
        return carried, *compiled_weights.take(found, *weights, folding, turned=False)
    if by_kernels and way is None and bags.way_of_weight_grad(x, gy, window, groups) == "compiled":
        found, size = compiled.laid_weight_grad(x, gy, window), list(x.shape[2:])
        of_weights = compiled_weights.take(found, *weights, folding, turned=True)
        return bags.input_grad(gy, folding.fold(*weights), window, groups, size) if need_x else None, *of_weights
    gx, gw = bags.gradients(x, gy, folding.fold(*weights), need_x, need_weights, window, groups)
    return gx, *((None, None) if gw is None else folding.carry_back(gw, *weights))


def _takes_weights(weights: LayerWeights, layer: Layer, *values: Tensor) -> bool:
    """Tell whether a pass over values of the type of accumulation can take weights as they are."""
    same = all(tensor.dtype == layer.folding.dtype for tensor in values)
    return same and compiled_weights.suits(*weights, layer.folding)
