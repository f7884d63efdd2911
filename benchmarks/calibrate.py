"""Fit the rates of the cost model to this machine: ``python -m benchmarks.calibrate``, or ``make calibrate``.

Every pass of every case is timed in every way that there is, on one thread and on two, and the rates are found with
which the model comes closest to the times on one. What is printed is what a new set of rates in
``lpsc_nd/pooling/rates.py`` would have to say, and what choosing by it loses on either; the package is not changed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from rich.console import Console

from benchmarks.__main__ import print_rows
from benchmarks.cases import Case
from benchmarks.one_by_one import one_by_one
from benchmarks.rate_fit import fit, losses, moved, summary
from benchmarks.rate_samples import RATE_CASES, RateSample, measure
from benchmarks.rows import Row
from benchmarks.runner import Notify
from lpsc_nd.pooling.rates import RATES, Rates

NOTABLE = 1.1
"""Passes are listed whose chosen way takes this many times as long as the fastest one."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Time passes, fit rates to them, print both and what choices they lead to."""
    named = {case.name: case for case in RATE_CASES}
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calibrate", description=__doc__)
    parser.add_argument("--case", nargs="+", choices=named, metavar="NAME", help="these cases alone")
    parser.add_argument("--seconds", type=float, default=4.0, help="time for a case on so many threads (default: 4)")
    parser.add_argument(
        "--threads",
        type=int,
        nargs="+",
        default=[1, 2],
        help="numbers of threads, the least of which rates are fitted to (default: 1 2)",
    )
    options = parser.parse_args(arguments)
    if min(options.threads) < 1:
        parser.error(f"--threads must be 1 or more, got {min(options.threads)}")
    cases = [named[name] for name in options.case] if options.case else list(RATE_CASES)
    console, samples = Console(), list[RateSample]()

    def measure_on_threads(case: Case, notify: Notify) -> list[RateSample]:
        return [sample for number in options.threads for sample in measure(case, number, options.seconds, notify)]

    one_by_one(cases, measure_on_threads, samples.extend, console)
    fitted = fit([sample for sample in samples if sample.threads == min(options.threads)], RATES)
    print_rows(console, "Rates", [_moved_row(name, *pair) for name, pair in moved(RATES, fitted).items()])
    for title, rates in (("as shipped", RATES), ("as fitted", fitted)):
        console.print(f"{title}: {summary(samples, rates)}")
        print_rows(console, f"Choices with rates {title}", _choice_rows(samples, rates))
    return 0


def _moved_row(name: str, before: float, after: float) -> Row:
    return {"rate": name, "shipped": f"{before:.2g}", "fitted": f"{after:.2g}"}


def _choice_rows(samples: Sequence[RateSample], rates: Rates) -> list[Row]:
    found = losses(samples, rates).items()
    return [
        {
            "case": case,
            "threads": str(threads),
            "pass": part,
            "chosen": chosen,
            "fastest": best,
            "times as long": f"{loss:.2f}",
        }
        for (case, threads, part), (chosen, best, loss) in sorted(found, key=lambda item: -item[1][2])
        if loss >= NOTABLE
    ]


if __name__ == "__main__":
    sys.exit(main())
