"""The picture of the experiment on scattered samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STYLES = {"present": ("#0072B2", "-", "o"), "grid": ("#D55E00", "--", "s")}


@dataclass(frozen=True, eq=False)
class Example:
    """An image, what is to be found in it, and what was found at scattered points.

    Args:
        title: of what is to be found.
        image: as the network sees it on a grid ``(side, side)``.
        target: what is to be found on the grid ``(side, side)``.
        positions: scattered points, in cells ``(n, 2)``.
        found: at the points ``(n,)``.
        density: points per cell.
    """

    title: str
    image: NDArray[Any]
    target: NDArray[Any]
    positions: NDArray[Any]
    found: NDArray[Any]
    density: float


def draw(examples: Mapping[str, Example], rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw a row for each task: an image, what is to be found, what was found, and the errors over the density.

    Args:
        examples: by task.
        rows: results: ``task``, ``points_per_cell``, ``normalize``, ``error`` and ``grid_error``.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(15.5, 3.9 * len(examples)), layout="constrained")
    grid = figure.subplots(len(examples), 4, squeeze=False, width_ratios=(1, 1, 1.16, 1.5))
    for panels, (name, example) in zip(grid, examples.items(), strict=True):
        _draw_example(panels, example)
        _draw_errors(panels[3], [row for row in rows if row["task"] == name])
    return figure


def _draw_example(panels: NDArray[Any], example: Example) -> None:
    target, found = example.target, example.found
    panels[0].imshow(example.image, cmap="gray")
    panels[0].set_title("image")
    shown = panels[1].imshow(target, cmap="viridis")
    panels[1].set_title(f"to be found: {example.title}")
    panels[2].scatter(*example.positions.T[::-1], c=found, cmap="viridis", norm=shown.norm, s=4, linewidths=0)
    height, width = target.shape
    panels[2].set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5), aspect="equal")
    panels[2].set_title(f"found at {example.density:g} scattered points per cell")
    panels[2].figure.colorbar(shown, ax=panels[2])
    for axes in panels[:3]:
        axes.set_xticks([])
        axes.set_yticks([])


def _draw_errors(axes: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    for name, (color, dash, mark) in _STYLES.items():
        own = [row for row in rows if row["normalize"] == name]
        x, y = [row["points_per_cell"] for row in own], [row["error"] for row in own]
        axes.plot(x, y, color=color, linestyle=dash, marker=mark, label=f'scattered, normalize="{name}"')
    axes.axhline(rows[0]["grid_error"], color="black", linestyle=":", label="on the grid")
    axes.set(xscale="log", yscale="log", xlabel="points per cell", ylabel="error, in standard deviations")
    axes.set_xticks(np.unique([row["points_per_cell"] for row in rows]))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
