"""Hypothesis strategies: drawn geometry, drawn layer arguments, drawn data."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from torch import Tensor

from lpsc_nd.geometry import LogPolarPartition
from lpsc_nd.geometry.levels import CONVENTIONS
from lpsc_nd.layers import LPSConvNd
from lpsc_nd.testing.partitions import MaskPartition


@dataclass(frozen=True)
class LayerCase:
    """Arguments of a layer and an input for it.

    Args:
        arguments: keyword arguments of :class:`LPSConvNd`.
        input_shape: (B, C, *size) or (C, *size).
        seed: of the parameters and of the input.
    """

    arguments: dict[str, Any] = field(hash=False)
    input_shape: tuple[int, ...]
    seed: int

    def layer(self, dtype: torch.dtype = torch.float64, **changes: Any) -> LPSConvNd:
        """Build the layer, its parameters drawn from the seed; a drawn field may well have empty regions."""
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            torch.manual_seed(self.seed)
            warnings.filterwarnings("ignore", message=".*regions are empty.*", category=UserWarning)
            return LPSConvNd(**{**self.arguments, "dtype": dtype, **changes})

    def input(self, dtype: torch.dtype = torch.float64) -> Tensor:
        """Draw the input."""
        generator = torch.Generator().manual_seed(self.seed)
        return torch.randn(self.input_shape, generator=generator, dtype=torch.float64).to(dtype)


@st.composite
def log_polar_partitions(draw: st.DrawFn, kernel_size: tuple[int, ...]) -> LogPolarPartition:
    """Draw a log-polar partition for a window: levels, directions, growth, convention, shape and turn of the field."""
    ndim = len(kernel_size)
    options: dict[str, Any] = {"convention": draw(st.sampled_from(CONVENTIONS))}
    if ndim >= 2:
        options["angle"] = draw(st.floats(-7.0, 7.0))
    if ndim == 2 and min(kernel_size) > 1:
        options["eccentricity"] = draw(st.floats(0.4, 2.5))
    return LogPolarPartition.for_grid(
        kernel_size,
        draw(st.integers(1, 4)),
        draw(direction_counts(ndim)),
        draw(st.floats(1.1, 4.0)),
        spacing=tuple(draw(st.floats(0.5, 2.0)) for _ in kernel_size),
        **options,
    )


def direction_counts(ndim: int) -> st.SearchStrategy[Any]:
    """Draw a ``num_directions`` for ``ndim`` axes."""
    if ndim == 1:
        return st.integers(1, 2)
    if ndim == 2:
        return st.integers(1, 9)
    bands = st.tuples(*[st.integers(1, 3)] * (ndim - 2), st.integers(1, 5))
    return bands if ndim > 3 else bands | st.sampled_from([6, 8, 12, 20, 26])


@st.composite
def mask_partitions(draw: st.DrawFn, kernel_size: tuple[int, ...]) -> MaskPartition:
    """Draw any mask at all: scattered regions, empty ones, cells in none."""
    num_regions = draw(st.integers(1, 6))
    generator = np.random.default_rng(draw(st.integers(0, 2**16)))
    codes = generator.integers(0, num_regions + 1, math.prod(kernel_size))
    return MaskPartition(tuple(int(code) for code in codes), kernel_size, num_regions)


@st.composite
def layer_cases(
    draw: st.DrawFn,
    ndim: st.SearchStrategy[int] | None = None,
    reductions: tuple[str, ...] = ("mean", "sum"),
    padding_modes: tuple[str, ...] = ("zeros", "reflect", "replicate", "circular"),
) -> LayerCase:
    """Draw a layer with every argument of nn.ConvNd, any geometry, and an input that fits.

    Args:
        draw: supplied by hypothesis.
        ndim: strategy of the number of axes; 1 to 3 by default.
        reductions: reductions to draw from.
        padding_modes: padding modes to draw from.
    """
    axes = draw(st.integers(1, 3) if ndim is None else ndim)
    kernel = tuple(draw(st.integers(2, {1: 11, 2: 7, 3: 5}.get(axes, 3))) for _ in range(axes))
    groups = draw(st.integers(1, 3))
    stride = tuple(draw(st.integers(1, 3)) for _ in kernel)
    dilation = tuple(draw(st.integers(1, 2)) for _ in kernel)
    extent = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))
    padding = draw(_paddings(extent, stride))
    arguments = {
        "ndim": axes,
        "in_channels": groups * draw(st.integers(1, 3)),
        "out_channels": groups * draw(st.integers(1, 3)),
        "kernel_size": kernel,
        "stride": stride,
        "padding": padding,
        "dilation": dilation,
        "groups": groups,
        "bias": draw(st.booleans()),
        "padding_mode": draw(st.sampled_from(padding_modes)),
        "center": draw(st.booleans()),
        "reduction": draw(st.sampled_from(reductions)),
        "partition": draw(log_polar_partitions(kernel) | mask_partitions(kernel)),
    }
    least = _least_sizes(extent, padding) if arguments["padding_mode"] == "zeros" else extent
    size = tuple(draw(st.integers(low, e + 4)) for low, e in zip(least, extent, strict=True))
    batch = draw(st.sampled_from([(), (1,), (2,), (3,)]))
    shape = (*batch, arguments["in_channels"], *size)
    return LayerCase(arguments, shape, draw(st.integers(0, 2**31 - 1)))


def _least_sizes(extent: tuple[int, ...], padding: str | tuple[int, ...]) -> tuple[int, ...]:
    """Return the smallest input on which a window of this extent fits, zeros added."""
    if padding == "valid":
        return extent
    amounts = [(e - 1) // 2 for e in extent] if isinstance(padding, str) else padding
    return tuple(max(1, e - 2 * amount) for e, amount in zip(extent, amounts, strict=True))


def _paddings(extent: tuple[int, ...], stride: tuple[int, ...]) -> st.SearchStrategy[Any]:
    amounts = st.tuples(*(st.integers(0, e - 1) for e in extent))
    words = ["valid", "same"] if all(step == 1 for step in stride) else ["valid"]
    return amounts | st.sampled_from(words)
