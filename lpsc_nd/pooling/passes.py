"""What one direction of the bag engine is expected to take: counted work over measured rates."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lpsc_nd.pooling.constants import cells_read, rows_read
from lpsc_nd.pooling.plan import MIXED_ELEMENTS
from lpsc_nd.pooling.rates import RATES, Rates
from lpsc_nd.pooling.run_tables import FAR_FACTOR, NEAR_ELEMENTS
from lpsc_nd.pooling.window import Window


@dataclass(frozen=True)
class Pass:
    """A convolution of one image, forward or carrying a gradient back; times are in seconds.

    Args:
        cells: cells that are read.
        sites: sites that are written.
        padded: size of the padded table, per axis.
        window: bags that are summed, those of the reflected window being as many and as large.
        in_channels: channels that are read.
        out_channels: channels that are written.
        groups: groups of channels.
        rates: measured speeds.
    """

    cells: int
    sites: int
    padded: tuple[int, ...]
    window: Window
    in_channels: int
    out_channels: int
    groups: int
    rates: Rates = RATES

    @property
    def pool_and_mix(self) -> float:
        """Pooling first."""
        written = self.sites * self.out_channels / self.rates.passed
        return self.rates.slack * (self.pool + self.mix(self.sites, self.out_channels // self.groups) + written)

    @property
    def mix_and_pool(self) -> float:
        """Mixing first; infinite for grouped channels, which are always pooled first."""
        if self.groups > 1 or self.window.num_bags == 0:
            return math.inf
        values = self._tabled * self.window.num_bags * self.out_channels
        again = self._tabled / math.prod(self.padded)
        rows = self.sites * cells_read(self.window.stencil.token, self.window.center)
        row = self.rates.row * (FAR_FACTOR if min(values, MIXED_ELEMENTS) > NEAR_ELEMENTS else 1.0)
        summed = rows * (row + self.out_channels / self.rates.pooled_far)
        mixed = self._product(self.cells, self.in_channels, self.window.num_bags * self.out_channels) * again
        passed = values + self.cells * self.in_channels
        return self.rates.image + mixed + passed / self.rates.passed + summed

    @property
    def pool(self) -> float:
        """Filling a table and summing its bags."""
        filled = max(self.in_channels, self.rates.vector)
        row = max(self.rates.row, filled / self.rates.pooled)
        summed = self.sites * rows_read(self.window.stencil.token, self.window.center) * row
        return math.prod(self.padded) * filled / self.rates.tabled + summed

    def mix(self, positions: int, columns: int) -> float:
        """Multiplying with the weights at so many positions, in a product of so many columns."""
        depth = self.window.num_bags * self.in_channels // self.groups
        return self._product(positions, depth, self.out_channels) * self.rates.filling(columns)

    def _product(self, rows: int, depth: int, columns: int) -> float:
        seconds = 2 * rows * (depth + self.rates.product_overhead) * columns / self.rates.product
        return seconds + self.rates.reading(depth * columns)

    @property
    def _tabled(self) -> float:
        """Padded cells of all tables with a row for each (cell, bag); slabs of one image overlap."""
        padded = math.prod(self.padded)
        rows = MIXED_ELEMENTS * self.padded[0] // (padded * self.window.num_bags * self.out_channels)
        if rows >= self.padded[0]:
            return padded
        extent = self.window.extent[0]
        return padded * max(extent, rows) / max(1, rows - extent + 1)
