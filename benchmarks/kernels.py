"""Where a compiled pass spends its time, and how fast it could be at the best: ``python -m benchmarks.kernels``.

The dense convolution, and the pass whole and with parts left out, take turns; differences tell the parts:

- "table and output": the pass without any bag, which fills its tables and writes its output;
- "product": what a pass without any tap takes beside these: its sums are zero, and multiplied all the same;
- "sums": what the whole pass takes beside all that; next to nothing, or less than it within the noise, where they are
  made while products run;
- "at best": the whole pass with every tap the same cell, so that all sums are made from the first-level cache. No order
  or size of boxes reaches more.

"Best" is the dense time over that pass, forward; with backward, over it and the pass that gives both gradients. A
depthwise pass has no product: its sums are weighted as they are added.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import torch
from rich.console import Console

from benchmarks.__main__ import RESULTS, print_rows
from benchmarks.bounds import milliseconds
from benchmarks.cases import CASES, TARGETS, Case, Quantity
from benchmarks.kernel_variants import Runs, forward_runs, gradient_runs, is_compiled
from benchmarks.machine import describe
from benchmarks.one_by_one import one_by_one
from benchmarks.references import Contender, conv_contender, layouts
from benchmarks.rows import Row
from benchmarks.runner import Notify, take_turns, thread_count
from benchmarks.samples import Samples
from lpsc_nd._files import write_csv


def contenders(case: Case) -> list[Contender]:
    """Build the dense convolution and the variants of the passes."""
    x = torch.randn(case.input_shape)
    dense = [conv_contender("dense", case.layer().to_conv(), x, layout) for layout in layouts(case)]
    forward, gradients = forward_runs(case), gradient_runs(case) if case.stride == 1 else None
    return [*dense, *(_variant(variant, forward, gradients) for variant in forward)]


def _variant(variant: str, forward: Runs, gradients: Runs | None) -> Contender:
    def training() -> object:
        return None if gradients is None else (forward[variant](), gradients[variant]())  # type: ignore[index]

    return Contender(variant, "default", forward[variant], training)  # type: ignore[index]


def measure(case: Case, seconds: float, notify: Notify = lambda stage: None) -> Row:
    """Time a case, for about so many seconds a pass."""
    everyone = contenders(case)
    notify("forward")
    with torch.no_grad():
        forward = take_turns(case, everyone, "forward", 1, seconds)
    if case.stride != 1:
        return row(case, forward)
    notify("forward + backward")
    return row(case, forward, take_turns(case, everyone, "forward + backward", 1, seconds))


def row(case: Case, forward: Samples, training: Samples | None = None) -> Row:
    """Write the parts of the forward pass in milliseconds, and how many times dense both passes are and could be."""
    times = {name: milliseconds(forward, name) or 0.0 for name in ("dense", "whole", "without sums", "without bags")}
    written = {
        "dense ms": times["dense"],
        "pass ms": times["whole"],
        "table and output ms": times["without bags"],
        "product ms": times["without sums"] - times["without bags"],
        "sums ms": times["whole"] - times["without sums"],
    }
    ratios: Row = {}
    passes: dict[Quantity, tuple[str, Samples | None]] = {
        "x dense, forward": ("fwd", forward),
        "x dense, forward + backward": ("fwd+bwd", training),
    }
    for quantity, (short, samples) in passes.items():
        ratios[f"x dense ({short})"] = _ratio(samples, "whole")
        ratios[f"best ({short})"] = _ratio(samples, "at best")
        ratios[f"target ({short})"] = next((str(t) for t in case.targets if t.quantity == quantity), "–")
    return {"case": case.title, **{name: f"{value:.3g}" for name, value in written.items()}, **ratios}


def _ratio(samples: Samples | None, variant: str) -> str:
    ratio = None if samples is None else samples.ratio("dense", variant)
    return "–" if ratio is None else f"{ratio:.2f}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what compiled kernels run; print it, and write ``kernels.csv`` unless cases are named."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kernels", description=__doc__)
    parser.add_argument("--case", nargs="+", choices=CASES, metavar="NAME", help="these cases alone")
    parser.add_argument("--seconds", type=float, default=4.0, help="time for a pass (default: 4)")
    options = parser.parse_args(arguments)
    asked = [CASES[name] for name in options.case] if options.case else list(TARGETS)
    console, rows, folder = Console(), list[Row](), RESULTS / describe(1).slug

    def keep(written: Row) -> None:
        rows.append(written)
        if not options.case:
            write_csv(folder / "kernels.csv", rows)

    with thread_count(1):
        cases = [case for case in asked if is_compiled(case)]
        one_by_one(cases, lambda case, notify: measure(case, options.seconds, notify), keep, console)
    print_rows(console, "Compiled passes, one thread", rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
