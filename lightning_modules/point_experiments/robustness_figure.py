"""The picture of the robustness experiment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LABELS = {
    "num_points": "points per cloud",
    "density_ratio": "density, one end over the other",
    "noise": "noise, in radii of the cloud",
    "missing": "share of the points missing",
}
_STYLES = {"mean": ("#0072B2", "-", "o"), "sum": ("#D55E00", "--", "s")}


def draw(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw accuracy over each factor, a curve for each method.

    Args:
        rows: results: ``factor``, ``value``, ``method`` and ``accuracy``.
    """
    from matplotlib.figure import Figure

    factors = list(dict.fromkeys(row["factor"] for row in rows))
    figure = Figure(figsize=(3.6 * len(factors), 3.6), layout="constrained")
    for axes, factor in zip(figure.subplots(1, len(factors), sharey=True, squeeze=False)[0], factors, strict=True):
        own = [row for row in rows if row["factor"] == factor]
        for name, (color, dash, mark) in _STYLES.items():
            x = [row["value"] for row in own if row["method"] == name]
            y = [row["accuracy"] for row in own if row["method"] == name]
            axes.plot(x, y, color=color, linestyle=dash, marker=mark, label=f"{name} over a region")
        if min(x) > 0:
            axes.set_xscale("log", base=2)
            axes.minorticks_off()
        axes.set_xticks(x, [f"{value:g}" for value in x])
        axes.set(xlabel=_LABELS[factor], ylim=(0, 1.02))
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("test accuracy")
    figure.axes[0].legend(loc="lower left", fontsize=9)
    return figure
