"""How much faster than the dense convolution a layer could be at the best: ``python -m benchmarks.bounds``.

What a layer cannot do without is timed alone, each part at its best:

- the product of pooled values and weights, once forward and three times with backward, on blocks of pooled values that
  are there already and stay in cache; for depthwise layers the weighted sum of each channel's values, in the faster of
  two ways;
- the bag sums, by the operation that sums them, as many and as long, every row read from a table of 16 KiB, which stays
  in the first-level cache: once forward and twice with backward, whose two gradients share one pooling;
- where the regions are written into a dense kernel, that product into memory that is there, and the convolution.

Filling the table, doubling it, storing the output and Python are left out. Forward and backward are bounded where the
bag engine runs both and the stride is 1.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Sequence

import torch
from rich.console import Console
from torch import Tensor
from torch.nn import functional

from benchmarks.__main__ import RESULTS, print_rows
from benchmarks.cases import CASES, TARGETS, Case, Quantity
from benchmarks.machine import describe
from benchmarks.references import DERIVATIVES, Contender, Layout, conv_contender, layouts
from benchmarks.rows import Row
from benchmarks.runner import take_turns, thread_count
from benchmarks.samples import Samples
from lpsc_nd._files import write_csv
from lpsc_nd.pooling.constants import bag_taps
from lpsc_nd.pooling.plan import plan
from lpsc_nd.pooling.product import multiplier, product, writes_in_place
from lpsc_nd.pooling.transposed import sum_bags

BLOCK_ELEMENTS = 2**18
"""Elements of a block of pooled values: one MiB."""

HOT_BYTES = 2**14
"""Table from which bag sums are as fast as they get."""

Sums = tuple[Tensor, Tensor]
"""Rows and offsets of a tile's bag sums."""


def bound_contenders(case: Case) -> list[Contender]:
    """Build the dense convolution and the parts that a pass of the layer needs."""
    layer = case.layer()
    x = torch.randn(case.input_shape)
    dense = [conv_contender("dense", layer.to_conv(), x, layout) for layout in layouts(case)]
    if layer.explain(case.input_shape, "none").engine == "expand":
        return [*dense, _part("kernel", _write_kernel(case))]
    sums = _part("bag sums", _hot_sums(case), times=2)
    if case.groups > 1:
        return [*dense, sums, *(_part("product", run, layout=way) for way, run in _hot_weightings(case).items())]
    return [*dense, sums, _part("product", _hot_product(case), times=3)]


def bounds_backward(case: Case) -> bool:
    """Tell whether forward and backward consist of the parts that are timed."""
    engines = {case.layer().explain(case.input_shape, kind).engine for kind in DERIVATIVES.values()}
    return case.groups == case.stride == 1 and engines == {"bags"} and case.in_channels == case.out_channels


def row(case: Case, forward: Samples, training: Samples | None = None) -> Row:
    """Write a case's parts in milliseconds, and how many times dense it could be, forward and with backward."""
    times = {name: _milliseconds(forward, name) for name in ("dense", "kernel", "bag sums", "product")}
    written = {f"{name} ms": "–" if value is None else f"{value:.3g}" for name, value in times.items()}
    return {
        "case": case.title,
        **written,
        "best (fwd)": f"{_best_ratio(forward):.2f}",
        "target (fwd)": _target(case, "x dense, forward"),
        "best (fwd+bwd)": "–" if training is None else f"{_best_ratio(training):.2f}",
        "target (fwd+bwd)": _target(case, "x dense, forward + backward"),
    }


def measure(case: Case, seconds: float) -> Row:
    """Time the parts of a case, for at least so many seconds."""
    parts = bound_contenders(case)
    forward = take_turns(case, parts, "forward", 1, seconds)
    if not bounds_backward(case):
        return row(case, forward)
    with torch.enable_grad():
        return row(case, forward, take_turns(case, parts, "forward + backward", 1, seconds))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the bounds of cases; print them, and write ``bounds.csv`` unless cases are named."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bounds", description=__doc__)
    parser.add_argument("--case", nargs="+", choices=CASES, metavar="NAME", help="these cases alone")
    parser.add_argument("--seconds", type=float, default=4.0, help="time for a pass (default: 4)")
    options = parser.parse_args(arguments)
    cases = [CASES[name] for name in options.case] if options.case else list(TARGETS)
    rows = []
    with thread_count(1), torch.no_grad():
        for case in cases:
            rows.append(measure(case, options.seconds))
    print_rows(Console(), "What a layer cannot do without, one thread", rows)
    if not options.case:
        write_csv(RESULTS / describe(1).slug / "bounds.csv", rows)
    return 0


def _part(operator: str, run: Callable[[], Tensor], times: int = 1, layout: Layout = "default") -> Contender:
    """Make a contender that runs once forward, and so many times with backward."""

    def training() -> object:
        return [run() for _ in range(times)]

    return Contender(operator, layout, run, training)


def _hot_sums(case: Case) -> Callable[[], Tensor]:
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


def _hot_product(case: Case) -> Callable[[], Tensor]:
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


def _hot_weightings(case: Case) -> dict[Layout, Callable[[], Tensor]]:
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


def _write_kernel(case: Case) -> Callable[[], Tensor]:
    """Write the dense kernel by one product, into memory that is there already."""
    layer = case.layer()
    taps = bag_taps(layer.stencil, layer.window.center, "mean", layer.weight)
    weights = torch.randn(layer.weight.shape[0] * layer.weight.shape[1], taps.shape[0])
    kernel = torch.empty(weights.shape[0], math.prod(layer.kernel_size))
    return lambda: torch.mm(weights, taps, out=kernel)


def _best_ratio(samples: Samples) -> float:
    """Return the dense time over that of what is needed; where the kernel is written, the convolution is as well."""
    kernel, dense = _milliseconds(samples, "kernel"), _milliseconds(samples, "dense") or 0.0
    needed = [kernel, _milliseconds(samples, "bag sums"), _milliseconds(samples, "product"), dense if kernel else None]
    return dense / sum(part for part in needed if part)


def _target(case: Case, quantity: Quantity) -> str:
    return next((str(target) for target in case.targets if target.quantity == quantity), "–")


def _milliseconds(samples: Samples, operator: str) -> float | None:
    best = samples.best(operator)
    return None if best is None else samples.median(best) * 1e3


if __name__ == "__main__":
    sys.exit(main())
