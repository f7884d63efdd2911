"""How depthwise channels are run: counted work over measured rates, for one site."""

from __future__ import annotations

import math

from lpsc_nd.pooling import compiled_costs
from lpsc_nd.pooling.compiled_layout import filled
from lpsc_nd.pooling.constants import rows_read, taps_read
from lpsc_nd.pooling.rates import RATES, Rates
from lpsc_nd.pooling.window import Window

PASSED = 2
"""Values that are copied for each of the output: one in, one out."""


def pools_first(window: Window, channels: int, rates: Rates = RATES) -> bool:
    """Tell whether bag sums and their weights take less than PyTorch's convolution with every cell.

    Args:
        window: how the stencil slides.
        channels: C.
        rates: measured speeds.
    """
    row = max(rates.row, max(channels, rates.vector) / rates.pooled)
    summed = rows_read(window.stencil.token, window.center) * row + channels / rates.tabled
    weighted = channels * (window.num_bags / rates.weighted + 1 / rates.passed)
    return rates.slack * (summed + weighted) < convolution_seconds(window, channels, True, rates)


def by_kernel(
    window: Window, in_channels: int, out_channels: int, groups: int, channels_last: bool, rates: Rates = RATES
) -> bool:
    """Tell whether depthwise channels are run by a compiled kernel: where it takes less than PyTorch's convolution.

    Args:
        window: how the stencil slides.
        in_channels, out_channels, groups: those of the layer.
        channels_last: whether the input lies so; if not, PyTorch's convolution brings its values into another order as
            well.
        rates: measured speeds.
    """
    if not compiled_costs.suits_depthwise(window, in_channels, out_channels, groups):
        return False
    lanes = compiled_costs.LANES
    return kernel_seconds(window, lanes, rates) < convolution_seconds(window, lanes, channels_last, rates)


def kernel_seconds(window: Window, channels: int, rates: Rates = RATES) -> float:
    """Predict a compiled kernel for so many channels of a site."""
    filled_channels = filled(channels, compiled_costs.LANES)
    taps = filled_channels // compiled_costs.LANES * taps_read(window.stencil.token, window.center, "depthwise")
    return taps * rates.tap_weighted + PASSED * filled_channels / rates.kernel_passed


def convolution_seconds(window: Window, channels: int, channels_last: bool, rates: Rates = RATES) -> float:
    """Predict PyTorch's convolution for so many channels of a site."""
    reordered = 0.0 if channels_last else PASSED * channels / rates.passed
    return math.prod(window.stencil.kernel_size) * channels / rates.dense_depthwise + reordered
