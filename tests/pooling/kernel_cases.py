"""Drawn convolutions for compiled kernels, and scratch memory that notices what should not be done with it."""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import strategies as st

from lpsc_nd import Stencil
from lpsc_nd.native import library
from lpsc_nd.native.structures import MOST_DOUBLINGS
from lpsc_nd.pooling import compiled_boxes, compiled_layout, compiled_pass, compiled_plan
from lpsc_nd.pooling.compiled_layout import KERNELS
from lpsc_nd.pooling.window import Window

GUARD = 64
"""Elements behind the scratch memory that nobody may write."""

SENTINEL = -12345.0


@dataclass(frozen=True)
class KernelCase:
    """A window, what it slides over, and channels on both sides."""

    window: Window
    batch: int
    size: tuple[int, ...]
    channels: int
    filters: int
    groups: int
    seed: int

    def tensors(self, dtype, layout="contiguous"):
        """Return input, weights (C', C / groups, bags), bias and an output gradient."""
        generator = torch.Generator().manual_seed(self.seed)
        draw = lambda *shape: torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)  # noqa: E731
        sites = self.window.output_size(self.size)
        x, gy = draw(self.batch, self.channels, *self.size), draw(self.batch, self.filters, *sites)
        weight, bias = draw(self.filters, self.channels // self.groups, self.window.num_bags), draw(self.filters)
        return laid_out(x, layout), weight, bias, laid_out(gy, layout)


def laid_out(x, layout):
    """Return a tensor of the same values with other strides."""
    if layout == "channels last":
        return x.movedim(1, -1).contiguous().movedim(-1, 1)
    if layout == "spread":  # every second value of a larger one, along every axis
        large = x.new_full([2 * n for n in x.shape], math.nan)
        place = large[(slice(None, None, 2),) * x.ndim]
        return place.copy_(x)
    if layout == "turned":
        return x.transpose(-1, -2).contiguous().transpose(-1, -2)
    return x.contiguous()


LAYOUTS = ("contiguous", "channels last", "spread", "turned")


@st.composite
def kernel_cases(draw, most=40, depthwise=False, beside=False):
    """Draw masks of any regions, windows of any stride, dilation and padding, and channels beside whole vectors.

    Args:
        most: channels.
        depthwise: whether each of them is a group.
        beside: whether bags are summed beside products: channels of the source and sites are many then.
    """
    ndim = draw(st.integers(1, 3))
    axes = range(ndim)
    kernel = tuple(draw(st.integers(1, (9, 5, 3)[ndim - 1])) for _ in axes)
    regions = draw(st.integers(0, 5))
    codes = st.lists(st.integers(0, regions), min_size=math.prod(kernel), max_size=math.prod(kernel))
    stencil = Stencil.from_mask(np.reshape(draw(codes), kernel), num_regions=regions)
    dilation, stride = (tuple(draw(st.integers(1, 3)) for _ in axes) for _ in range(2))
    stride = (*stride[:-1], 1) if beside else stride
    extent = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))
    least = (20, 5, 3)[ndim - 1] if beside else 1
    size = tuple(draw(st.integers(least, (60, 20, 7)[ndim - 1])) for _ in axes)
    padding = []
    for n, e in zip(size, extent, strict=True):
        before = draw(st.integers(-min(2, n - 1), 4))
        padding.append((before, max(e - n - before, draw(st.integers(0, 4)))))
    window = Window(stencil, draw(st.booleans()) or regions == 0, stride, dilation, tuple(padding))
    channels = draw(st.integers(most // 2 if beside else 1 + depthwise, most))
    groups, filters = (channels, channels) if depthwise else (1, draw(st.integers(1, most)))
    return KernelCase(window, draw(st.integers(1, 3)), size, channels, filters, groups, draw(st.integers(0, 2**31)))


def doublings():
    """Draw along which axes tables are doubled, or None where that is left to the plan."""
    return st.none() | st.lists(st.integers(0, 2), max_size=MOST_DOUBLINGS)


@contextmanager
def guarded_scratch(shape, dtype, device):
    """Lend memory as ``scratch`` does, full of NaN; fail if what lies behind it is written."""
    size = math.prod(shape)
    memory = torch.full((size + GUARD,), math.nan, dtype=dtype, device=device)
    memory[size:] = SENTINEL
    yield memory[:size].view(shape)
    assert torch.equal(memory[size:], torch.full((GUARD,), SENTINEL, dtype=dtype))


def _narrower():
    """Return the kernels of half as wide vectors where the processor has both."""
    if KERNELS is None or KERNELS.vector_bytes != 64 or library._find("_avx2") is None:
        return None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
        return library.kernels.__wrapped__()


ALL_KERNELS = {f"{found.vector_bytes} bytes": found for found in (KERNELS, _narrower()) if found is not None}
"""Each library that this processor can run."""


@contextmanager
def kernels_of(name, small_tables=False, doubled=None):
    """Run one of the libraries, in memory that is watched, optionally cutting calls into many boxes, or doubling tables
    along these axes, counted anew from the first after the last, whatever it costs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled_layout, "KERNELS", ALL_KERNELS[name])
        patch.setattr(compiled_pass, "scratch", guarded_scratch)
        if small_tables:
            patch.setattr(compiled_plan, "TABLE_BYTES", 2**10)
            patch.setattr(compiled_plan, "FEWEST_LINES", 1)
            patch.setattr(compiled_boxes, "LONG_LINE", 3)
        if doubled is not None:
            patch.setattr(compiled_plan, "candidates", lambda ndim: [tuple(axis % ndim for axis in doubled)])
        forget_plans()
        yield
    forget_plans()


def forget_plans():
    """Let plans be made anew."""
    compiled_pass._pass_of.cache_clear()
    compiled_plan.compiled_plan.cache_clear()
