"""Trains log-polar layers on grids, then runs them on scattered samples of other images: how exact are they there?

The images are sums of waves, so that they and what is to be found in them are known at every point of the plane. The
grid network never sees scattered points; the point network has its very weights.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from rich.progress import track
from torch import Tensor, nn

from lightning_modules.point_experiments.common import markdown_table, parse, save_figure, save_text
from lightning_modules.point_experiments.grid_to_points import (
    grid_batch,
    inner,
    inside,
    on_points,
    relative_error,
    train,
)
from lightning_modules.point_experiments.scattered_figure import Example, draw
from lightning_modules.point_experiments.waves import WAVE_TASKS, Waves, WaveTask, lattice, scatter
from lpsc_nd._files import write_csv
from lpsc_nd.pooling.point_execute import Normalize

DENSITIES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)  # points per cell of the grid
NORMALIZATIONS: tuple[Normalize, ...] = ("present", "grid")


@dataclass(frozen=True)
class Sizes:
    """How large the experiment is.

    Args:
        side: cells of an image along each axis.
        steps: of the training.
        batch: images in each.
        images: scattered, for each density.
    """

    side: int = 48
    steps: int = 400
    batch: int = 8
    images: int = 6


@dataclass(frozen=True)
class Row:
    """A line of the results.

    Args:
        task: what was to be found.
        points_per_cell: density of the scattered points.
        normalize: what the mean of a region divides by.
        error: root mean square error, in standard deviations of what is to be found.
        grid_error: the same of the grid network on grid images.
    """

    task: str
    points_per_cell: float
    normalize: str
    error: float
    grid_error: float


def main(args: Sequence[str] | None = None) -> None:
    """Train and measure for each task, and write table, report and picture."""
    options = parse("scattered", __doc__, args)
    sizes = Sizes(side=32, steps=20, batch=2, images=1) if options.quick else Sizes()
    rows: list[Row] = []
    examples: dict[str, Example] = {}
    for name, task in WAVE_TASKS.items():
        network = train(task, sizes.side, sizes.steps, sizes.batch, options.seed)
        rows += measure(name, network, sizes, options.seed)
        examples[name] = example(task, network, sizes.side, options.seed)
    write_csv(options.output / "scattered.csv", (vars(row) for row in rows))
    save_text(report(rows), options.output / "scattered.md")
    save_figure(draw(examples, [vars(row) for row in rows]), options.output / "scattered.png", dpi=80)


def measure(name: str, network: nn.Sequential, sizes: Sizes, seed: int) -> list[Row]:
    """Return the errors at every density, on images that the network has not seen."""
    task = WAVE_TASKS[name]
    image, target = grid_batch(task, sizes.side, 16, torch.Generator().manual_seed(seed + 1))
    with torch.no_grad():
        grid_error = relative_error(inner(network(image)), inner(target))
    rows = []
    for density in track(DENSITIES, description="on scattered points"):
        clouds = scattered_images(task, sizes, density, seed)
        for normalize in NORMALIZATIONS:
            error = scattered_error(network, clouds, sizes.side, normalize)
            rows.append(Row(name, density, normalize, error, grid_error))
    return rows


def scattered_images(task: WaveTask, sizes: Sizes, density: float, seed: int) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Return positions ``(n, 2)``, what is seen there and what is to be found ``(n,)``, for some images."""
    generator = torch.Generator().manual_seed(seed + 2)
    clouds = []
    for _ in range(sizes.images):
        waves, positions = Waves(generator), scatter(sizes.side, density, generator)
        clouds.append((positions, *task.draw(waves, positions, generator)))
    return clouds


def scattered_error(
    network: nn.Sequential, clouds: Sequence[tuple[Tensor, Tensor, Tensor]], side: int, normalize: Normalize
) -> float:
    """Return the error over the points of all images that are not at the border."""
    found, targets = [], []
    for positions, seen, target in clouds:
        chosen = inside(positions, side)
        found.append(on_points(network, seen[:, None], positions, normalize)[chosen, 0])
        targets.append(target[chosen])
    return relative_error(torch.cat(found), torch.cat(targets))


def example(task: WaveTask, network: nn.Sequential, side: int, seed: int, density: float = 4.0) -> Example:
    """Return one image for the picture."""
    generator = torch.Generator().manual_seed(seed + 3)
    waves, positions = Waves(generator), scatter(side, density, generator)
    image, target = task.draw(waves, lattice(side), generator)
    seen, _ = task.draw(waves, positions, generator)
    found = on_points(network, seen[:, None], positions, "present")[:, 0]
    return Example(task.title, image.numpy(), target.numpy(), positions.numpy(), found.numpy(), density)


def report(rows: Sequence[Row]) -> str:
    """Write the results as Markdown, a table for each task."""
    return "\n\n".join(_table(task, [row for row in rows if row.task == task]) for task in _tasks(rows))


def _table(task: str, rows: Sequence[Row]) -> str:
    errors: Mapping[tuple[float, str], float] = {(row.points_per_cell, row.normalize): row.error for row in rows}
    lines = [[f"{d:g}", *(f"{errors[d, n]:.3f}" for n in NORMALIZATIONS)] for d in DENSITIES]
    headings = [f"{task}: points per cell", *(f'"{n}"' for n in NORMALIZATIONS)]
    return markdown_table(headings, [*lines, ["grid images", f"{rows[0].grid_error:.3f}", f"{rows[0].grid_error:.3f}"]])


def _tasks(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(row.task for row in rows))


if __name__ == "__main__":
    main()
