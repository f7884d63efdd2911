"""What the bag engine is expected to take where a row of its table holds several images side by side."""

from __future__ import annotations

import math

from lpsc_nd.pooling import whole_costs
from lpsc_nd.pooling.pairs import count_pairs
from lpsc_nd.pooling.rates import RATES, Rates
from lpsc_nd.pooling.shapes import PassName, Shapes
from lpsc_nd.pooling.side_by_side import images_at_once
from lpsc_nd.pooling.window import Window

CHANNELS = range(9, 25)
"""Channels that fill a vector, and of which several images are needed to fill a row."""


def suits(name: PassName, window: Window, shapes: Shapes) -> bool:
    """Tell whether a pass can run images side by side: some images, and few channels on both sides."""
    if not whole_costs.suits("forward", window, shapes):  # to which each pass is alike here; first, for traced graphs
        return False
    if name == "input_grad" and any(step != 1 for step in window.stride):
        return False
    return shapes.batch > 1 and shapes.in_channels in CHANNELS and shapes.out_channels in CHANNELS


def seconds(name: PassName, window: Window, shapes: Shapes, rates: Rates = RATES) -> float:
    """Bringing images innermost and back, sums of long rows, and the product as a convolution, for all images."""
    sites = math.prod(window.output_size(shapes.size))
    copied = math.prod(shapes.size) * shapes.in_channels + sites * shapes.out_channels
    mixed = 2 * sites * window.num_bags * shapes.in_channels * shapes.out_channels / rates.product_side
    channels = shapes.out_channels if name == "input_grad" else shapes.in_channels
    together = images_at_once(shapes.batch, channels)
    row = max(rates.row, together * channels / rates.pooled_side)
    summed = -(-shapes.batch // together) * count_pairs(window, shapes.size) * row
    return rates.slack_whole * (summed + shapes.batch * (copied / rates.tabled + mixed))
