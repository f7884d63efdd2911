"""What the bag engine is expected to take where its table rows run across the images of a batch."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lpsc_nd.pooling.across_images import images_at_once
from lpsc_nd.pooling.constants import cells_read, rows_read
from lpsc_nd.pooling.rates import RATES, Rates
from lpsc_nd.pooling.shapes import PassName, Shapes
from lpsc_nd.pooling.window import Window

FEWEST_IMAGES = 4
"""Images of a row below which it is not worth a thought."""

MOST_ENTRIES = 2**18
"""Entries of the largest gather index: one MiB."""


def suits(window: Window, shapes: Shapes) -> bool:
    """Tell whether rows can run across images: few channels, some images, and small enough maps."""
    if not shapes.has_few_channels or window.num_bags == 0:
        return False
    images = min(shapes.batch, images_at_once(window, shapes.in_channels, shapes.size))
    entries = math.prod(window.output_size(shapes.size)) * shapes.in_channels
    entries *= cells_read(window.stencil.token, window.center)
    return images >= FEWEST_IMAGES and entries <= MOST_ENTRIES


@dataclass(frozen=True)
class Across:
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
        """A pass by name."""
        return {"forward": self.forward, "weight_grad": self.weight_grad, "input_grad": self.input_grad}[name]

    @property
    def forward(self) -> float:
        """As long as the weight gradient, but for the sums, which a channels-last output wants transposed."""
        pooled = self.shapes.batch * self._sites * self.window.num_bags * self.shapes.in_channels
        return self.weight_grad + self.rates.slack * self._transpose(pooled)

    @property
    def weight_grad(self) -> float:
        """Filling the table, summing its bags, and the product with the values of the sites, which are transposed."""
        tabled = self.shapes.batch * self.shapes.in_channels * math.prod(self.window.padded_size(self.shapes.size))
        rows = rows_read(self.window.stencil.token, self.window.center)
        return self.rates.slack * (tabled / self.rates.tabled + self._summed(rows) + self._mix + self._written)

    @property
    def input_grad(self) -> float:
        """Mixing at the sites, and a sum for each cell of the input."""
        cells = self.shapes.batch * self.shapes.in_channels * math.prod(self.shapes.size)
        rows = cells_read(self.window.stencil.token, self.window.center)
        return self.rates.slack * (self._transpose(cells) + self._summed(rows) + self._mix + self._written)

    @property
    def _sites(self) -> int:
        return math.prod(self.window.output_size(self.shapes.size))

    def _summed(self, rows: int) -> float:
        """Sums of so many rows at every site and channel, short rows taking as long as a full vector."""
        most = images_at_once(self.window, self.shapes.in_channels, self.shapes.size)
        groups = -(-self.shapes.batch // most)
        filled = groups * max(-(-self.shapes.batch // groups), self.rates.vector)
        return filled * self._sites * self.shapes.in_channels * rows / self.rates.pooled_across

    @property
    def _mix(self) -> float:
        depth = self.window.num_bags * self.shapes.in_channels + self.rates.product_overhead
        return 2 * self.shapes.batch * self._sites * self.shapes.out_channels * depth / self.rates.product

    @property
    def _written(self) -> float:
        return self._transpose(self.shapes.batch * self._sites * self.shapes.out_channels)

    def _transpose(self, values: int) -> float:
        """Transpose a matrix of so many values: by one thread while the others wait, or longer, shared by all."""
        return values / self.rates.transposed * min(self.shapes.threads, self.rates.elementwise)
