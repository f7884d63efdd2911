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
    return with_laid(x, by_bag(weight, (2, 1, 0)), weight.shape[0], window)


def with_laid(x: Tensor, laid: Tensor, channels: int, window: Window) -> WithWeights:
    """Return the same for weights that are laid out already, (bags, C, columns), of so many channels."""
    return prepared("mixed", window, (1,) * window.ndim, x, laid, channels, window.output_size(x.shape[2:]))


def input_grad(gy: Tensor, weight: Tensor, window: Window, input_size: tuple[int, ...]) -> Tensor:
    """Carry an output gradient back: (B, C', *out), (C', C, bags) -> (B, C, *in)."""
    gx = empty_sites(gy, weight.shape[1], input_size)
    run_pass("mixed", window.adjoint(input_size), window.stride, gy, by_bag(weight, (2, 0, 1)), output=gx)
    return gx


def weight_grad(x: Tensor, gy: Tensor, window: Window) -> Tensor:
    """Return the sum over sites of gy times the pooled input: (C', C, bags), the bags outermost in memory."""
    return laid_weight_grad(x, gy, window)[..., : gy.shape[1]].permute(2, 1, 0)


def laid_weight_grad(x: Tensor, gy: Tensor, window: Window) -> Tensor:
    """Return the same as the pass has it, (bags, C, columns), the columns being those of gy in whole vectors."""
    return run_pass("mixed", window, (1,) * window.ndim, x, factors=gy)


def both_grads(x: Tensor, gy: Tensor, weight: Tensor, window: Window) -> tuple[Tensor, Tensor]:
    """Return both gradients of a stride of 1, from one pooling of the output gradient; the latter as above."""
    gx, found = laid_both_grads(x, gy, by_bag(weight, (2, 0, 1)), window)
    return gx, found[..., : x.shape[1]].permute(1, 2, 0)


def laid_both_grads(x: Tensor, gy: Tensor, laid: Tensor, window: Window) -> tuple[Tensor, Tensor]:
    """Return the same for weights (bags, C', columns), and their gradient so, the columns being those of x."""
    size = tuple(x.shape[2:])
    gx = empty_sites(gy, x.shape[1], size)
    return gx, run_pass("mixed", window.adjoint(size), window.stride, gy, laid, output=gx, factors=x)
