"""What the bag engine is expected to take where a row of its table holds several images side by side."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from lpsc_nd.pooling.pairs import count_pairs
from lpsc_nd.pooling.rates import RATES, Rates
from lpsc_nd.pooling.shapes import PassName, Shapes
from lpsc_nd.pooling.side_by_side import images_at_once
from lpsc_nd.pooling.whole_costs import MOST_ENTRIES
from lpsc_nd.pooling.window import Window

CHANNELS = range(9, 25)
"""Channels that fill a vector, and of which several images are needed to fill a row."""


def suits(name: PassName, window: Window, shapes: Shapes) -> bool:
    """Tell whether a pass can run images side by side: some images, and few channels on both sides, of one group.

    A traced graph, which may serve other sizes, does not ask; its operators do when they run.
    """
    if shapes.groups > 1 or shapes.batch < 2 or window.num_bags == 0 or torch.compiler.is_compiling():
        return False
    if shapes.in_channels not in CHANNELS or shapes.out_channels not in CHANNELS:
        return False
    if name == "input_grad" and any(step != 1 for step in window.stride):
        return False
    return count_pairs(window, shapes.size) <= MOST_ENTRIES


@dataclass(frozen=True)
class Side:
    """The passes of a call, in seconds for all images.

    Args:
        window: bags that are summed.
        shapes: channels and sizes.
        rates: measured speeds.
    """

    window: Window
    shapes: Shapes
    rates: Rates = RATES

    def seconds(self, name: PassName) -> float:
        """Bringing images innermost and back, sums of long rows, and the product as a convolution."""
        shapes, rates = self.shapes, self.rates
        sites = math.prod(self.window.output_size(shapes.size))
        copied = math.prod(shapes.size) * shapes.in_channels + sites * shapes.out_channels
        channels = shapes.out_channels if name == "input_grad" else shapes.in_channels
        together = images_at_once(shapes.batch, channels)
        groups = -(-shapes.batch // together)
        row = max(rates.row, together * channels / rates.pooled_side)
        mixed = 2 * sites * self.window.num_bags * shapes.in_channels * shapes.out_channels / rates.product_side
        image = copied / rates.tabled + mixed
        return rates.slack_whole * (groups * count_pairs(self.window, shapes.size) * row + shapes.batch * image)
