"""All runs of a plan, one after the other: finished ones are kept, interrupted ones go on, failed ones are told."""

import logging
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from lightning_modules.compare.plan import Plan
from lightning_modules.compare.records import (
    FAILURE,
    Result,
    Settings,
    check_claim,
    claim,
    digest_of,
    read_result,
    record_failure,
    settings_of,
)
from lightning_modules.compare.runs import Run, count_parameters, execute
from lightning_modules.compare.termination import watch_termination

_TOLERANCE = 0.02


@dataclass(frozen=True)
class Prepared:
    """A run whose configuration was found right.

    Args:
        run: what is to be run.
        settings: what decides its result.
        result: what came out, if it is finished.
    """

    run: Run
    settings: Settings
    result: Result | None


@dataclass(frozen=True)
class Outcome:
    """What came out of a comparison.

    Args:
        results: of the finished runs.
        failures: the failed runs and why, in a line.
    """

    results: list[Result]
    failures: list[tuple[Run, str]]


def compare(plan: Plan) -> Outcome:
    """Run what is not finished yet, and return the results of all.

    Raises:
        RecordError: the output folder holds runs of other configurations; found before the first run starts.
        SystemExit: a configuration is wrong; likewise.
        KeyboardInterrupt, SIGTERMException: the comparison was stopped; what it has done so far is kept.
    """
    prepared = prepare(plan)
    results: list[Result] = []
    failures: list[tuple[Run, str]] = []
    with watch_termination() as termination:
        for number, item in enumerate(prepared):
            announce(item, number, len(prepared))
            outcome = item.result or _attempt(item)
            if isinstance(outcome, Result):
                results.append(outcome)
            else:
                failures.append((item.run, outcome))
            termination.check()
    return Outcome(results, failures)


def prepare(plan: Plan) -> list[Prepared]:
    """Resolve all configurations and look for their runs, before any of them starts."""
    texts: dict[str, str] = {}
    parameters: dict[str, int] = {}
    prepared = []
    with _quiet():
        for run in plan.runs():
            if run.name not in texts:
                cli = run.build()
                texts[run.name] = cli.parser.dump(cli.config, format="json", skip_none=False)
                parameters[run.name] = count_parameters(cli.model)
            settings = settings_of(texts[run.name], run.seed, run.evaluate)
            check_claim(run.folder, settings)
            prepared.append(Prepared(run, settings, read_result(run.folder, digest_of(settings))))
    if plan.equal_parameters:
        warn_of_unequal(parameters)
    return prepared


def warn_of_unequal(parameters: Mapping[str, int]) -> None:
    """Warn if numbers of parameters differ by more than 2 %."""
    if max(parameters.values()) > (1 + _TOLERANCE) * min(parameters.values()):
        listed = ", ".join(f"{name} {count:,}" for name, count in parameters.items())
        warnings.warn(f"parameters differ by more than {_TOLERANCE:.0%}: {listed}", stacklevel=2)


def announce(item: Prepared, number: int, total: int) -> None:
    """Print how far the comparison is; a line for each run, since Lightning's own bar is live."""
    state = "finished before" if item.result else "goes on" if item.run.checkpoints.exists() else ""
    bar = Progress(BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    bar.add_task(f"{item.run.name}, seed {item.run.seed} {state}", total=total, completed=number)
    Console().print(bar.get_renderable())


def _attempt(item: Prepared) -> Result | str:
    run = item.run
    claim(run.folder, item.settings)
    try:
        result = execute(run, digest_of(item.settings))
    except Exception as error:  # noqa: BLE001 - whatever a network raises, it is recorded, told, and ends no other run
        record_failure(run.folder, traceback.format_exc())
        return traceback.format_exception_only(error)[-1].strip()
    result.write(run.folder)
    (run.folder / FAILURE).unlink(missing_ok=True)
    return result


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence what Lightning says whenever it builds a trainer."""
    before = logging.root.manager.disable
    logging.disable(logging.INFO)
    try:
        yield
    finally:
        logging.disable(before)


def failure_lines(failures: Sequence[tuple[Run, str]]) -> list[str]:
    """Return a line for each failed run: which, why, and where to read on."""
    return [f"failed: {run.name}, seed {run.seed}: {reason} ({run.folder / FAILURE})" for run, reason in failures]
