"""What a compiled kernel is expected to take: counted work over measured rates."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch

from lpsc_nd.native.structures import MOST_AXES, MOST_DOUBLINGS, MOST_ROWS
from lpsc_nd.pooling import compiled_layout
from lpsc_nd.pooling.compiled_layout import filled, lanes_of
from lpsc_nd.pooling.compiled_pass import parts_of
from lpsc_nd.pooling.compiled_plan import MOST_TABLE
from lpsc_nd.pooling.constants import taps_read
from lpsc_nd.pooling.rates import RATES, Rates
from lpsc_nd.pooling.shapes import PassName, Shapes
from lpsc_nd.pooling.window import Window

LANES = lanes_of(torch.float32)
"""Values of a vector."""

ROWS_PASSED = 2
"""Values that are passed for each of the output: into the rows that are worked on, and out of them."""


def suits(window: Window, groups: int) -> bool:
    """Tell whether there are kernels for this processor, and they take all channels as one group and so many axes."""
    return groups == 1 and _fits(window)


def suits_depthwise(window: Window, in_channels: int, out_channels: int, groups: int) -> bool:
    """Tell the same of channels that are a group each and give one filter each."""
    return in_channels == out_channels == groups > 1 and _fits(window)


def _fits(window: Window) -> bool:
    """Tell whether there are kernels, and they count the axes and the tables of one site of a window."""
    if compiled_layout.KERNELS is None or window.num_bags == 0 or window.ndim >= MOST_AXES:
        return False
    return (MOST_DOUBLINGS + 1) * math.prod(window.extent) * LANES < MOST_TABLE


class Compiled(NamedTuple):
    """A pass of all images over one source, in seconds of all threads together.

    Args:
        batch: images.
        padded: cells of a padded source.
        sites: sites of an image that are summed for.
        taps: how long a site's reading takes, in taps.
        bags: bags of a site.
        channels: channels of the source.
        columns: channels on the other side.
        threads: how many there are.
        rates: measured speeds.
    """

    batch: int
    padded: int
    sites: int
    taps: float
    bags: int
    channels: int
    columns: int
    threads: int
    rates: Rates

    @property
    def summed(self) -> float:
        """Reading the source into tables of whole vectors, and summing these."""
        vectors = filled(self.channels, LANES) // LANES
        taps = self.sites * self.taps * vectors * self.rates.tap
        tabled = self.padded * (vectors * self.rates.vector_tabled + self.channels / self.rates.kernel_passed)
        return self.batch * (tabled + taps)

    @property
    def mixed(self) -> float:
        """The product with the weights, and writing its columns."""
        return self._product + self._weights_read

    @property
    def multiplied(self) -> float:
        """The product with the rows of an output gradient; not all threads share one that needs much memory."""
        parts = min(self.threads, parts_of(self._weights * 4))
        return (self._product + 2 * self._weights_read) * self.threads / parts

    @property
    def _product(self) -> float:
        columns = filled(self.columns, LANES)
        work = 2 * self.sites * self._weights / self.rates.compiled
        return self.batch * (work + ROWS_PASSED * self.sites * columns / self.rates.kernel_passed)

    @property
    def _weights(self) -> int:
        return self.bags * self.channels * filled(self.columns, LANES)

    @property
    def _weights_read(self) -> float:
        """Reading weights that the second-level cache does not hold, for some rows of sites after others."""
        return self.batch * self.sites / MOST_ROWS * self.rates.reading(self._weights)


def seconds(name: PassName, window: Window, shapes: Shapes, rates: Rates = RATES) -> float:
    """Predict a pass."""
    found = _carried(window, shapes, rates) if name == "input_grad" else _forward(window, shapes, rates)
    product = found.multiplied if name == "weight_grad" else found.mixed
    return found.summed + product + shapes.threads * rates.compiled_call


def both_grads(window: Window, shapes: Shapes, rates: Rates = RATES) -> float:
    """Predict both gradients from one pooling of the output's; the stride is 1."""
    found = _carried(window, shapes, rates)
    return found.summed + found.mixed + found.multiplied + shapes.threads * rates.compiled_call


def _forward(window: Window, shapes: Shapes, rates: Rates) -> Compiled:
    padded, sites = math.prod(window.padded_size(shapes.size)), math.prod(window.output_size(shapes.size))
    return _pass(window, padded, sites, shapes.in_channels, shapes.out_channels, shapes, rates)


def _carried(window: Window, shapes: Shapes, rates: Rates) -> Compiled:
    """Return the pass of the input gradient: through the adjoint window, which this does without."""
    padded = tuple(n + extent - 1 for n, extent in zip(shapes.size, window.extent, strict=True))
    cells, sites = math.prod(padded), math.prod(shapes.size)
    return _pass(window, cells, sites, shapes.out_channels, shapes.in_channels, shapes, rates)


def _pass(
    window: Window, padded: int, sites: int, channels: int, columns: int, shapes: Shapes, rates: Rates
) -> Compiled:
    taps = taps_read(window.stencil.token, window.center, "mixed")
    sizes = (shapes.batch, padded, sites, taps, window.num_bags, channels, columns)
    return Compiled(*sizes, shapes.threads, rates)
