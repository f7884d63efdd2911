"""What every log-polar layer has to hold, as assertions for our tests and for users' own partitions and engines."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor
from torch.nn import functional as F

from lpsc_nd.functional import lps_conv
from lpsc_nd.geometry import Partition
from lpsc_nd.layers import LPSConvNd
from lpsc_nd.pooling.window import Padding
from lpsc_nd.testing.oracles import dense_kernel

_CONVOLUTIONS = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}


def assert_partition(partition: Partition, offsets: ArrayLike) -> None:
    """Assert that every offset has one region in 0..num_regions, and has it again when asked alone.

    Raises:
        AssertionError: a region code out of range, not an integer, or dependent on the other offsets.
    """
    table = np.asarray(offsets)
    codes = np.asarray(partition.region(table))
    assert np.issubdtype(codes.dtype, np.integer), f"region codes must be integers, got {codes.dtype}"
    assert codes.shape == table.shape[:-1], f"expected codes of shape {table.shape[:-1]}, got {codes.shape}"
    assert codes.min(initial=0) >= 0, f"negative region code {codes.min()}"
    assert codes.max(initial=0) <= partition.num_regions, f"region code {codes.max()} > {partition.num_regions}"
    for offset, code in zip(table.reshape(-1, table.shape[-1]), codes.ravel(), strict=True):
        alone = int(np.asarray(partition.region(offset[None]))[0])
        assert alone == code, f"offset {offset} is in region {code} among others and in {alone} alone"


def assert_dense_twin(layer: LPSConvNd, x: Tensor, *, rtol: float = 1e-9, atol: float = 1e-9) -> None:
    """Assert that a layer equals the dense convolution of its taps: output, and gradients of input and parameters.

    Args:
        layer: a layer of one to three axes with reduction "mean" or "sum".
        x: an input for it, batched or not.
        rtol, atol: tolerances; the defaults are for float64.

    Raises:
        AssertionError: the output or a gradient differs.
    """
    leaves = [x.detach().clone().requires_grad_(), *layer.parameters()]
    ours = layer(leaves[0])
    twin = _dense_forward(layer, leaves[0])
    torch.testing.assert_close(ours, twin, rtol=rtol, atol=atol)
    seed = _varied_like(ours)
    names = ["input", *(name for name, _ in layer.named_parameters())]
    gradients = zip(names, _gradients(ours, leaves, seed), _gradients(twin, leaves, seed), strict=True)
    for name, got, expected in gradients:
        torch.testing.assert_close(got, expected, rtol=rtol, atol=atol, msg=partial("gradient of {}: {}".format, name))


def assert_adjoint(layer: LPSConvNd, x: Tensor, *, rtol: float = 1e-9) -> None:
    """Assert <layer(x) - layer(0), z> = <x, layer^T(z)> for a linear layer, z drawn from the layer's own output.

    Raises:
        AssertionError: the input gradient is not the adjoint of the layer.
    """
    point = x.detach().clone().requires_grad_()
    y = layer(point)
    z = _varied_like(y)
    (back,) = torch.autograd.grad(y, point, z)
    forward = ((y - layer(torch.zeros_like(x))) * z).sum()
    scale = float(y.detach().norm() * z.norm()) + 1e-12
    difference = abs(float(forward.detach()) - float((x * back).sum()))
    assert difference <= rtol * scale, f"<Ax, z> and <x, A^T z> differ by {difference:.3g} at scale {scale:.3g}"


def assert_constant_input(layer: LPSConvNd, value: float, *, atol: float = 1e-9) -> None:
    """Assert that a constant interior gives (sum of the weights of regions with cells) * value + bias.

    Raises:
        AssertionError: the layer's mean or centre is not normalised.
    """
    size = [extent + 2 * step for extent, step in zip(layer.window.extent, layer.stride, strict=True)]
    x = torch.full((1, layer.in_channels, *size), value, dtype=layer.weight.dtype, device=layer.weight.device)
    counts = torch.tensor(layer.stencil.counts, device=x.device)
    gains = (counts > 0).to(x) if layer.reduction != "sum" else counts.to(x)
    total = (layer.weight * gains).sum(dim=(1, 2))
    if layer.center_weight is not None:
        total = total + layer.center_weight.sum(1)
    expected = total * value if layer.bias is None else total * value + layer.bias
    y = _valid(layer, x)
    torch.testing.assert_close(y, expected.reshape(1, -1, *(1,) * layer.ndim).expand_as(y), rtol=1e-9, atol=atol)


def assert_delta_shows_taps(layer: LPSConvNd, *, atol: float = 1e-12) -> None:
    """Assert that one lit cell makes each output show the tap under which it lies (stride 1).

    Raises:
        AssertionError: an output differs from the tap of the dense kernel.
    """
    extent = layer.window.extent
    size = [2 * e - 1 for e in extent]
    kernel = dense_kernel(layer.mask, layer.weight, layer.center_weight, layer.reduction)
    for channel in range(layer.in_channels // layer.groups):
        x = layer.weight.new_zeros((1, layer.in_channels, *size))
        lit: tuple[slice | int, ...] = (
            slice(channel, None, layer.in_channels // layer.groups),
            *(e - 1 for e in extent),
        )
        x[0][lit] = 1.0
        y = _valid(layer, x)[0]
        shift = 0.0 if layer.bias is None else layer.bias.reshape(-1, *(1,) * layer.ndim)
        expected = torch.zeros_like(y) + shift
        for cell in np.ndindex(*layer.kernel_size):
            site = tuple(e - 1 - c * d for e, c, d in zip(extent, cell, layer.dilation, strict=True))
            expected[(slice(None), *site)] += kernel[:, channel][(slice(None), *cell)]
        torch.testing.assert_close(y, expected, rtol=1e-9, atol=atol)


def _valid(layer: LPSConvNd, x: Tensor) -> Tensor:
    """Run a layer's weights without padding."""
    return lps_conv(
        x, layer.weight, layer.stencil, layer.bias, layer.stride, 0, layer.dilation, layer.groups,
        center_weight=layer.center_weight, reduction=layer.reduction, engine=layer.engine,
    )  # fmt: skip


def _dense_forward(layer: LPSConvNd, x: Tensor) -> Tensor:
    kernel = dense_kernel(layer.mask, layer.weight, layer.center_weight, layer.reduction)
    batched = x if x.ndim == layer.ndim + 2 else x.unsqueeze(0)
    mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    padded = F.pad(batched, _flat(layer.window.padding), mode=mode)
    conv = _CONVOLUTIONS[layer.ndim]
    y = conv(padded, kernel, layer.bias, layer.stride, 0, layer.dilation, layer.groups)
    return y if x.ndim == layer.ndim + 2 else y.squeeze(0)


def _varied_like(y: Tensor) -> Tensor:
    """Return cotangents that neither repeat nor cancel: a constant error in a gradient must not vanish in their sum."""
    return (torch.cos(torch.arange(y.numel(), dtype=y.dtype, device=y.device)) + 0.5).view_as(y)


def _flat(padding: Padding) -> list[int]:
    return [count for pair in reversed(padding) for count in pair]


def _gradients(y: Tensor, leaves: list[Tensor], seed: Tensor) -> list[Tensor]:
    found = torch.autograd.grad(y, leaves, seed, allow_unused=True)
    return [torch.zeros_like(leaf) if g is None else g for leaf, g in zip(leaves, found, strict=True)]
