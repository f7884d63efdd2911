"""What the bag engine is expected to take where it runs whole images without a border of zeros."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from lpsc_nd.pooling.pairs import count_pairs
from lpsc_nd.pooling.rates import RATES, Rates
from lpsc_nd.pooling.run_tables import NEAR_ELEMENTS
from lpsc_nd.pooling.shapes import PassName, Shapes
from lpsc_nd.pooling.whole_images import pooled_elements
from lpsc_nd.pooling.window import Window

MOST_ENTRIES = 2**21
"""Entries of the largest gather index of an image: eight MiB."""

NEAR_ENTRIES = 2**19
"""Entries of a gather index, up to which the caches hold it from call to call."""

MOST_MIXED = 2**22
"""Elements of the largest map of mixed values, which the input gradient needs whole: 16 MiB in float32."""

FULL_DEPTH = 64
"""Pooled values of a site from which the weight gradient's product is as fast as the others."""


def suits(name: PassName, window: Window, shapes: Shapes) -> bool:
    """Tell whether a pass can run whole images: channels of one group, and neither index nor mixed map too large.

    A traced graph, which may serve other sizes, does not ask; its operators do when they run.
    """
    if shapes.groups > 1 or window.num_bags == 0 or torch.compiler.is_compiling():
        return False
    if name == "input_grad" and pooled_elements(window, shapes.in_channels, shapes.size) > MOST_MIXED:
        return False
    return count_pairs(window, shapes.size) <= MOST_ENTRIES


@dataclass(frozen=True)
class Whole:
    """The passes of one image, in seconds.

    Args:
        window: bags that are summed.
        shapes: channels and sizes.
        rates: measured speeds.
    """

    window: Window
    shapes: Shapes
    rates: Rates = RATES

    def seconds(self, name: PassName) -> float:
        """A pass by name."""
        return {"forward": self.forward, "weight_grad": self.weight_grad, "input_grad": self.input_grad}[name]

    @property
    def weight_grad(self) -> float:
        """As long as forward, but for the product, which is slow where it has few columns."""
        return self.forward + self.mixed * max(0.0, FULL_DEPTH / self._depth - 1)

    @property
    def forward(self) -> float:
        """Copying the input, summing its bags, and the product."""
        copied = math.prod(self.shapes.size) * max(self.shapes.in_channels, self.rates.vector) / self.rates.tabled
        written = self._sites * self.shapes.out_channels / self.rates.passed
        return self.rates.slack_whole * (copied + self._summed(self.rates.pooled_near) + self.mixed + written)

    @property
    def input_grad(self) -> float:
        """Mixing at the sites, and a sum for each cell; a large map of what was mixed is in the far caches by then."""
        copied = self._sites * max(self.shapes.out_channels, self.rates.vector) / self.rates.tabled
        written = math.prod(self.shapes.size) * self.shapes.in_channels / self.rates.passed
        mixed = self._product(self.shapes.out_channels, self._depth)
        is_far = self._sites * self._depth > NEAR_ELEMENTS
        summed = self._summed(self.rates.pooled_far if is_far else self.rates.pooled_near)
        return self.rates.slack_whole * (copied + mixed + summed + written)

    @property
    def _depth(self) -> int:
        return self.window.num_bags * self.shapes.in_channels

    @property
    def mixed(self) -> float:
        """The product."""
        return self._product(self._depth, self.shapes.out_channels)

    @property
    def _sites(self) -> int:
        return math.prod(self.window.output_size(self.shapes.size))

    def _summed(self, pooled: float) -> float:
        row = max(self.rates.row, self.shapes.in_channels / pooled)
        entries = count_pairs(self.window, self.shapes.size)
        return entries * (row + self.rates.entry * (entries > NEAR_ENTRIES))

    def _product(self, depth: int, columns: int) -> float:
        work = depth * columns + self.rates.product_overhead * min(depth, columns)
        seconds = 2 * self._sites * work / self.rates.product * self.rates.filling(columns)
        return seconds + self.rates.reading(depth * columns)
