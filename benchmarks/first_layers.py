"""Measures stems as a network has them, without the gradient of their input: ``python -m benchmarks.first_layers``.

The layer and the dense convolution of the same window take turns, forward and backward, with gradients of the
parameters alone.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import torch
from rich.console import Console

from benchmarks.__main__ import RESULTS, print_rows
from benchmarks.cases import CASES, TARGETS, Case
from benchmarks.machine import describe
from benchmarks.one_by_one import one_by_one
from benchmarks.references import conv_contender, layouts
from benchmarks.rows import Row
from benchmarks.runner import Notify, take_turns, thread_count
from benchmarks.samples import Samples
from lpsc_nd._files import write_csv
from lpsc_nd.pooling.shapes import FEW_CHANNELS

STEMS = tuple(case for case in TARGETS if case.in_channels <= FEW_CHANNELS)
"""The targets that are likely a first layer."""


def measure(case: Case, seconds: float, notify: Notify = lambda stage: None) -> Samples:
    """Time a step of the layer and of the dense convolution in turns, for about so long."""
    notify("forward + backward")
    layer, x = case.layer(), torch.randn(case.input_shape)
    everyone = [
        conv_contender(name, module, x, layout, input_gradient=False)
        for name, module in (("ours", layer), ("dense", layer.to_conv()))
        for layout in layouts(case)
    ]
    with thread_count(1):
        return take_turns(case, everyone, "forward + backward", 1, seconds)


def row(case: Case, samples: Samples) -> Row:
    """Write both times in milliseconds, each in its best layout, and their ratio with its quartiles."""
    dense, ours = samples.best("dense"), samples.best("ours")
    if dense is None or ours is None:
        raise ValueError("the layer and the dense convolution are both timed")
    low, high = samples.quartiles(dense, ours)
    return {
        "case": case.title,
        "engine": case.layer().explain(case.input_shape, "parameters").engine,
        "ms": f"{1e3 * samples.median(ours):.3g}",
        "dense ms": f"{1e3 * samples.median(dense):.3g}",
        "x dense": f"{samples.median_ratio(dense, ours):.2f}",
        "quartiles": f"{low:.2f} to {high:.2f}",
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure stems; print them, and write ``first_layers.csv`` unless cases are named."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.first_layers", description=__doc__)
    parser.add_argument("--case", nargs="+", choices=CASES, metavar="NAME", help="these cases alone")
    parser.add_argument("--seconds", type=float, default=10.0, help="time for a case (default: 10)")
    options = parser.parse_args(arguments)
    cases = [CASES[name] for name in options.case] if options.case else list(STEMS)
    console, rows, folder = Console(), list[Row](), RESULTS / describe(1).slug

    def keep(written: Row) -> None:
        rows.append(written)
        if not options.case:
            write_csv(folder / "first_layers.csv", rows)

    one_by_one(cases, lambda case, notify: row(case, measure(case, options.seconds, notify)), keep, console)
    print_rows(console, "Without the gradient of the input, one thread (x dense: dense time / ours)", rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
