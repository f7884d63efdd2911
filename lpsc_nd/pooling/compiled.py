"""The bag engine by compiled kernels: sums and product of some rows of sites at a time, in the caches.

Without them the sums of a tile are one operator of PyTorch and the product another. Here a bag is summed for a few
dozen sites and multiplied by its weights at once. The input gradient is the same on the reflected stencil; the weight
gradient multiplies the sums by the output gradient's rows.
"""

from __future__ import annotations

from torch import Tensor

from lpsc_nd.pooling.compiled_layout import by_bag
from lpsc_nd.pooling.compiled_pass import prepared, run_pass
from lpsc_nd.pooling.decided import WithWeights
from lpsc_nd.pooling.layout import empty_sites
from lpsc_nd.pooling.window import Window


def conv(x: Tensor, weight: Tensor, bias: Tensor | None, window: Window) -> Tensor:
    """Pool and mix: (B, C, *in), (C', C, bags) in the compute type -> (B, C', *out) in the type of ``x``."""
    return with_weights(x, weight, window)(x, bias)


def with_weights(x: Tensor, weight: Tensor, window: Window) -> WithWeights:
    """Return :func:`conv` for inputs of the kind of ``x`` and these weights, with all else looked up before."""
    channels, sites, ones = weight.shape[0], window.output_size(x.shape[2:]), (1,) * window.ndim
    return prepared("mixed", window, ones, x, by_bag(weight, (2, 1, 0)), channels, sites)


def input_grad(gy: Tensor, weight: Tensor, window: Window, input_size: tuple[int, ...]) -> Tensor:
    """Carry an output gradient back: (B, C', *out), (C', C, bags) -> (B, C, *in)."""
    gx = empty_sites(gy, weight.shape[1], input_size)
    run_pass("mixed", window.adjoint(input_size), window.stride, gy, by_bag(weight, (2, 0, 1)), output=gx)
    return gx


def weight_grad(x: Tensor, gy: Tensor, window: Window) -> Tensor:
    """Return the sum over sites of gy times the pooled input: (C', C, bags), the bags outermost in memory."""
    found = run_pass("mixed", window, (1,) * window.ndim, x, factors=gy)  # (bags, C, columns)
    return found[..., : gy.shape[1]].permute(2, 1, 0)


def both_grads(x: Tensor, gy: Tensor, weight: Tensor, window: Window) -> tuple[Tensor, Tensor]:
    """Return both gradients of a stride of 1, from one pooling of the output gradient; the latter as above."""
    size = tuple(x.shape[2:])
    gx, weights = empty_sites(gy, x.shape[1], size), by_bag(weight, (2, 0, 1))
    found = run_pass("mixed", window.adjoint(size), window.stride, gy, weights, output=gx, factors=x)
    return gx, found[..., : x.shape[1]].permute(1, 2, 0)  # of (bags, C', columns)
