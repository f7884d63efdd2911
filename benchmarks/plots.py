"""Pictures of what was measured; colours can be told apart by the colour-blind, and marks in grey."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmarks.cases import Quantity
from benchmarks.runner import Measurement
from benchmarks.samples import Samples
from benchmarks.tables import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

# Okabe and Ito's colours.
BARS: tuple[tuple[str, Quantity, str, str], ...] = (
    ("forward", "x dense, forward", "#0072B2", ""),
    ("forward + backward", "x dense, forward + backward", "#E69F00", "///"),
)
CURVES = {
    "dense": ("dense convolution", "#D55E00", "--", "s"),
    "ours": ("log-polar layer", "#0072B2", "-", "o"),
    "small": ("convolution of 3 cells per axis", "#009E73", "-.", "^"),
}
HEIGHT = 0.38  # of a bar, in rows


def draw_ratios(measured: Sequence[Measurement]) -> Figure:
    """Draw how many times faster than the dense convolution each case is, with the targets as marks.

    Bars start at 1: to the right of it the log-polar layer is faster.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.5, 1.3 + 0.5 * len(measured)), layout="constrained")
    axes = figure.subplots()
    for i, (label, quantity, color, hatch) in enumerate(BARS):
        rows = [row + (i - 0.5) * HEIGHT for row in range(len(measured))]
        values = [measurement.value(quantity) or 1.0 for measurement in measured]
        widths = [value - 1.0 for value in values]
        axes.barh(rows, widths, HEIGHT, left=1.0, color=color, hatch=hatch, edgecolor="white", label=label)
        for row, measurement in zip(rows, measured, strict=True):
            _annotate(axes, row, measurement, quantity)
    axes.plot([], [], color="black", linewidth=2.5, label="target")
    axes.axvline(1.0, color="0.3", linewidth=0.8)
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    axes.set_xlim(min(0.5, low), max(2.0, high))
    _write_plain(axes.xaxis)
    axes.set_yticks(range(len(measured)), [measurement.case.title for measurement in measured], fontsize=8)
    axes.set_ylim(len(measured) - 0.5, -0.5)
    axes.set_xlabel("time of the dense convolution / time of the log-polar layer")
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    return figure


def _annotate(axes: Axes, row: float, measurement: Measurement, quantity: Quantity) -> None:
    """Write the value at the right of the picture, and mark the target."""
    place = axes.get_yaxis_transform()
    axes.text(1.01, row, number(measurement.value(quantity)), transform=place, va="center", fontsize=8)
    for target in measurement.case.targets:
        if target.quantity == quantity:
            axes.vlines(target.bound, row - HEIGHT / 2, row + HEIGHT / 2, color="black", linewidth=2.5)


def _write_plain(axis: Axis) -> None:
    """Write 1, 2, 5, 10, ... along a logarithmic axis."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=20))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())


def draw_growth(measured: Sequence[Measurement]) -> Figure:
    """Draw time against kernel size, a column for each number of axes and a row for each pass."""
    from matplotlib.figure import Figure

    groups = sorted({measurement.case.ndim for measurement in measured})
    figure = Figure(figsize=(5.4 * len(groups), 7.4), layout="constrained")
    panels = figure.subplots(2, len(groups), squeeze=False)
    for column, ndim in enumerate(groups):
        points = sorted((m for m in measured if m.case.ndim == ndim), key=lambda m: m.case.kernel_size)
        batch, channels, *size = points[0].case.input_shape
        sizes = [measurement.case.kernel_size for measurement in points]
        for axes, part, samples in (
            (panels[0, column], "forward", [measurement.forward for measurement in points]),
            (panels[1, column], "forward + backward", [measurement.training for measurement in points]),
        ):
            _draw_curves(axes, ndim, sizes, samples)
            axes.set_title(
                f"{ndim}-D, {part}\n{channels} channels, {batch} of {' x '.join(map(str, size))}", fontsize=10
            )
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False, fontsize=9)
    return figure


def _draw_curves(axes: Axes, ndim: int, sizes: Sequence[int], samples: Sequence[Samples]) -> None:
    from matplotlib.ticker import NullLocator

    for operator, (label, color, dash, mark) in CURVES.items():
        times = [_milliseconds(sample, operator) for sample in samples]
        axes.plot(sizes, times, color=color, linestyle=dash, marker=mark, markersize=5, label=label)
    last = _milliseconds(samples[-1], "dense")
    guide = [last * (size / sizes[-1]) ** ndim for size in sizes]
    axes.plot(sizes, guide, color="0.6", linestyle=":", linewidth=1.5, zorder=0, label="growth as cells, $k^N$")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(list(sizes), [str(size) for size in sizes])
    axes.xaxis.set_minor_locator(NullLocator())
    _write_plain(axes.yaxis)
    axes.set_xlabel("kernel size k, cells per axis")
    axes.set_ylabel("milliseconds")
    axes.grid(alpha=0.3)


def _milliseconds(samples: Samples, operator: str) -> float:
    best = samples.best(operator)
    return float("nan") if best is None else samples.median(best) * 1e3
