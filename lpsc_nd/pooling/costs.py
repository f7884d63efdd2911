"""What a convolution is expected to take, in seconds on one thread, forward and backward together.

Work is counted and divided by rates that were measured on an AVX-512 processor with PyTorch 2.13; for the choice
between engines only their ratios matter.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lpsc_nd.pooling.constants import rows_read
from lpsc_nd.pooling.window import Window


@dataclass(frozen=True)
class Rates:
    """Measured speeds of the parts; per second unless said otherwise.

    Args:
        dense: floating-point operations of PyTorch's convolution.
        dense_wide: the same where the kernel is wider than ``widest_fast`` cells on the last axis.
        widest_fast: widest kernel that PyTorch's fast convolution takes.
        full_wide_channels: output channels from which ``dense_wide`` is reached.
        expansion: weights written into the dense kernel.
        passed: values read from the input or written to the output.
        product: floating-point operations of a pooled tile times the weights.
        product_overhead: rows of a product that cost as much as its fixed part.
        tabled: values copied into the padded table.
        pooled: values summed into bags.
        vector: channels below which the table's rows are too short to fill the processor's vectors.
        call: seconds that a call of the bag engine takes however small its input is.
        slack: time of the bag engine beyond its parts (memory it allocates), as a factor.
    """

    dense: float = 2.0e11
    dense_wide: float = 1.1e11
    widest_fast: int = 14
    full_wide_channels: int = 48
    expansion: float = 3.0e8
    passed: float = 2.5e9
    product: float = 1.8e11
    product_overhead: int = 32
    tabled: float = 1.3e9
    pooled: float = 1.8e10
    vector: int = 16
    call: float = 1.5e-4
    slack: float = 1.2


RATES = Rates()


@dataclass(frozen=True)
class Shapes:
    """The sizes on which the cost depends.

    Args:
        batch: images.
        in_channels: C.
        out_channels: C'.
        groups: groups of channels.
        size: input size per axis.
    """

    batch: int
    in_channels: int
    out_channels: int
    groups: int
    size: tuple[int, ...]


def expand_seconds(window: Window, shapes: Shapes, rates: Rates = RATES) -> float:
    """Predict the dense convolution: expansion of the kernel and three convolutions of equal work."""
    sites = _count(shapes.batch, window.output_size(shapes.size))
    weights = shapes.out_channels * shapes.in_channels // shapes.groups * window.stencil.num_cells
    rate = rates.dense
    if window.stencil.kernel_size[-1] > rates.widest_fast:
        full = shapes.out_channels / shapes.groups / rates.full_wide_channels
        rate = rates.dense_wide * min(1.0, full)
    passed = _count(shapes.batch, shapes.size) * shapes.in_channels + sites * shapes.out_channels
    return 3 * (2 * sites * weights / rate + passed / rates.passed + weights / rates.expansion)


def bags_seconds(window: Window, shapes: Shapes, rates: Rates = RATES) -> float:
    """Predict the bag engine: forward and two gradients of equal work where the stride is 1.

    With a stride the input gradient pools, at every cell of the input, an output gradient with zeros between its sites.
    """
    sites = _count(shapes.batch, window.output_size(shapes.size))
    table = _count(shapes.batch, window.padded_size(shapes.size))
    cells = _count(shapes.batch, shapes.size)
    forward = _pool_and_mix(window, sites, table, shapes.in_channels, shapes.out_channels, shapes.groups, rates)
    if all(step == 1 for step in window.stride):
        return 3 * forward
    return 2 * forward + _pool_and_mix(
        window, cells, table, shapes.out_channels, shapes.in_channels, shapes.groups, rates
    )


def _pool_and_mix(
    window: Window, sites: int, table: int, channels: int, out_channels: int, groups: int, rates: Rates
) -> float:
    width = max(channels, rates.vector)
    depth = window.num_bags * channels // groups
    mixed = 2 * sites * depth * out_channels * (1 + rates.product_overhead / depth) / rates.product
    pooled = (table / rates.tabled + sites * rows_read(window.stencil.token, window.center) / rates.pooled) * width
    return rates.call + rates.slack * (mixed + pooled)


def _count(batch: int, size: Sequence[int]) -> int:
    return batch * math.prod(size)
