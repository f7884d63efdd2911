"""The command line of comparisons: ``lpsc compare a.yaml b.yaml --output DIR``."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from signal import SIGINT, SIGTERM
from typing import Any

from pytorch_lightning.utilities.exceptions import SIGTERMException

from lightning_modules.compare.comparison import Outcome, compare, failure_lines
from lightning_modules.compare.plan import Plan, make_plan, read_plan
from lightning_modules.compare.plots import draw_scores
from lightning_modules.compare.records import RecordError
from lightning_modules.compare.reductions import REDUCTIONS, MetricError, samples
from lightning_modules.compare.tables import line_rows, make_lines, markdown, run_rows
from lpsc_nd._files import write_csv, write_whole

_EPILOG = """Every other word --key=value goes to all runs, such as --trainer.max_epochs=3. The same command again keeps
finished runs and continues interrupted ones from their last whole epoch."""
_INTERRUPTED = "interrupted: the same command goes on from the last whole epoch"


def main(args: Sequence[str]) -> None:
    """Run the comparison that the words after ``lpsc compare`` describe.

    Raises:
        SystemExit: code 1 when runs failed; 2 for wrong arguments, a wrong configuration, or an output folder with
            runs of other configurations; 130 and 143 when Ctrl+C or a SIGTERM ended it.
    """
    command = parser()
    plan = parse(command, args)
    try:
        outcome = compare(plan)
        write_report(plan, outcome)
    except (RecordError, MetricError) as error:
        command.error(str(error))
    except KeyboardInterrupt:
        print(_INTERRUPTED, file=sys.stderr)
        sys.exit(128 + SIGINT)
    except SIGTERMException:
        print(_INTERRUPTED, file=sys.stderr)
        sys.exit(128 + SIGTERM)
    if outcome.failures:
        print(*failure_lines(outcome.failures), sep="\n", file=sys.stderr)
        sys.exit(1)


def parse(command: argparse.ArgumentParser, args: Sequence[str]) -> Plan:
    """Return the plan that the words describe; words win over a plan's file."""
    options, overrides = command.parse_known_args(list(args))
    values: dict[str, Any] = {key: value for key, value in vars(options).items() if value not in (None, [])}
    number, path = values.pop("num_seeds", None), values.pop("plan", None)
    if number is not None:
        values["seeds"] = range(number)
    try:
        before = {} if path is None else read_plan(path)
        values["overrides"] = [*before.get("overrides", []), *overrides]
        return make_plan(before | values)
    except (TypeError, ValueError, FileNotFoundError) as error:
        command.error(str(error))


def write_report(plan: Plan, outcome: Outcome) -> None:
    """Write ``runs.csv``, ``table.csv``, ``table.md`` and the figure into the output folder, and print the table."""
    if not outcome.results:
        return
    lines = make_lines(plan, outcome.results)
    text = markdown(plan, lines, outcome.results)
    panels = {
        metric: {
            name: samples(metric, [result for result in outcome.results if result.name == name], plan.reduce)
            for name in plan.names
        }
        for metric in plan.metrics
    }
    write_csv(plan.output / "runs.csv", run_rows(plan, outcome.results))
    write_csv(plan.output / "table.csv", line_rows(lines))
    write_whole(plan.output / "table.md", [text.encode()])
    figure = draw_scores(panels, title=plan.title)
    for ending in ("png", "svg"):
        figure.savefig(plan.output / f"scores.{ending}", dpi=150)
    print(text)
    print(*(plan.output / name for name in ("runs.csv", "table.csv", "table.md", "scores.png", "scores.svg")), sep="\n")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the comparison's own words."""
    command = argparse.ArgumentParser(
        prog="lpsc compare",
        description="Train several configurations with several seeds each, and compare them in a table.",
        epilog=_EPILOG,
        usage="lpsc compare CONFIG [CONFIG ...] --output DIR [options] [--key=value ...]",
        allow_abbrev=False,
    )
    add = command.add_argument
    add("configs", nargs="*", type=Path, metavar="CONFIG", help="configuration files")
    add("--plan", type=Path, help="YAML file with these options as its keys")
    add("--output", type=Path, metavar="DIR", help="folder to write into")
    seeds = command.add_mutually_exclusive_group()
    seeds.add_argument("--seeds", type=int, nargs="+", help="seeds (default: 0 1 2)")
    seeds.add_argument("--num-seeds", type=int, metavar="N", help="the seeds 0 to N - 1")
    add("--metrics", nargs="+", help="what to show (default: test/accuracy)")
    add("--reduce", choices=list(REDUCTIONS), help="what counts of values logged in every epoch (default: best)")
    add("--evaluate", choices=["best", "last"], help="the checkpoint to test (default: best)")
    add("--published", metavar="EXPERIMENT", help="the paper's values beside, such as table1/resnet20/cifar10")
    add("--percent", action="store_const", const=True, help="show metrics in percent")
    add("--equal-parameters", action="store_const", const=True, help="warn if parameters differ by more than 2 %%")
    add("--title", help="heading of table and figure")
    return command
