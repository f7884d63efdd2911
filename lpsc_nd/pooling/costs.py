"""What a convolution is expected to take, in seconds on one thread, forward and backward together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from lpsc_nd.pooling.passes import Pass
from lpsc_nd.pooling.rates import RATES, Rates
from lpsc_nd.pooling.table import spread_size
from lpsc_nd.pooling.window import Window


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
    weights = shapes.out_channels * shapes.in_channels // shapes.groups * window.stencil.num_cells
    return dense_seconds(window, window.stencil.kernel_size, shapes, rates) + 3 * weights / rates.expansion


def dense_seconds(window: Window, kernel_size: tuple[int, ...], shapes: Shapes, rates: Rates = RATES) -> float:
    """Predict three dense convolutions of equal work, forward and two gradients.

    Args:
        window: gives the output sites.
        kernel_size: cells of the dense kernel, which may be smaller than the window.
        shapes: the channels and sizes.
        rates: measured speeds.
    """
    sites = _count(shapes.batch, window.output_size(shapes.size))
    weights = shapes.out_channels * shapes.in_channels // shapes.groups * math.prod(kernel_size)
    filled = shapes.out_channels // shapes.groups
    rate = rates.dense * min(1.0, filled / rates.vector)
    if kernel_size[-1] > rates.widest_fast:
        rate = rates.dense_wide * min(1.0, filled / rates.full_wide_channels)
    passed = _count(shapes.batch, shapes.size) * shapes.in_channels + sites * shapes.out_channels
    return 3 * (2 * sites * weights / rate + passed / rates.passed)


def bags_seconds(window: Window, shapes: Shapes, rates: Rates = RATES) -> float:
    """Predict the bag engine: forward, input gradient and weight gradient, each in its cheaper order."""
    forward, backward = _forward(window, shapes, rates), _backward(window, shapes, rates)
    grads = _apart(forward, backward)
    if all(step == 1 for step in window.stride):
        grads = min(grads, _together(backward))
    return 3 * rates.call + shapes.batch * (forward.cheaper + grads)


@lru_cache(maxsize=256)
def mixes_first(
    window: Window, steps: tuple[int, ...], size: tuple[int, ...], in_channels: int, out_channels: int, groups: int
) -> bool:
    """Tell whether mixing before pooling is the cheaper order.

    Args:
        window: how the stencil slides over the input.
        steps: distance at which the input's cells are put.
        size: input size per axis.
        in_channels: channels of the input.
        out_channels: channels of the output.
        groups: groups of channels.
    """
    spread = spread_size(size, steps)
    sites, padded = math.prod(window.output_size(spread)), window.padded_size(spread)
    found = Pass(math.prod(size), sites, padded, window, in_channels, out_channels, groups)
    return found.mix_and_pool < found.pool_and_mix


@lru_cache(maxsize=256)
def grads_apart(window: Window, shapes: Shapes) -> bool:
    """Tell whether two gradients by themselves cost less than both from one pooling of the output's gradient."""
    backward = _backward(window, shapes, RATES)
    return _apart(_forward(window, shapes, RATES), backward) < _together(backward)


@lru_cache(maxsize=256)
def joins(window: Window, kernel_size: tuple[int, ...], shapes: Shapes, filters: int) -> bool:
    """Tell whether conventional and log-polar filters cost less as one dense convolution than apart.

    Args:
        window: that of the log-polar filters.
        kernel_size: that of the conventional ones, inside it.
        shapes: with the channels of both parts together.
        filters: how many of them are log-polar.
    """
    log_polar = replace(shapes, out_channels=filters)
    conventional = replace(shapes, out_channels=shapes.out_channels - filters)
    apart = min(expand_seconds(window, log_polar), bags_seconds(window, log_polar))
    return expand_seconds(window, shapes) < apart + dense_seconds(window, kernel_size, conventional)


def _forward(window: Window, shapes: Shapes, rates: Rates) -> Pass:
    sites, padded = math.prod(window.output_size(shapes.size)), window.padded_size(shapes.size)
    channels = (shapes.in_channels, shapes.out_channels)
    return Pass(math.prod(shapes.size), sites, padded, window, *channels, shapes.groups, rates)


def _backward(window: Window, shapes: Shapes, rates: Rates) -> Pass:
    """Return the pass of the input gradient: through the adjoint window, which this does without."""
    sites = math.prod(window.output_size(shapes.size))
    padded = tuple(n + extent - 1 for n, extent in zip(shapes.size, window.extent, strict=True))
    channels = (shapes.out_channels, shapes.in_channels)
    return Pass(sites, math.prod(shapes.size), padded, window, *channels, shapes.groups, rates)


def _together(backward: Pass) -> float:
    columns = backward.window.num_bags * backward.in_channels  # of the weight gradient's product
    return backward.pool_and_mix + backward.rates.slack * backward.mix(backward.sites, columns)


def _apart(forward: Pass, backward: Pass) -> float:
    return backward.cheaper + forward.pool_and_mix


def _count(batch: int, size: Sequence[int]) -> int:
    return batch * math.prod(size)
