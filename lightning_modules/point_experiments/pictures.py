"""Trains part segmentation and draws what it finds; and draws the regions around a point, in space and in the plane."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from lightning_modules.part_segmentation import PartSegmentationTask, owners_of_points
from lightning_modules.point_batches import cloud_batch
from lightning_modules.point_experiments.common import (
    evaluate,
    fit,
    markdown_table,
    parse,
    quiet_trainer,
    save_figure,
    save_text,
)
from lightning_modules.training_cli import LpscCLI
from lpsc_nd import LogPolarPartition
from lpsc_nd.inspect.clouds import TOWARDS_VIEWER, PartCloud, draw_cloud_regions, draw_parts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CONFIG = "points_parts"
SHOWN = ("box", "cylinder", "cone", "capsule", "dome")


def main(args: Sequence[str] | None = None) -> None:
    """Train, test, and write the pictures and the test scores."""
    options = parse("pictures", __doc__, args)
    cli = fit(CONFIG, options, CONFIG)
    scores = evaluate(quiet_trainer(), cli.model, list(cli.datamodule.test_dataloader()))
    lines = [[name.removeprefix("test/"), f"{value:.4f}"] for name, value in scores.items()]
    save_text(markdown_table(["test", "value"], lines), options.output / "parts.md")
    title = "Parts: truth above, prediction below; wrong points are ringed"
    save_figure(
        draw_parts(part_clouds(cli), cli.datamodule.part_names, title=title), options.output / "parts.png", dpi=75
    )
    save_figure(regions(cli, options.seed), options.output / "regions.png")


def part_clouds(cli: LpscCLI) -> dict[str, PartCloud]:
    """Return the first test cloud of each class shown, with its true and predicted parts."""
    data, task = cli.datamodule, cli.model
    labels = data.splits.test.source.labels
    chosen = [int(np.flatnonzero(labels == data.class_names.index(name))[0]) for name in SHOWN]
    samples = [data.splits.test[index] for index in chosen]
    predicted = predict(task, data.collate(samples))
    return {
        name: PartCloud(sample.positions, sample.parts, own)
        for name, sample, own in zip(SHOWN, samples, predicted, strict=True)
    }


def predict(task: PartSegmentationTask, batch: object) -> list[NDArray[np.int64]]:
    """Return the predicted parts of each cloud's points."""
    with torch.no_grad():
        predicted = task.predicted_parts(batch)
    sizes = torch.bincount(owners_of_points(cloud_batch(batch)))
    return [part.numpy() for part in predicted.split(sizes.tolist())]


def regions(cli: LpscCLI, seed: int) -> "Figure":
    """Draw the regions around a point of a torus, at the network's second level, and around one of the plane."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11.0, 5.2), layout="constrained")
    left, right = figure.subfigures(1, 2, squeeze=False)[0]
    data = cli.datamodule
    torus = data.class_names.index("torus")
    sample = data.splits.test[int(np.flatnonzero(data.splits.test.source.labels == torus)[0])]
    query = int((sample.positions @ TOWARDS_VIEWER).argmax())
    partition = data.collate.builder.partition(1)
    draw_cloud_regions(sample.positions, partition, query, title="2 levels, 2 x 4 directions", figure=left)
    positions = np.random.default_rng(seed).random((700, 2))
    middle = int(np.linalg.norm(positions - 0.5, axis=1).argmin())
    plane = LogPolarPartition(2, 0.45, num_levels=3, num_directions=6, growth=2.0)
    draw_cloud_regions(positions, plane, middle, title="3 levels, 6 directions", figure=right)
    return figure


if __name__ == "__main__":
    main()
