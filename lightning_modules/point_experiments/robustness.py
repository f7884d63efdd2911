"""Trains a network with means and with sums over the regions, then tests both on clouds unlike those of training.

Training clouds are uniform, clean and whole. Test clouds differ in one thing at a time: the number of points, a density
that falls from one end to the other, noise, or a side that is missing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from rich.progress import track

from lightning_modules.point_experiments.common import (
    Options,
    evaluate,
    fit,
    markdown_table,
    parse,
    quiet,
    quiet_trainer,
    save_figure,
    save_text,
    words_of,
)
from lightning_modules.point_experiments.robustness_figure import draw
from lightning_modules.training_cli import LpscCLI, build
from lpsc_nd._files import write_csv

CONFIG = "points_shapes"
METHODS = ("mean", "sum")  # reductions of LPSPointConv
FACTORS: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {
        "num_points": (128, 256, 512, 1024, 2048),
        "density_ratio": (1, 2, 4, 8, 16),
        "noise": (0, 0.01, 0.02, 0.04, 0.08),
        "missing": (0, 0.1, 0.2, 0.3, 0.5),
    }
)
_EPOCHS = 10
_CONV = "--model.init_args.network.init_args.conv.init_args"
_SCHEDULER = "--model.init_args.scheduler.init_args"


@dataclass(frozen=True)
class Row:
    """A line of the results.

    Args:
        factor: what differs from the training clouds.
        value: by how much.
        method: "mean" or "sum".
        accuracy: on the test clouds.
        mean_accuracy: mean of the classes' accuracies.
    """

    factor: str
    value: float
    method: str
    accuracy: float
    mean_accuracy: float


def main(args: Sequence[str] | None = None) -> None:
    """Train both networks, test them, and write table, report and picture."""
    options = parse("robustness", __doc__, args)
    trained = {name: train(name, options) for name in METHODS}
    rows = measure(trained, options)
    write_csv(options.output / "robustness.csv", (vars(row) for row in rows))
    save_text(report(rows), options.output / "robustness.md")
    save_figure(draw([vars(row) for row in rows]), options.output / "robustness.png")


def train(method: str, options: Options) -> LpscCLI:
    """Train the configuration with one reduction."""
    epochs = () if options.quick else (f"--trainer.max_epochs={_EPOCHS}", f"{_SCHEDULER}.T_max={_EPOCHS}")
    return fit(CONFIG, options, method, f"{_CONV}.reduction={method}", *epochs)


def measure(trained: Mapping[str, LpscCLI], options: Options) -> list[Row]:
    """Test all networks on the same clouds, under every condition."""
    trainer, rows = quiet_trainer(), []
    conditions = [(factor, value) for factor, values in FACTORS.items() for value in values]
    for factor, value in track(conditions, description="testing"):
        batches = test_batches(factor, value, options)
        for name, cli in trained.items():
            scores = evaluate(trainer, cli.model, batches)
            rows.append(Row(factor, value, name, scores["test/accuracy"], scores["test/mean_accuracy"]))
    return rows


def test_batches(factor: str, value: float, options: Options) -> list[Any]:
    """Return the test clouds under one condition, in batches."""
    words = words_of(
        CONFIG, options, "--data.init_args.num_workers=0", f"--data.init_args.test_surface.{factor}={value}"
    )
    with quiet():
        data = build(words).datamodule
    return list(data.test_dataloader())


def report(rows: Sequence[Row]) -> str:
    """Write the results as Markdown, a table for each factor."""
    accuracy = {(row.factor, row.value, row.method): row.accuracy for row in rows}
    tables = []
    for factor, values in FACTORS.items():
        lines = [[name, *(f"{accuracy[factor, value, name]:.3f}" for value in values)] for name in METHODS]
        tables.append(markdown_table([factor, *(f"{value:g}" for value in values)], lines))
    return "\n\n".join(tables)


if __name__ == "__main__":
    main()
