"""How much faster than the dense convolution a forward pass could be at the best: ``python -m benchmarks.bounds``.

What a layer cannot do without is timed alone, each part at its best:

- the product of pooled values and weights, on pooled values that are there already;
- the bag sums, by the operation that sums them, as many and as long, every row read from a table of 16 KiB, which stays
  in the first-level cache;
- where the regions are written into a dense kernel, that product into memory that is there, and the convolution.

Filling the table, doubling it, storing the output and Python are left out.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Sequence

import torch
from rich.console import Console
from torch import Tensor

from benchmarks.__main__ import RESULTS, print_rows
from benchmarks.cases import CASES, TARGETS, Case
from benchmarks.machine import describe
from benchmarks.references import Contender, conv_contender, floor_contenders, layouts
from benchmarks.rows import Row
from benchmarks.runner import take_turns, thread_count
from benchmarks.samples import Samples
from lpsc_nd._files import write_csv
from lpsc_nd.pooling.constants import bag_taps
from lpsc_nd.pooling.plan import plan
from lpsc_nd.pooling.transposed import sum_bags

HOT_BYTES = 2**14
"""Table from which bag sums are as fast as they get."""

Sums = tuple[Tensor, Tensor]
"""Rows and offsets of a tile's bag sums."""


def bound_contenders(case: Case) -> list[Contender]:
    """Build the dense convolution and the parts that a forward pass of the layer needs."""
    layer = case.layer()
    x = torch.randn(case.input_shape)
    dense = [conv_contender("dense", layer.to_conv(), x, layout) for layout in layouts(case)]
    if layer.explain(case.input_shape, "none").engine == "expand":
        return [*dense, _part("kernel", _write_kernel(case))]
    sums = _part("bag sums", _hot_sums(case))
    products = [part for part in floor_contenders(case) if part.operator == "product"] if case.groups == 1 else []
    return [*dense, sums, *products]


def row(case: Case, samples: Samples) -> Row:
    """Write a case's parts in milliseconds, and how many times dense it could be beside the target."""
    times = {name: _milliseconds(samples, name) for name in ("dense", "kernel", "bag sums", "product")}
    needed = [times["dense"] if times["kernel"] else None, times["kernel"], times["bag sums"], times["product"]]
    least = sum(part for part in needed if part)
    target = next((str(t) for t in case.targets if t.quantity == "x dense, forward"), "–")
    written = {f"{name} ms": "–" if value is None else f"{value:.3g}" for name, value in times.items()}
    return {
        "case": case.title,
        **written,
        "x dense at the best": f"{(times['dense'] or 0.0) / least:.2f}",
        "target": target,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the bounds of cases; print them, and write ``bounds.csv`` unless cases are named."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bounds", description=__doc__)
    parser.add_argument("--case", nargs="+", choices=CASES, metavar="NAME", help="these cases alone")
    parser.add_argument("--seconds", type=float, default=4.0, help="time for a case (default: 4)")
    options = parser.parse_args(arguments)
    cases = [CASES[name] for name in options.case] if options.case else list(TARGETS)
    rows = []
    with thread_count(1), torch.no_grad():
        for case in cases:
            rows.append(row(case, take_turns(case, bound_contenders(case), "forward", 1, options.seconds)))
    print_rows(Console(), "What a forward pass cannot do without, one thread", rows)
    if not options.case:
        write_csv(RESULTS / describe(1).slug / "bounds.csv", rows)
    return 0


def _part(operator: str, run: Callable[[], Tensor]) -> Contender:
    return Contender(operator, "default", run, run)


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
        return [sum_bags(table, *tile) for tile in tiles][-1][:0]

    return run


def _write_kernel(case: Case) -> Callable[[], Tensor]:
    """Write the dense kernel by one product, into memory that is there already."""
    layer = case.layer()
    taps = bag_taps(layer.stencil, layer.window.center, "mean", layer.weight)
    weights = torch.randn(layer.weight.shape[0] * layer.weight.shape[1], taps.shape[0])
    kernel = torch.empty(weights.shape[0], math.prod(layer.kernel_size))
    return lambda: torch.mm(weights, taps, out=kernel)


def _milliseconds(samples: Samples, operator: str) -> float | None:
    best = samples.best(operator)
    return None if best is None else samples.median(best) * 1e3


if __name__ == "__main__":
    sys.exit(main())
