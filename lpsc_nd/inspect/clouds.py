"""Drawings of point clouds in two and three dimensions: the regions around a point, and parts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lpsc_nd import _checks
from lpsc_nd.geometry import Partition
from lpsc_nd.inspect.maps import region_colors

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure

# Okabe and Ito's colours and a mark for each, so that parts can be told apart in grey too.
_PART_STYLES = (
    ("#0072B2", "o"),
    ("#E69F00", "^"),
    ("#009E73", "s"),
    ("#CC79A7", "D"),
    ("#56B4E9", "v"),
    ("#D55E00", "P"),
)
_LEVEL_MARKS = ("o", "^", "s", "D", "v", "P")
_OUTSIDE = "#C8C8C8"
_ELEVATION, _AZIMUTH = 20.0, -60.0  # degrees
TOWARDS_VIEWER = (
    math.cos(math.radians(_ELEVATION)) * math.cos(math.radians(_AZIMUTH)),
    math.cos(math.radians(_ELEVATION)) * math.sin(math.radians(_AZIMUTH)),
    math.sin(math.radians(_ELEVATION)),
)
"""Unit vector from a cloud in space to whoever looks at its drawing."""


@dataclass(frozen=True, eq=False)
class PartCloud:
    """A cloud with the part of every point.

    Args:
        positions: the points.
        parts: labels of the points.
        predicted: what a network takes them for.

    Shape:
        positions ``(n, 2)`` or ``(n, 3)``, parts and predicted ``(n,)``, from 0 on.

    Raises:
        ValueError: shapes that do not fit together.
    """

    positions: NDArray[Any]
    parts: NDArray[np.integer[Any]]
    predicted: NDArray[np.integer[Any]]

    def __post_init__(self) -> None:
        _check_positions(self.positions)
        for name in ("parts", "predicted"):
            if getattr(self, name).shape != (len(self.positions),):
                shape = _checks.shape_text(getattr(self, name).shape)
                raise ValueError(f"{name} must have one label per point, [{len(self.positions)}], got shape {shape}")


def draw_cloud_regions(
    positions: NDArray[Any],
    partition: Partition,
    query: int,
    *,
    title: str = "",
    figure: Figure | SubFigure | None = None,
) -> Figure:
    """Draw a cloud, its points coloured by their region around one of them.

    The hue tells the direction, mark and lightness the level (the lighter, the farther). Points in no region are small
    and grey, the query is a black star. In the plane the axes are those of an image: axis 0 downwards, axis 1 to the
    right.

    Args:
        positions: points ``(n, 2)`` or ``(n, 3)``.
        partition: gives the region of ``position - positions[query]``.
        query: index of the point in the middle.
        title: written above.
        figure: figure, or part of one, to draw into; a new one by default.

    Returns:
        The whole figure.

    Raises:
        ValueError: positions of another shape, or no point of that index.
    """
    from matplotlib.figure import Figure

    _check_positions(positions)
    if not 0 <= _checks.integer("query", query, minimum=0) < len(positions):
        raise ValueError(f"query must be below the number of points, {len(positions)}, got {query}")
    levels = int(getattr(partition, "num_levels", 1))
    region = partition.region(np.asarray(positions, dtype=np.float64) - positions[query])
    around = np.arange(len(positions)) != query
    axes = _axes(figure or Figure(figsize=(5.6, 5.2), layout="constrained"), positions)
    outside = around & (region == 0)
    axes.scatter(*_columns(positions[outside]), s=5, c=_OUTSIDE, marker=".", label="in no region")
    colors = region_colors(region, partition.num_regions // levels, levels)
    level = (region - 1) // (partition.num_regions // levels)
    for number in range(levels):
        inside = around & (region > 0) & (level == number)
        style = {"marker": _LEVEL_MARKS[number % len(_LEVEL_MARKS)], "edgecolors": "black", "linewidths": 0.4}
        axes.scatter(*_columns(positions[inside]), s=26, c=colors[inside], **style)
        axes.scatter(*[[]] * positions.shape[1], s=26, c="white", label=f"level {number + 1}", **style)
    axes.scatter(*_columns(positions[[query]]), s=120, c="black", marker="*", label="query", zorder=5)
    axes.legend(loc="upper left", fontsize=8, framealpha=0.9)
    axes.set_title(title, fontsize=11)
    whole: Figure = axes.get_figure(root=True)
    return whole


def draw_parts(clouds: Mapping[str, PartCloud], part_names: Sequence[str], *, title: str = "") -> Figure:
    """Draw clouds in columns: above coloured by their true parts, below by the predicted, wrong points ringed in black.

    Args:
        clouds: named clouds.
        part_names: names of the parts, by label.
        title: written above all.

    Raises:
        ValueError: no clouds, or a label without a name.
    """
    from matplotlib.figure import Figure

    if not clouds:
        raise ValueError("clouds must hold at least one cloud, got none")
    for name, cloud in clouds.items():
        _check_labels(name, cloud, len(part_names))
    figure = Figure(figsize=(3.0 * len(clouds), 6.6), layout="constrained")
    columns = figure.subfigures(1, len(clouds), squeeze=False)[0]
    for column, (name, cloud) in zip(columns, clouds.items(), strict=True):
        _draw_column(column, name, cloud, part_names)
    figure.suptitle(title, fontsize=12)
    return figure


def _draw_column(figure: SubFigure, name: str, cloud: PartCloud, part_names: Sequence[str]) -> None:
    present = np.union1d(cloud.parts, cloud.predicted).tolist()
    wrong = cloud.parts != cloud.predicted
    panels = {"truth": (cloud.parts, np.zeros_like(wrong)), "predicted": (cloud.predicted, wrong)}
    for row, (kind, (labels, ringed)) in enumerate(panels.items()):
        axes = _axes(figure, cloud.positions, (2, 1, row + 1))
        for order, part in enumerate(present):
            color, mark = _PART_STYLES[order % len(_PART_STYLES)]
            for chosen, edge in ((labels == part) & ~ringed, "none"), ((labels == part) & ringed, "black"):
                style = {"s": 12, "c": color, "marker": mark, "edgecolors": edge, "linewidths": 0.8}
                axes.scatter(
                    *_columns(cloud.positions[chosen]), label=part_names[part] if edge == "none" else None, **style
                )
        share = "" if kind == "truth" else f", {1 - wrong.mean():.0%} right"
        axes.set_title(f"{name}: {kind}{share}", fontsize=9)
    handles, labels_ = axes.get_legend_handles_labels()
    figure.legend(handles, labels_, loc="outside lower center", fontsize=8, frameon=False, ncols=min(2, len(present)))


def _axes(figure: Any, positions: NDArray[Any], place: tuple[int, int, int] = (1, 1, 1)) -> Any:
    """Return bare axes of equal scale: of an image in the plane, of a slanted view in space."""
    if positions.shape[1] == 3:
        axes = figure.add_subplot(*place, projection="3d", elev=_ELEVATION, azim=_AZIMUTH)
        low, high = positions.min(axis=0), positions.max(axis=0)
        half = max(float((high - low).max()) / 2, 1e-9)
        for side, middle in zip("xyz", ((low + high) / 2).tolist(), strict=True):
            getattr(axes, f"set_{side}lim")(middle - half, middle + half)
        axes.set_box_aspect((1, 1, 1), zoom=1.25)
        axes.set_axis_off()
        return axes
    axes = figure.add_subplot(*place)
    axes.set_aspect("equal")
    axes.invert_yaxis()
    axes.set_xticks([])
    axes.set_yticks([])
    return axes


def _columns(positions: NDArray[Any]) -> tuple[NDArray[Any], ...]:
    """Return what matplotlib calls x, y and z: in the plane axis 1 comes first."""
    return tuple(positions.T[::-1]) if positions.shape[1] == 2 else tuple(positions.T)


def _check_positions(positions: NDArray[Any]) -> None:
    if positions.ndim != 2 or positions.shape[1] not in (2, 3) or len(positions) == 0:
        shape = _checks.shape_text(positions.shape)
        raise ValueError(f"positions must be (n, 2) or (n, 3) with at least one point, got shape {shape}")


def _check_labels(name: str, cloud: PartCloud, count: int) -> None:
    labels = np.concatenate([cloud.parts, cloud.predicted])
    if labels.min() < 0 or labels.max() >= count:
        raise ValueError(
            f"{name}: parts must be from 0 to {count - 1}, as part_names has, got {labels.min()} to {labels.max()}"
        )
