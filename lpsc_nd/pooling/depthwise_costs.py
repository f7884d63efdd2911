"""Whether depthwise channels are pooled first: counted work over measured rates, for one site."""

from __future__ import annotations

import math

from lpsc_nd.pooling.constants import rows_read
from lpsc_nd.pooling.rates import RATES, Rates
from lpsc_nd.pooling.window import Window


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
    dense = math.prod(window.stencil.kernel_size) * channels / rates.dense_depthwise
    return rates.slack * (summed + weighted) < dense
