"""Measures whole networks beside their conventional twins: ``python -m benchmarks.networks``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import get_args

import torch
from rich.console import Console

from benchmarks.__main__ import INTERRUPTED, default_folder, positive, print_rows
from benchmarks.machine import Machine, describe
from benchmarks.network_calls import contenders
from benchmarks.network_cases import NETWORK_CASES, NetworkCase, chosen
from benchmarks.network_tables import TITLES, NetworkMeasurement, brief, markdown, table
from benchmarks.one_by_one import one_by_one
from benchmarks.references import Contender, Pass
from benchmarks.runner import Notify, no_collection, settle_allocator, thread_count
from benchmarks.samples import Samples, interleave
from benchmarks.trial import FAR_SLOWER, SAMPLE_SECONDS, Field, try_out
from lpsc_nd._files import write_csv, write_whole

PASSES: tuple[Pass, ...] = get_args(Pass)
SECONDS, LEAST = 20.0, 9
"""Time for the repetitions of a pass, and how many there are in any case."""

WARMED_BELOW = 0.5
"""Passes of fewer seconds follow one of the same network, untimed, as they do in a training loop: its parameters and
their momenta are then in the caches, not another network's."""


def measure(case: NetworkCase, threads: int, seconds: float, notify: Notify = lambda stage: None) -> NetworkMeasurement:
    """Time inference, then a training step, of all networks of a case in turns; ``notify`` is told what is done."""
    notify("building")
    torch.manual_seed(0)
    samples: dict[Pass, Samples] = {}
    with thread_count(threads):
        everyone = contenders(case)
        for part in PASSES:
            notify(TITLES[part])
            samples[part] = take_turns(everyone, part, seconds)
    return NetworkMeasurement(case, samples)


def take_turns(everyone: Sequence[Contender], part: Pass, seconds: float) -> Samples:
    """Time one pass of all networks in turns; first trials count towards the time."""
    begin = perf_counter()
    settle_allocator()
    with no_collection():
        field = choose_formats(everyone, part)
        calls = {contender.name: contender.call(part) for contender in field.takes_part}
        left = seconds - (perf_counter() - begin)
        times = interleave(calls, field.calls_per_sample, seconds=left, at_least=LEAST, warmed_below=WARMED_BELOW)
    return Samples(times, field.left_out)


def choose_formats(everyone: Sequence[Contender], part: Pass) -> Field:
    """Warm every network up, and leave a memory format out that is far slower than the other one."""
    times: dict[str, float] = {}
    fastest: dict[str, float] = {}
    for contender in everyone:
        seconds = times[contender.name] = try_out(contender.call(part))
        fastest[contender.operator] = min(seconds, fastest.get(contender.operator, seconds))
    takes_part, calls = [], {}
    left_out: dict[str, float | None] = {}
    for contender in everyone:
        seconds = times[contender.name]
        if seconds > FAR_SLOWER * fastest[contender.operator]:
            left_out[contender.name] = seconds
        else:
            takes_part.append(contender)
            calls[contender.name] = max(1, round(SAMPLE_SECONDS / seconds))
    return Field(tuple(takes_part), calls, left_out)


def write(folder: Path, measured: Sequence[NetworkMeasurement], machine: Machine) -> None:
    """Write ``networks.csv`` and ``networks.md``, each whole or not."""
    write_csv(folder / "networks.csv", table(measured))
    write_whole(folder / "networks.md", [markdown(measured, machine).encode()])


def run(
    cases: Sequence[NetworkCase],
    options: argparse.Namespace,
    folder: Path,
    console: Console,
    measured: list[NetworkMeasurement],
) -> None:
    """Measure case by case into ``measured``, writing the tables after each."""
    machine = describe(options.threads)

    def keep(measurement: NetworkMeasurement) -> None:
        measured.append(measurement)
        write(folder, measured, machine)

    one_by_one(cases, lambda case, notify: measure(case, options.threads, options.seconds, notify), keep, console)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table and write it; return the exit status."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    try:
        cases = chosen(options.case)
    except ValueError as error:
        parser.error(str(error))
    console = Console()
    folder = options.output or default_folder(describe(options.threads), True, options.case)
    measured: list[NetworkMeasurement] = []
    try:
        run(cases, options, folder, console, measured)
        return 0
    except KeyboardInterrupt:
        console.print(f"stopped; {len(measured)} of {len(cases)} networks are kept")
        return INTERRUPTED
    finally:
        if measured:
            print_rows(console, "Whole networks, and targets below", brief(measured))
            console.print(f"written to {folder}", highlight=False)


def make_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.networks", description=__doc__)
    parser.add_argument(
        "--case", nargs="+", default=[], metavar="NAME", help=f"these networks alone: {', '.join(NETWORK_CASES)}"
    )
    parser.add_argument("--threads", type=positive, default=1, help="threads within an operator (default: 1)")
    parser.add_argument("--output", type=Path, metavar="DIR", help="folder to write into")
    parser.add_argument(
        "--seconds",
        type=float,
        default=SECONDS,
        metavar="S",
        help=f"time for a pass's repetitions, of which there are at least {LEAST} (default: {SECONDS:g})",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
