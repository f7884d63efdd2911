"""The comparison as a figure: a dot for each run, a line at the mean of each network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lightning_modules.compare.reductions import summarize

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DOT, _MEAN = "#0072B2", "#D55E00"


def draw_scores(panels: Mapping[str, Mapping[str, Sequence[float]]], *, title: str = "") -> Figure:
    """Draw the values of every network as dots, their mean and standard deviation as a line, one panel per metric.

    Args:
        panels: metric -> network -> values. A network without values keeps an empty line.
        title: written above.

    Raises:
        ValueError: there is nothing to draw.
    """
    from matplotlib.figure import Figure

    if not panels or not all(panels.values()):
        raise ValueError(f"needs at least one metric, and a network in each, got {panels!r}")
    count = max(len(networks) for networks in panels.values())
    figure = Figure(figsize=(1.5 + 4.0 * len(panels), 1.4 + 0.45 * count), layout="constrained")
    for axes, (metric, networks) in zip(
        figure.subplots(1, len(panels), squeeze=False, sharey=True)[0], panels.items(), strict=True
    ):
        _draw_panel(axes, networks)
        axes.set_xlabel(metric)
    figure.suptitle(title, fontsize=12)
    return figure


def _draw_panel(axes: Axes, networks: Mapping[str, Sequence[float]]) -> None:
    for height, values in enumerate(networks.values()):
        summary = summarize(values)
        if summary.mean is None:
            continue
        axes.errorbar(
            summary.mean, height, xerr=summary.std, fmt="|", color=_MEAN, markersize=18, markeredgewidth=2, capsize=4
        )
        axes.plot(values, [height] * len(values), "o", color=_DOT, alpha=0.6, markersize=6, markeredgewidth=0)
    axes.set_yticks(range(len(networks)), list(networks))
    axes.set_ylim(len(networks) - 0.5, -0.5)
    axes.grid(axis="x", alpha=0.3)
