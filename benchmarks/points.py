"""Measures the layer on point sets beside a kernel-point convolution: ``python -m benchmarks.points``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

import torch

from benchmarks.__main__ import RESULTS, positive
from benchmarks.machine import describe
from benchmarks.point_cases import POINT_CASES, PointCase
from benchmarks.point_memory import MEASURED, extra_megabytes
from benchmarks.point_references import contenders
from benchmarks.references import Pass
from benchmarks.report import markdown_table
from benchmarks.rows import Row
from benchmarks.runner import no_collection, settle_allocator, thread_count
from benchmarks.samples import Samples, interleave
from benchmarks.tables import number
from benchmarks.trial import SAMPLE_SECONDS, try_out
from lpsc_nd._files import write_csv, write_whole

PASSES: tuple[Pass, ...] = get_args(Pass)
SMOKE = "points-smoke"

READING = """\
Times are medians over repetitions in which every contender ran once, in a rotating order; ratios are taken within a
repetition, and the median is shown: above 1 ours is faster. *kernel points* is a kernel-point convolution of 15 points
with linear influence on the same neighbours, in plain PyTorch, its neighbours and influences computed beforehand.
*new points* is our layer on a neighbourhood that it has not seen, so that arranging it is part of the time. *product*
is the matrix products alone. *extra MB* is the peak resident memory of a fresh process's first call beyond input,
neighbourhood, output, parameters and gradients.
"""


@dataclass(frozen=True)
class PointMeasurement:
    """What was measured of a case: times by pass, and peak extra memory in MB by contender and pass."""

    case: PointCase
    samples: Mapping[Pass, Samples]
    extra: Mapping[tuple[str, Pass], float | None] = field(default_factory=dict)

    def ratio(self, operator: str, part: Pass) -> float | None:
        """Return a contender's time over ours."""
        return self.samples[part].ratio(operator, "ours")


def measure(case: PointCase, threads: int, seconds: float, *, memory: bool) -> PointMeasurement:
    """Time both passes of all contenders in turns."""
    torch.manual_seed(0)
    samples: dict[Pass, Samples] = {}
    with thread_count(threads):
        everyone = contenders(case)
        for part in PASSES:
            calls = {contender.name: contender.call(part) for contender in everyone}
            in_a_row = {name: max(1, round(SAMPLE_SECONDS / try_out(call))) for name, call in calls.items()}
            settle_allocator()
            with no_collection():
                samples[part] = Samples(interleave(calls, in_a_row, seconds=seconds))
    extra = {
        (contender, part): extra_megabytes(case, contender, part, threads) if memory else None
        for contender in MEASURED
        for part in PASSES
    }
    return PointMeasurement(case, samples, extra)


def table(measured: Sequence[PointMeasurement]) -> list[Row]:
    """Return one row for each case and pass."""
    return [_row(measurement, part) for measurement in measured for part in PASSES]


def _row(measurement: PointMeasurement, part: Pass) -> Row:
    samples, target = measurement.samples[part], measurement.case.target
    ratio = measurement.ratio("kernel points", part)
    met = "" if target is None or ratio is None else f"≥ {target:g}, {'met' if ratio >= target else 'not met'}"
    extra = (number(measurement.extra.get((contender, part))) for contender in MEASURED)
    return {
        "case": measurement.case.title,
        "pass": part,
        "kernel points ms": _milliseconds(samples, "kernel points"),
        "ours ms": _milliseconds(samples, "ours"),
        "x kernel points": number(ratio),
        "target": met if part != "forward" else "",
        "new points ms": _milliseconds(samples, "ours, new points"),
        "x kernel points, new points": number(samples.ratio("kernel points", "ours, new points")),
        "reference engine ms": _milliseconds(samples, "reference engine"),
        "ours / product": number(samples.ratio("ours", "product")),
        "extra MB, ours and kernel points": ", ".join(extra),
        "repetitions": str(samples.repetitions),
    }


def _milliseconds(samples: Samples, operator: str) -> str:
    best = samples.best(operator)
    return number(None if best is None else samples.median(best) * 1e3)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table and write it; return the exit status."""
    options = make_parser().parse_args(arguments)
    machine = describe(options.threads)
    names = options.case or [name for name in POINT_CASES if name != SMOKE]
    folder = options.output or RESULTS / machine.slug
    measured: list[PointMeasurement] = []
    for name in names:
        case = POINT_CASES[name]
        measured.append(measure(case, options.threads, options.seconds_per_pass, memory=not options.no_memory))
        write_csv(folder / "points.csv", table(measured))
    facts = markdown_table([{"machine": fact, "": value} for fact, value in machine.facts.items()])
    text = f"# Point sets\n\n{facts}\n\n{READING}\n{markdown_table(table(measured))}\n"
    write_whole(folder / "points.md", [text.encode()])
    print(markdown_table(table(measured)))
    print(f"\nwritten to {folder}")
    return 0


def make_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.points", description=__doc__)
    parser.add_argument("--case", nargs="+", default=[], choices=POINT_CASES, help="these cases alone")
    parser.add_argument("--threads", type=positive, default=1, help="threads within an operator (default: 1)")
    parser.add_argument("--output", type=Path, metavar="DIR", help="folder to write into")
    parser.add_argument(
        "--seconds-per-pass", type=float, default=4.0, metavar="S", help="time for a pass's repetitions"
    )
    parser.add_argument("--no-memory", action="store_true", help="leave the peak memory out")
    return parser


if __name__ == "__main__":
    sys.exit(main())
