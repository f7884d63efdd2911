"""Measures networks on volumes and layers on long series: ``python -m benchmarks.volumes``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

import torch
from rich.console import Console

from benchmarks.__main__ import INTERRUPTED, default_folder, positive, print_rows
from benchmarks.machine import Machine, describe
from benchmarks.networks import choose_formats
from benchmarks.one_by_one import one_by_one
from benchmarks.references import Contender, Layout, Pass
from benchmarks.runner import Notify, no_collection, settle_allocator, thread_count
from benchmarks.samples import Samples, interleave
from benchmarks.volumes.calls import contender
from benchmarks.volumes.cases import VOLUME_CASES, Rival, VolumeCase, chosen
from benchmarks.volumes.memory import peak_megabytes
from benchmarks.volumes.tables import Duel, VolumeMeasurement, brief, markdown, targets, times
from lpsc_nd._files import write_csv, write_whole

SECONDS = 20.0
"""Time for the repetitions of a pass."""


def measure(case: VolumeCase, threads: int, seconds: float, notify: Notify = lambda stage: None) -> VolumeMeasurement:
    """Time ours beside each rival of a case, in turns, and measure their memory where a target asks for it."""
    duels = []
    x = torch.randn(case.input_shape, generator=torch.Generator().manual_seed(0))
    for rival in case.rivals:
        samples: dict[Pass, Samples] = {}
        with thread_count(threads):
            ours = [contender(case, "ours", layout, x) for layout in case.layouts]
            theirs = [contender(case, rival.name, layout, x) for layout in rival.layouts]
            for part in case.passes:
                notify(f"{part} beside {rival.name}")
                samples[part] = take_turns([*ours, *theirs], part, seconds, rival.least)
        notify(f"memory beside {rival.name}")
        duels.append(Duel(rival, samples, memory(case, rival, samples["forward + backward"], threads)))
    return VolumeMeasurement(case, duels)


def take_turns(everyone: Sequence[Contender], part: Pass, seconds: float, least: int) -> Samples:
    """Time one pass of everyone in turns; first trials count towards the time."""
    begin = perf_counter()
    settle_allocator()
    with no_collection():
        field = choose_formats(everyone, part)
        calls = {one.name: one.call(part) for one in field.takes_part}
        left = seconds - (perf_counter() - begin)
        taken = interleave(calls, field.calls_per_sample, seconds=left, at_least=least)
    return Samples(taken, field.left_out)


def memory(case: VolumeCase, rival: Rival, samples: Samples, threads: int) -> dict[str, float | None]:
    """Return the peak extra memory of ours and the rival, each in its faster format; empty if no target needs it."""
    if all(target.quantity != "memory / theirs" for target in rival.targets):
        return {}
    return {name: peak_megabytes(case, name, faster(samples, name), threads) for name in ("ours", rival.name)}


def faster(samples: Samples, operator: str) -> Layout:
    """Return the memory format in which an operator is faster."""
    return "channels last" if (samples.best(operator) or "").endswith("channels last") else "default"


def write(folder: Path, measured: Sequence[VolumeMeasurement], machine: Machine) -> None:
    """Write ``volumes.csv``, ``volumes_targets.csv`` and ``volumes.md``, each whole or not."""
    write_csv(folder / "volumes.csv", times(measured))
    write_csv(folder / "volumes_targets.csv", targets(measured))
    write_whole(folder / "volumes.md", [markdown(measured, machine).encode()])


def run(
    cases: Sequence[VolumeCase],
    options: argparse.Namespace,
    folder: Path,
    console: Console,
    measured: list[VolumeMeasurement],
) -> None:
    """Measure case by case into ``measured``, writing the tables after each."""
    machine = describe(options.threads)

    def keep(measurement: VolumeMeasurement) -> None:
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
    measured: list[VolumeMeasurement] = []
    try:
        run(cases, options, folder, console, measured)
        return 0
    except KeyboardInterrupt:
        console.print(f"stopped; {len(measured)} of {len(cases)} cases are kept")
        return INTERRUPTED
    finally:
        if measured:
            print_rows(console, "Volumes and series, and targets", brief(measured))
            console.print(f"written to {folder}", highlight=False)


def make_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.volumes", description=__doc__)
    parser.add_argument(
        "--case", nargs="+", default=[], metavar="NAME", help=f"these cases alone: {', '.join(VOLUME_CASES)}"
    )
    parser.add_argument("--threads", type=positive, default=1, help="threads within an operator (default: 1)")
    parser.add_argument("--output", type=Path, metavar="DIR", help="folder to write into")
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, metavar="S", help=f"time for a pass's turns (default: {SECONDS:g})"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
