"""Depthwise layers by compiled kernels: every tap of a table, a run of cells, times the weight of its bag.

A 31 x 31 window has 709 cells in its regions, and 259 taps where runs of two and four cells have tables of their own.
"""

from __future__ import annotations

from torch import Tensor

from lpsc_nd.pooling.compiled_layout import by_block
from lpsc_nd.pooling.compiled_pass import prepared, run_pass
from lpsc_nd.pooling.decided import WithWeights
from lpsc_nd.pooling.layout import empty_sites
from lpsc_nd.pooling.window import Window


def conv(x: Tensor, weight: Tensor, bias: Tensor | None, window: Window) -> Tensor:
    """Pool and weigh each channel: (B, C, *in), (C, 1, bags) in the compute type -> (B, C, *out) in that of ``x``."""
    return with_weights(x, weight, window)(x, bias)


def with_weights(x: Tensor, weight: Tensor, window: Window) -> WithWeights:
    """Return :func:`conv` for inputs of the kind of ``x`` and these weights, with all else looked up before."""
    channels, sites, ones = x.shape[1], window.output_size(x.shape[2:]), (1,) * window.ndim
    return prepared("depthwise", window, ones, x, by_block(weight), channels, sites)


def input_grad(gy: Tensor, weight: Tensor, window: Window, input_size: tuple[int, ...]) -> Tensor:
    """Carry an output gradient back: (B, C, *out), (C, 1, bags) -> (B, C, *in)."""
    gx = empty_sites(gy, gy.shape[1], input_size)
    run_pass("depthwise", window.adjoint(input_size), window.stride, gy, by_block(weight), output=gx)
    return gx


def weight_grad(x: Tensor, gy: Tensor, window: Window) -> Tensor:
    """Return the sum over sites of gy times the pooled input: (C, 1, bags), in the compute type."""
    found = run_pass("depthwise", window, (1,) * window.ndim, x, factors=gy)  # (blocks, bags, lanes)
    return found.transpose(1, 2).flatten(0, 1)[: x.shape[1]].unsqueeze(1).contiguous()
