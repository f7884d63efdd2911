"""What a convolution is expected to take, in seconds: all passes that count together.

The seconds are those of all threads together: what the work takes on one, and as often as there are threads what only
one of them can do while the others wait, as Python's part of a call.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Literal

from lpsc_nd.pooling import across_costs, compiled_costs, side_costs, site_costs, whole_costs
from lpsc_nd.pooling.across_costs import Across
from lpsc_nd.pooling.passes import Pass
from lpsc_nd.pooling.rates import RATES, Rates
from lpsc_nd.pooling.shapes import PASSES, PassName, Shapes
from lpsc_nd.pooling.table import spread_size
from lpsc_nd.pooling.whole_costs import Whole
from lpsc_nd.pooling.window import Window

Way = Literal["tiles", "across images", "side by side", "site by site", "whole images", "compiled"]
"""How the bag engine runs a pass: in tiles; with an index of the cells that are there, laid out in four ways; or by a
compiled kernel."""


def expand_seconds(window: Window, shapes: Shapes, rates: Rates = RATES) -> float:
    """Predict the dense convolution: expansion of the kernel, and the convolution, in every pass that counts.

    Where the forward pass alone does, the kernel is kept from call to call (:mod:`lpsc_nd.pooling.kept`).
    """
    passes = len(shapes.passes)
    written = passes * kernel_seconds(window, shapes, rates) if passes > 1 else 0.0
    return dense_seconds(window, window.stencil.kernel_size, shapes, rates) + written


def kernel_seconds(window: Window, shapes: Shapes, rates: Rates = RATES) -> float:
    """Predict the writing of a dense kernel, or the reading of its gradient."""
    weights = shapes.out_channels * shapes.in_channels // shapes.groups * window.stencil.num_cells
    return weights / rates.expansion + rates.dense_call * shapes.threads


def dense_seconds(window: Window, kernel_size: tuple[int, ...], shapes: Shapes, rates: Rates = RATES) -> float:
    """Predict a dense convolution: passes of equal work, at a rate that falls where few channels are written.

    Args:
        window: gives the output sites.
        kernel_size: cells of the dense kernel, which may be smaller than the window.
        shapes: the channels and sizes, and the passes that count.
        rates: measured speeds.
    """
    return sum(dense_pass_seconds(name, window, kernel_size, shapes, rates) for name in shapes.passes)


def dense_pass_seconds(
    name: PassName, window: Window, kernel_size: tuple[int, ...], shapes: Shapes, rates: Rates = RATES
) -> float:
    """Predict one pass of a dense convolution; arguments as for :func:`dense_seconds`."""
    sites = _count(shapes.batch, window.output_size(shapes.size))
    weights = shapes.out_channels * shapes.in_channels // shapes.groups * math.prod(kernel_size)
    full_rate, full = _dense_rate(kernel_size, shapes, rates)
    written = shapes.in_channels if name == "input_grad" else shapes.out_channels
    rate = full_rate * min(1.0, written // shapes.groups / full)
    passed = _count(shapes.batch, shapes.size) * shapes.in_channels + sites * shapes.out_channels
    return 2 * sites * weights / rate + passed / rates.passed + rates.dense_call * shapes.threads


def bags_seconds(window: Window, shapes: Shapes, rates: Rates = RATES) -> float:
    """Predict the bag engine: every pass that counts in its cheapest way."""
    passes = {name: _cheapest(name, window, shapes, rates) for name in shapes.passes}
    seconds = sum(passes.values())
    if len(passes) == len(PASSES) and all(step == 1 for step in window.stride):
        seconds = min(seconds, passes["forward"] + _together(window, shapes, rates))
    return seconds


@lru_cache(maxsize=256)
def cheapest_way(name: PassName, window: Window, shapes: Shapes, by_kernels: bool = True) -> Way:
    """Tell in which way the bag engine runs a pass, optionally without compiled kernels."""
    ways = seconds_by_way(name, window, shapes, RATES)
    if not by_kernels:
        ways.pop("compiled", None)
    return min(ways, key=ways.__getitem__)


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
    names: tuple[PassName, ...] = ("weight_grad", "input_grad")
    apart = sum(_cheapest(name, window, shapes, RATES) for name in names)
    return apart < _together(window, shapes, RATES)


@lru_cache(maxsize=256)
def joins(window: Window, kernel_size: tuple[int, ...], shapes: Shapes, filters: int) -> bool:
    """Tell whether conventional and log-polar filters cost less as one dense convolution than apart.

    Apart, their outputs are copied to one, and their gradients of the input are added up.

    Args:
        window: that of the log-polar filters.
        kernel_size: that of the conventional ones, inside it.
        shapes: with the channels of both parts together.
        filters: how many of them are log-polar.
    """
    log_polar = replace(shapes, out_channels=filters)
    conventional = replace(shapes, out_channels=shapes.out_channels - filters)
    apart = min(expand_seconds(window, log_polar), bags_seconds(window, log_polar))
    apart += dense_seconds(window, kernel_size, conventional)
    copied = _count(shapes.batch, window.output_size(shapes.size)) * shapes.out_channels
    added = _count(shapes.batch, shapes.size) * shapes.in_channels if "input_grad" in shapes.passes else 0
    return expand_seconds(window, shapes) < apart + copied / RATES.joined + added / RATES.passed


def _cheapest(name: PassName, window: Window, shapes: Shapes, rates: Rates) -> float:
    return min(seconds_by_way(name, window, shapes, rates).values())


def seconds_by_way(name: PassName, window: Window, shapes: Shapes, rates: Rates = RATES) -> dict[Way, float]:
    """Predict a pass of all images in each way that there is."""
    ways: dict[Way, float] = {}
    if across_costs.suits(window, shapes):
        ways["across images"] = Across(window, shapes, rates).seconds(name)
    if whole_costs.suits(name, window, shapes):
        ways["whole images"] = shapes.batch * Whole(window, shapes, rates).seconds(name)
    if side_costs.suits(name, window, shapes):
        ways["side by side"] = side_costs.seconds(name, window, shapes, rates)
    if site_costs.suits(name, window, shapes):
        ways["site by site"] = site_costs.seconds(name, window, shapes, rates)
    ways = {way: seconds + rates.call * shapes.threads for way, seconds in ways.items()}
    ways["tiles"] = min(tile_seconds(name, window, shapes, rates))
    if compiled_costs.suits(window, shapes.groups):
        ways["compiled"] = compiled_costs.seconds(name, window, shapes, rates)
    return ways


def tile_seconds(name: PassName, window: Window, shapes: Shapes, rates: Rates = RATES) -> tuple[float, float]:
    """Predict a pass of all images in tiles: pooling first, and mixing first, which weight gradients cannot."""
    found = (_backward if name == "input_grad" else _forward)(window, shapes, rates)
    called = rates.call * shapes.threads
    mixing_first = math.inf if name == "weight_grad" else shapes.batch * found.mix_and_pool + called
    return shapes.batch * found.pool_and_mix + called, mixing_first


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


def _together(window: Window, shapes: Shapes, rates: Rates) -> float:
    """Predict both gradients of all images from one pooling of the output's, in the cheapest way; the stride is 1."""
    backward = _backward(window, shapes, rates)
    columns = window.num_bags * backward.in_channels  # of the weight gradient's product
    seconds = shapes.batch * (backward.pool_and_mix + rates.slack * backward.mix(backward.sites, columns))
    if whole_costs.suits("forward", window, shapes):  # which the adjoint's pairs of a site and a cell are as many as
        adjoint, size = window.adjoint(shapes.size), window.output_size(shapes.size)
        carried = replace(
            shapes, in_channels=shapes.out_channels, out_channels=shapes.in_channels, size=size, derivatives="all"
        )
        whole = Whole(adjoint, carried, rates)
        seconds = min(seconds, shapes.batch * (whole.forward + rates.slack_whole * whole.mixed))
        if side_costs.suits("forward", adjoint, carried):
            product = rates.slack_whole * shapes.batch * whole.mixed
            seconds = min(seconds, side_costs.seconds("forward", adjoint, carried, rates) + product)
    seconds += 2 * rates.call * shapes.threads
    if compiled_costs.suits(window, shapes.groups):
        seconds = min(seconds, compiled_costs.both_grads(window, shapes, rates))
    return seconds


def _dense_rate(kernel_size: tuple[int, ...], shapes: Shapes, rates: Rates) -> tuple[float, int]:
    """Return the rate of PyTorch's convolution, and the channels to be written from which it is reached.

    One small image and a kernel of at most 3 cells do not go to oneDNN but to PyTorch's own code, slow in volumes.
    """
    small = shapes.batch == 1 and shapes.in_channels * math.prod(shapes.size[:2]) <= rates.largest_own
    if small and max(kernel_size[-2:]) <= rates.widest_own:
        return (rates.dense_own_volume if len(kernel_size) > 2 else rates.dense_own), rates.vector
    if kernel_size[-1] > rates.widest_fast:
        return rates.dense_wide, rates.full_wide_channels
    return rates.dense, rates.vector


def _count(batch: int, size: Sequence[int]) -> int:
    return batch * math.prod(size)
