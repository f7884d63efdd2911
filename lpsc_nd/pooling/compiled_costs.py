"""What a compiled kernel is expected to take: counted work over measured rates."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch

from lpsc_nd.native.structures import MOST_AXES
from lpsc_nd.pooling import compiled_layout
from lpsc_nd.pooling.compiled_layout import filled, lanes_of
from lpsc_nd.pooling.constants import taps_read
from lpsc_nd.pooling.rates import RATES, Rates
from lpsc_nd.pooling.shapes import PassName, Shapes
from lpsc_nd.pooling.window import Window

LANES = lanes_of(torch.float32)
"""Values of a vector."""


def suits(window: Window, groups: int) -> bool:
    """Tell whether there are kernels for this processor, and they take all channels as one group and so many axes."""
    return compiled_layout.KERNELS is not None and groups == 1 and window.num_bags > 0 and window.ndim < MOST_AXES


def suits_depthwise(window: Window, in_channels: int, out_channels: int, groups: int) -> bool:
    """Tell the same of channels that are a group each and give one filter each."""
    fits = compiled_layout.KERNELS is not None and window.num_bags > 0 and window.ndim < MOST_AXES
    return fits and in_channels == out_channels == groups > 1


class Compiled(NamedTuple):
    """Passes of one image over one source, in seconds.

    Args:
        padded: cells of the padded source.
        sites: sites that are summed for.
        taps: taps of a site.
        bags: bags of a site.
        channels: channels of the source.
        columns: channels on the other side.
        rates: measured speeds.
    """

    padded: int
    sites: int
    taps: float
    bags: int
    channels: int
    columns: int
    rates: Rates

    @property
    def summed(self) -> float:
        """Filling the tables, and sums of whole vectors."""
        channels = filled(self.channels, LANES)
        taps = self.sites * self.taps * (channels // LANES) * self.rates.tap
        return self.padded * channels / self.rates.passed + taps

    @property
    def product(self) -> float:
        """The product, and reading or writing its columns."""
        columns = filled(self.columns, LANES)
        work = 2 * self.sites * self.bags * self.channels * columns / self.rates.compiled
        return work + self.sites * columns / self.rates.passed


def seconds(name: PassName, window: Window, shapes: Shapes, rates: Rates = RATES) -> float:
    """Predict a pass of all images."""
    found = _carried(window, shapes, rates) if name == "input_grad" else _forward(window, shapes, rates)
    return shapes.batch * (found.summed + found.product) + shapes.threads * rates.compiled_call


def both_grads(window: Window, shapes: Shapes, rates: Rates = RATES) -> float:
    """Predict both gradients of all images from one pooling of the output's; the stride is 1."""
    found = _carried(window, shapes, rates)
    return shapes.batch * (found.summed + 2 * found.product) + shapes.threads * rates.compiled_call


def _forward(window: Window, shapes: Shapes, rates: Rates) -> Compiled:
    padded, sites = math.prod(window.padded_size(shapes.size)), math.prod(window.output_size(shapes.size))
    return Compiled(padded, sites, *_read(window), shapes.in_channels, shapes.out_channels, rates)


def _carried(window: Window, shapes: Shapes, rates: Rates) -> Compiled:
    """Return the pass of the input gradient: through the adjoint window, which this does without."""
    padded = tuple(n + extent - 1 for n, extent in zip(shapes.size, window.extent, strict=True))
    return Compiled(
        math.prod(padded), math.prod(shapes.size), *_read(window), shapes.out_channels, shapes.in_channels, rates
    )


def _read(window: Window) -> tuple[float, int]:
    return taps_read(window.stencil.token, window.center, "mixed"), window.num_bags
