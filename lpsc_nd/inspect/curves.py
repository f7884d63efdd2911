"""Drawing of learning curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Curve = Sequence[tuple[float, float]]

# Colour, dash and mark differ together, so that the curves can be told apart in grey too.
_STYLES = (("#0072B2", "-", "o"), ("#D55E00", "--", "s"), ("#009E73", "-.", "^"), ("#CC79A7", ":", "D"))


def draw_curves(panels: Mapping[str, Mapping[str, Curve]], *, x_label: str = "epoch", title: str = "") -> Figure:
    """Draw named curves, one panel for each quantity.

    Args:
        panels: for each quantity (the label of the vertical axis), the named curves as ``(x, y)`` points. A quantity
            whose values are all positive and span more than a factor of 20 gets a logarithmic axis.
        x_label: label of the horizontal axes.
        title: written above.

    Raises:
        ValueError: there is nothing to draw.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    if not panels or not all(panels.values()):
        raise ValueError(f"needs at least one panel, and a curve in each, got {panels!r}")
    figure = Figure(figsize=(5.2 * len(panels), 4.0), layout="constrained")
    for axes, (quantity, curves) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        for i, (name, points) in enumerate(curves.items()):
            color, dash, mark = _STYLES[i % len(_STYLES)]
            x, y = zip(*points, strict=True)
            axes.plot(x, y, color=color, linestyle=dash, marker=mark, markersize=4, label=name)
        if _spans_decades([y for points in curves.values() for _, y in points]):
            axes.set_yscale("log")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel(x_label)
        axes.set_ylabel(quantity)
        axes.grid(alpha=0.3)
        axes.legend()
    figure.suptitle(title, fontsize=12)
    return figure


def _spans_decades(values: Sequence[float]) -> bool:
    return min(values) > 0 and max(values) > 20 * min(values)
