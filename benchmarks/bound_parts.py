"""What a pass of the bag engine cannot do without, part by part, each to be timed alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.cases import Case
from benchmarks.references import FORMATS, Contender, Layout
from lpsc_nd.pooling import across_images, bags, side_by_side, whole_images
from lpsc_nd.pooling.constants import bag_taps
from lpsc_nd.pooling.costs import Way, cheapest_way
from lpsc_nd.pooling.plan import plan
from lpsc_nd.pooling.product import multiplier, product, writes_in_place
from lpsc_nd.pooling.shapes import Shapes
from lpsc_nd.pooling.transposed import sum_bags
from lpsc_nd.pooling.window import Window

BLOCK_ELEMENTS = 2**18
"""Elements of a block of pooled values: one MiB."""

HOT_BYTES = 2**14
"""Table from which bag sums are as fast as they get."""

Sums = tuple[Tensor, Tensor]
"""Rows and offsets of a tile's bag sums."""


def part(operator: str, run: Callable[[], Tensor], times: int = 1, layout: Layout = "default") -> Contender:
    """Make a contender that runs once forward, and so many times with backward."""

    def training() -> object:
        return [run() for _ in range(times)]

    return Contender(operator, layout, run, training)


def hot_sums(case: Case) -> Callable[[], Tensor]:
    """Sum as many bags of as many rows as the layer does, tile by tile, from a table that stays in cache."""
    window, (batch, channels, *size) = case.layer().window, case.input_shape
    planned = plan(window, batch, window.padded_size(size), window.output_size(size), channels, "cpu")
    table = torch.randn(max(1, HOT_BYTES // (4 * channels)), channels)
    hot: dict[int, Sums] = {}
    tiles: list[Sums] = []
    for step in (step for _, steps in planned.slabs for step in steps):
        if id(step.indices) not in hot:
            hot[id(step.indices)] = (step.indices % len(table)).contiguous(), step.offsets
        tiles.append(hot[id(step.indices)])

    def run() -> Tensor:
        for tile in tiles:
            sum_bags(table, *tile)  # one result at a time, so that its memory is used again
        return table

    return run


def own_pooling(case: Case) -> Callable[[], Tensor]:
    """Pool as the layer does forward, into tables of its own where it needs any, and drop what is pooled."""
    window, x = case.layer().window, torch.randn(case.input_shape)
    if case.ndim in FORMATS:
        x = x.contiguous(memory_format=FORMATS[case.ndim])
    shapes = Shapes(case.input_shape[0], case.in_channels, case.out_channels, case.groups, case.input_shape[2:])
    way = cheapest_way("forward", window, shapes)

    def run() -> Tensor:
        for _, pooled in _pooled(way, x, window, case.out_channels):
            del pooled  # the next one then lies in the same memory, which is in cache
        return x

    return run


def _pooled(way: Way, x: Tensor, window: Window, filters: int) -> Iterator[tuple[object, Tensor]]:
    """Return places with what a way of the bag engine pools there."""
    ones = (1,) * window.ndim
    if way == "tiles":
        return bags.pooled_tiles(x, window, ones, bags.plan_of(x, window, ones))
    if way == "whole images":
        return whole_images.pooled_rows(x, window, filters)
    if way == "side by side":
        return side_by_side.pooled_parts(x, window, side_by_side.division_of(x, window))
    if way == "across images":
        return ((images, across_images.pooled_sites(x[images], window)) for images in across_images.groups(x, window))
    raise ValueError(f"no case is pooled {way}")


def hot_product(case: Case) -> Callable[[], Tensor]:
    """Multiply as many pooled values as the layer does, and as it does, block by block, the block staying in cache."""
    window = case.layer().window
    sites = case.input_shape[0] * math.prod(window.output_size(case.input_shape[2:]))
    depth = window.num_bags * case.in_channels
    blocks = max(1, round(sites * depth / BLOCK_ELEMENTS))
    block, weight = torch.randn(-(-sites // blocks), depth), torch.randn(case.out_channels, depth)
    out = torch.empty(len(block), case.out_channels)
    write = multiplier(weight, None, weight.dtype)

    def run() -> Tensor:
        with torch.no_grad():
            for _ in range(blocks):
                if writes_in_place(weight):
                    write(out, block)
                else:
                    product(block, weight)
            return block

    return run


def hot_weightings(case: Case) -> dict[Layout, Callable[[], Tensor]]:
    """Weight and add as many pooled values as a depthwise layer does: in place, or by a channels-last convolution."""
    window, channels = case.layer().window, case.in_channels
    sites = case.input_shape[0] * math.prod(window.output_size(case.input_shape[2:]))
    depth = window.num_bags * channels
    few, many = (max(1, round(sites * depth / elements)) for elements in (BLOCK_ELEMENTS, 4 * BLOCK_ELEMENTS))
    small = torch.randn(-(-sites // few), window.num_bags, channels)
    ones = torch.ones(window.num_bags, channels)  # what is multiplied in place stays finite
    large = torch.randn(1, -(-sites // many), window.num_bags, channels).movedim(-1, 1)
    kernel = torch.randn(channels, 1, 1, window.num_bags)

    def in_place() -> Tensor:
        for _ in range(few):
            small.mul_(ones).sum(1)
        return small

    def convolution() -> Tensor:
        for _ in range(many):
            functional.conv2d(large, kernel, groups=channels)
        return large

    return {"default": in_place, "channels last": convolution}


def write_kernel(case: Case) -> Callable[[], Tensor]:
    """Write the dense kernel by one product, into memory that is there already."""
    layer = case.layer()
    taps = bag_taps(layer.stencil, layer.window.center, "mean", layer.weight)
    weights = torch.randn(layer.weight.shape[0] * layer.weight.shape[1], taps.shape[0])
    kernel = torch.empty(weights.shape[0], math.prod(layer.kernel_size))
    return lambda: torch.mm(weights, taps, out=kernel)
