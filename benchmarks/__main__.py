"""Measures the layers beside dense convolutions: ``python -m benchmarks``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import tables
from benchmarks.cases import CASES, Case, chosen
from benchmarks.machine import Machine, describe
from benchmarks.one_by_one import one_by_one
from benchmarks.report import write_pictures, write_tables
from benchmarks.rows import Row
from benchmarks.runner import Measurement, Settings, measure

RESULTS = Path(__file__).parent / "results"
SECONDS = {"short": 8.0, "full": 16.0}
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table, and write it with the pictures; return the exit status."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    try:
        cases = chosen(options.case, full=options.full)
    except ValueError as error:
        parser.error(str(error))
    console = Console()
    if options.list:
        print_rows(console, "Cases", [{"name": c.name, "case": c.title, "set": set_of(c)} for c in CASES.values()])
        return 0
    seconds = options.seconds_per_case or SECONDS["full" if options.full else "short"]
    settings = Settings(options.threads, seconds, options.engines, not options.no_memory)
    machine = describe(settings.threads)
    folder = options.output or default_folder(machine, options.full, options.case)
    measured: list[Measurement] = []
    try:
        run(cases, settings, folder, machine, console, measured)
        return 0
    except KeyboardInterrupt:
        console.print(f"stopped; {len(measured)} of {len(cases)} cases are kept")
        return INTERRUPTED
    finally:
        finish(measured, folder, console)


def make_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--full", action="store_true", help="all targets and the growth curves (about ten minutes)")
    parser.add_argument("--case", nargs="+", default=[], metavar="NAME", help="these cases alone")
    parser.add_argument("--list", action="store_true", help="list the cases and stop")
    parser.add_argument("--threads", type=positive, default=1, help="threads within an operator (default: 1)")
    parser.add_argument("--output", type=Path, metavar="DIR", help="folder to write into")
    parser.add_argument("--seconds-per-case", type=float, metavar="S", help="time for the repetitions of a case")
    parser.add_argument("--engines", action="store_true", help="time every engine, forced by name, too")
    parser.add_argument("--no-memory", action="store_true", help="leave the peak memory out")
    return parser


def positive(text: str) -> int:
    """Read a number of at least 1.

    Raises:
        ValueError: it is no such number.
    """
    value = int(text)
    if value < 1:
        raise ValueError(f"must be at least 1, got {text}")
    return value


def run(
    cases: Sequence[Case],
    settings: Settings,
    folder: Path,
    machine: Machine,
    console: Console,
    measured: list[Measurement],
) -> None:
    """Measure case by case into ``measured``, writing the tables after each."""

    def keep(measurement: Measurement) -> None:
        measured.append(measurement)
        write_tables(folder, measured, machine)
        console.print(summary(measurement), highlight=False)

    one_by_one(cases, lambda case, notify: measure(case, settings, notify), keep, console)


def summary(measurement: Measurement) -> str:
    """Say in a line how fast a case was."""
    forward, training = measurement.value("x dense, forward"), measurement.value("x dense, forward + backward")
    return (
        f"{measurement.case.name}: {tables.number(forward)} x dense forward, "
        f"{tables.number(training)} forward + backward ({measurement.engine})"
    )


def finish(measured: Sequence[Measurement], folder: Path, console: Console) -> None:
    """Draw the pictures and print the tables of the cases that were measured."""
    if not measured:
        return
    write_pictures(folder, measured)
    print_rows(console, "Cases, and targets below (x dense: dense time / ours)", tables.brief(measured))
    print_rows(console, "Time against kernel size", tables.brief_growth(measured))
    print_rows(console, "Targets not met", [row for row in tables.targets(measured) if row["result"] == "not met"])
    console.print(f"written to {folder}", highlight=False)


def print_rows(console: Console, title: str, rows: Sequence[Row]) -> None:
    """Print rows as a table."""
    if not rows:
        return
    table = Table(title=title)
    for name in rows[0]:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*row.values())
    console.print(table)


def set_of(case: Case) -> str:
    """Name the sets that hold a case."""
    if case.group == "smoke":
        return "by name only"
    return "short, full" if case.short else "full"


def default_folder(machine: Machine, full: bool, names: Sequence[str]) -> Path:
    """Return where results go: the full set into the machine's folder, what is not to be kept into one below it."""
    folder = RESULTS / machine.slug
    if names:
        return folder / "chosen"
    return folder if full else folder / "short"


if __name__ == "__main__":
    sys.exit(main())
