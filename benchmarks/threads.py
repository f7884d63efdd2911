"""Whether several threads keep the ratios of one: ``python -m benchmarks.threads``.

The layer and the dense convolution take turns on one thread and on several, all four within a repetition, as the speed
of a machine, and how much of its second core there is, changes from minute to minute. What is kept is the ratio to
dense on several threads over that on one, taken within a repetition; the median is shown.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import median
from time import perf_counter

import torch
from rich.console import Console

from benchmarks.__main__ import RESULTS, print_rows
from benchmarks.cases import CASES, TARGETS, Case
from benchmarks.machine import describe
from benchmarks.one_by_one import one_by_one
from benchmarks.references import DERIVATIVES, Contender, Pass, conv_contender, layouts
from benchmarks.rows import Row
from benchmarks.runner import Notify, no_collection, settle_allocator, thread_count
from benchmarks.samples import Samples, interleave
from benchmarks.trial import choose_field
from lpsc_nd._files import write_csv

SHORT: dict[Pass, str] = {"forward": "fwd", "forward + backward": "fwd+bwd"}
"""What columns call the passes."""


def on_threads(contender: Contender, threads: int) -> Contender:
    """Return the same contender, run on so many threads and named after them."""

    def within(call: Callable[[], object]) -> Callable[[], object]:
        def run() -> object:
            torch.set_num_threads(threads)
            return call()

        return run

    passes = {"forward": within(contender.forward), "training": within(contender.training)}
    return replace(contender, operator=_operator(contender.operator, threads), **passes)  # type: ignore[arg-type]


def measure(case: Case, threads: int, seconds: float, notify: Notify = lambda stage: None) -> dict[Pass, Samples]:
    """Time the layer and the dense convolution, each on one thread and on several; for about so long a pass."""
    layer, x = case.layer(), torch.randn(case.input_shape)
    modules = {"ours": layer, "dense": layer.to_conv()}
    everyone = [conv_contender(name, module, x, layout) for name, module in modules.items() for layout in layouts(case)]
    measured: dict[Pass, Samples] = {}
    for part in DERIVATIVES:
        notify(part)
        begin = perf_counter()
        with thread_count(1), no_collection():
            settle_allocator()
            chosen = choose_field(case, everyone, part, threads=1)
            calls, repeated = {}, {}
            for number, contender in itertools.product((1, threads), chosen.takes_part):
                own = on_threads(contender, number)
                calls[own.name], repeated[own.name] = own.call(part), chosen.calls_per_sample[contender.name]
            measured[part] = Samples(interleave(calls, repeated, seconds=seconds - (perf_counter() - begin)))
    return measured


def kept(samples: Samples, threads: int) -> float:
    """Return the ratio to dense on several threads over that on one: the median over repetitions."""
    several, one = (samples.pairs(*_best(samples, number)) for number in (threads, 1))
    return median(a / b for a, b in zip(several, one, strict=True))


def row(case: Case, measured: dict[Pass, Samples], threads: int) -> Row:
    """Write the ratios of a case, and how much of them is kept."""
    written = {"case": case.title}
    for part, samples in measured.items():
        for number in (1, threads):
            ratio = samples.median_ratio(*_best(samples, number))
            written[f"x dense on {number} ({SHORT[part]})"] = f"{ratio:.2f}"
        written[f"kept ({SHORT[part]})"] = f"{kept(samples, threads):.2f}"
    return written


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure cases on one thread and on several; print them, and write ``threads.csv`` unless cases are named."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.threads", description=__doc__)
    parser.add_argument("--case", nargs="+", choices=CASES, metavar="NAME", help="these cases alone")
    parser.add_argument("--threads", type=int, default=2, help="threads within an operator (default: 2)")
    parser.add_argument("--seconds", type=float, default=12.0, help="time for a pass (default: 12)")
    options = parser.parse_args(arguments)
    if options.threads < 2:
        parser.error(f"--threads must be 2 or more, got {options.threads}")
    cases = [CASES[name] for name in options.case] if options.case else list(TARGETS)
    console, rows, folder = Console(), list[Row](), RESULTS / describe(1).slug

    def keep(rows_of_case: Row) -> None:
        rows.append(rows_of_case)
        if not options.case:
            write_csv(folder / "threads.csv", rows)

    def measure_row(case: Case, notify: Notify) -> Row:
        return row(case, measure(case, options.threads, options.seconds, notify), options.threads)

    one_by_one(cases, measure_row, keep, console)
    print_rows(console, f"The ratios of one thread, kept by {options.threads}", rows)
    return 0


def _best(samples: Samples, threads: int) -> tuple[str, str]:
    """Return the dense convolution and our layer on so many threads, each in its best layout."""
    dense, ours = (samples.best(_operator(name, threads)) for name in ("dense", "ours"))
    if dense is None or ours is None:
        raise ValueError("the layer and the dense convolution are timed on each number of threads")
    return dense, ours


def _operator(name: str, threads: int) -> str:
    return f"{name} on {threads}"


if __name__ == "__main__":
    sys.exit(main())
