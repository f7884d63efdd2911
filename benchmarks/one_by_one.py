"""Measures cases one by one, behind a bar that says what is being done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.runner import Notify


class Named(Protocol):
    """A case, as far as the bar shows it."""

    @property
    def name(self) -> str:
        """What it is called on the command line."""


C = TypeVar("C", bound=Named)
M = TypeVar("M")


def one_by_one(
    cases: Sequence[C], measure: Callable[[C, Notify], M], keep: Callable[[M], object], console: Console
) -> None:
    """Measure each case, and keep what was measured before the next one begins.

    Args:
        cases: in their order.
        measure: measures a case, and tells its second argument what it does.
        keep: takes each measurement.
        console: where the bar is drawn; what ``keep`` prints there stands above it.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=len(cases))
        for case in cases:

            def notify(stage: str, name: str = case.name) -> None:
                progress.update(task, description=f"{name}: {stage}")

            keep(measure(case, notify))
            progress.advance(task)
