"""Trains the digits configurations and reports on them: ``python -m lightning_modules.demo --output DIR``."""

import argparse
import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import pi
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table
from torch import nn

from lightning_modules.training_cli import run
from lpsc_nd import LogPolarPartition, LPSConv2d, build_mask
from lpsc_nd._files import write_csv
from lpsc_nd.inspect import draw_curves, draw_kernels, draw_region_map, receptive_field, window_taps
from lpsc_nd.models import ResidualNet

CONFIGS = Path(__file__).parent.parent / "configs"
EXPERIMENTS = {
    "convolution": "digits_conv.yaml",
    "dilated": "digits_dilated.yaml",
    "log-polar (LPSC)": "digits_lpsc.yaml",
}
_PROBE = 65  # cells along an axis of the input on which a layer's receptive field is measured


@dataclass(frozen=True)
class Row:
    """A row of the report."""

    network: str
    parameters: int
    receptive_field: str
    test_accuracy: float
    seconds_per_epoch: float


@dataclass(frozen=True)
class Outcome:
    """A trained network: its row of the report, its first layer, and what was logged in each epoch."""

    row: Row
    layer: nn.Module
    log: list[dict[str, str]]

    def curve(self, quantity: str) -> list[tuple[float, float]]:
        """Return the logged values of ``quantity`` as ``(epoch, value)``, epochs counted from 1."""
        return [(int(line["epoch"]) + 1, float(line[quantity])) for line in self.log if line.get(quantity)]


def main(args: Sequence[str] | None = None) -> None:
    """Train the three networks, print the report, and write it with the pictures into the output folder."""
    parser = argparse.ArgumentParser(prog="python -m lightning_modules.demo", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("demo"), help="folder to write into (default: demo)")
    parser.add_argument("--epochs", type=int, help="train for so many epochs instead of the configurations' own number")
    options = parser.parse_args(args)
    outcomes = [train(name, CONFIGS / file, options.output, options.epochs) for name, file in EXPERIMENTS.items()]
    report([outcome.row for outcome in outcomes], options.output / "results.csv")
    draw(outcomes, options.output)


def train(name: str, config: Path, output: Path, epochs: int | None = None) -> Outcome:
    """Train one configuration as ``lpsc fit`` does, and test the checkpoint with the lowest validation loss."""
    words = ["fit", "--config", str(config), "--trainer.default_root_dir", str(output / "runs" / config.stem)]
    words += ["--trainer.enable_model_summary", "false"]
    words += [] if epochs is None else ["--trainer.max_epochs", str(epochs)]
    cli = run(words)
    with Path(cli.trainer.log_dir or "", "metrics.csv").open(newline="") as file:
        log = list(csv.DictReader(file))
    (scores,) = cli.trainer.test(cli.model, datamodule=cli.datamodule, ckpt_path="best", verbose=False)
    layer = first_layer(cli.model.network)
    row = Row(
        network=name,
        parameters=sum(parameter.numel() for parameter in cli.model.network.parameters()),
        receptive_field=" x ".join(map(str, receptive_field(layer, (1, _PROBE, _PROBE)))),
        test_accuracy=scores["test/accuracy"],
        seconds_per_epoch=median(float(line["train/seconds"]) for line in log if line.get("train/seconds")),
    )
    return Outcome(row, layer, log)


def first_layer(network: nn.Module) -> nn.Module:
    """Return the convolution that sees the image.

    Raises:
        TypeError: ``network`` is not a :class:`~lpsc_nd.models.ResidualNet`.
    """
    if not isinstance(network, ResidualNet):
        raise TypeError(f"network must be a ResidualNet, got {type(network).__name__}")
    return network.stem[0]


def report(rows: Sequence[Row], path: Path) -> None:
    """Print the rows as a table, and write them to ``path`` as CSV."""
    table = Table(title="Handwritten digits, 8 x 8: same recipe, equal parameter budgets")
    for heading in ("network", "parameters", "receptive field\nof the layer", "test accuracy", "seconds\nper epoch"):
        table.add_column(heading, justify="left" if heading == "network" else "right")
    for row in rows:
        accuracy, seconds = f"{row.test_accuracy:.2%}", f"{row.seconds_per_epoch:.2f}"
        table.add_row(row.network, f"{row.parameters:,}", row.receptive_field, accuracy, seconds)
    Console().print(table)
    write_csv(path, (asdict(row) for row in rows))


def draw(outcomes: Sequence[Outcome], output: Path) -> None:
    """Write the pictures: the region maps, the learned kernels and the learning curves."""
    named = {outcome.row.network: outcome for outcome in outcomes}
    layers = [outcome.layer for outcome in outcomes if isinstance(outcome.layer, LPSConv2d)]
    draw_maps(layers[0], output / "region_maps.png")
    kernels = {name.replace(" ", "\n", 1): window_taps(outcome.layer) for name, outcome in named.items()}
    draw_kernels(kernels, title="Learned kernels of the first layer (grey: no tap)").savefig(
        output / "kernels.png", dpi=150
    )
    quantities = {"validation accuracy": "val/accuracy", "validation loss": "val/loss", "training loss": "train/loss"}
    panels = {
        label: {name: outcome.curve(quantity) for name, outcome in named.items()}
        for label, quantity in quantities.items()
    }
    draw_curves(panels, title="Learning curves").savefig(output / "learning_curves.png", dpi=150)
    for path in sorted([*output.glob("*.png"), output / "results.csv"]):
        print(path)


def draw_maps(layer: LPSConv2d, path: Path) -> None:
    """Draw the layer's own region map beside the two kinds of kernel that the paper draws (Fig. 1b and 2b)."""
    from matplotlib.figure import Figure

    size = (33, 33)
    circle = LogPolarPartition.for_grid(size, 3, 6, 2.0)
    ellipse = LogPolarPartition.for_grid(size, 3, 6, 2.0, eccentricity=0.5, angle=pi / 6)
    directions = layer.partition.num_regions // getattr(layer.partition, "num_levels", 1)
    figure = Figure(figsize=(13.5, 5.0), layout="constrained")
    left, middle, right = figure.subfigures(1, 3, squeeze=False)[0]
    own = f"the trained layer, {layer.mask.shape[0]} x {layer.mask.shape[1]}: cells per region"
    draw_region_map(layer.mask, directions, title=own, figure=left)
    draw_region_map(build_mask(circle, size), 6, title="33 x 33, 3 levels, 6 directions, growth 2", figure=middle)
    draw_region_map(build_mask(ellipse, size), 6, title="the same, eccentricity 0.5, angle 30°", figure=right)
    figure.suptitle("Region maps: the hue tells the direction, the lightness the level", fontsize=12)
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
