"""Drawing of a region map in three dimensions: its slices, and its levels taken apart."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lpsc_nd.inspect.maps import draw_region_map, region_colors

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SLICES_UP_TO = 15
_SLICES_PER_ROW = 5
_VOXELS_UP_TO = 10_000  # cells of the window up to which they are drawn as cubes; beyond, as dots
_PUSH, _GAP = 0.25, 0.6  # how far a region is pushed outwards: a share of its distance, and of the longest cell side
_VIEW = {"elev": 22, "azim": -55}


def draw_slices(
    mask: NDArray[np.int64],
    num_directions: int,
    *,
    center: bool = True,
    title: str = "",
    num_levels: int | None = None,
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
) -> Figure:
    """Draw a 3-D region map as slices across its first axis, each as :func:`lpsc_nd.inspect.draw_region_map` has it.

    The numbers are the cells of each region in the slice, those above it the slice's place: cells from the middle, and
    the distance in brackets where a cell is not 1 thick. Of more than 15 slices 15 are drawn, spread evenly from the
    first to the last, and the title says so.

    Args:
        mask: region codes ``(depth, height, width)``.
        num_directions: directions per level.
        center: whether the centre cell has its own weight.
        title: written above.
        num_levels: levels of the partition; by default the highest on the map.
        spacing: size of a cell along each axis.

    Raises:
        ValueError: ``mask`` is not 3-D.
    """
    from matplotlib.figure import Figure

    depth, height, width = _shape(mask)
    shown = np.unique(np.linspace(0, depth - 1, min(depth, _SLICES_UP_TO)).round().astype(int)).tolist()
    rows = math.ceil(len(shown) / _SLICES_PER_ROW)
    columns = math.ceil(len(shown) / rows)
    aspect = spacing[1] / spacing[2]
    panel = 2.6 * height * aspect / width
    figure = Figure(figsize=(2.6 * columns, min(panel, 4.0) * rows + 0.35 * rows + 0.5), layout="constrained")
    panels = figure.subfigures(rows, columns, squeeze=False).ravel()
    levels = num_levels or _levels(mask, num_directions)
    middle = (depth - 1) // 2
    for part, index in zip(panels, shown, strict=False):
        draw_region_map(
            mask[index],
            num_directions,
            center=center and index == middle,
            title=_place(index - middle, spacing[0]),
            figure=part,
            num_levels=levels,
            aspect=aspect,
        )
    some = f" ({len(shown)} of {depth} slices)" if len(shown) < depth else ""
    figure.suptitle(f"{title}{some}: slices across axis 0", fontsize=12)
    return figure


def draw_exploded(
    mask: NDArray[np.int64],
    num_directions: int,
    *,
    title: str = "",
    num_levels: int | None = None,
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
) -> Figure:
    """Draw the levels of a 3-D region map side by side, the regions of each pushed outwards.

    The hue tells the direction and the lightness the level, as in :func:`lpsc_nd.inspect.draw_region_map`. Cells are
    cubes, on windows of more than 10 000 cells dots. All levels are drawn to one scale.

    Args:
        mask: region codes ``(depth, height, width)``.
        num_directions: directions per level.
        title: written above.
        num_levels: levels of the partition; by default the highest on the map.
        spacing: size of a cell along each axis.

    Raises:
        ValueError: ``mask`` is not 3-D.
    """
    from matplotlib.figure import Figure

    _shape(mask)
    levels = num_levels or _levels(mask, num_directions)
    colors = region_colors(mask, num_directions, levels)
    figure = Figure(figsize=(4.0 * levels, 4.4), layout="constrained")
    for level in range(levels):
        axes: Any = figure.add_subplot(1, levels, level + 1, projection="3d", **_VIEW)
        codes = range(level * num_directions + 1, (level + 1) * num_directions + 1)
        present = [code for code in codes if (mask == code).any()]
        for code in present:
            _draw_region(axes, mask == code, colors[mask == code][0], np.asarray(spacing))
        axes.set_title(f"level {level + 1}: {len(present)} regions, {np.isin(mask, codes).sum()} cells", fontsize=10)
        for side, axis in zip("xyz", (2, 1, 0), strict=True):
            getattr(axes, f"set_{side}label")(f"axis {axis}", labelpad=-10, fontsize=9)
            getattr(axes, f"set_{side}ticks")([])
        _same_scale(axes, (0.5 + _PUSH / 2) * np.asarray(mask.shape) * spacing + _GAP * max(spacing))
    figure.suptitle(title, fontsize=12)
    return figure


def _draw_region(axes: Any, cells: NDArray[np.bool_], color: NDArray[np.float64], spacing: NDArray[np.float64]) -> None:
    middle = (np.asarray(cells.shape) - 1) // 2
    offset = (np.argwhere(cells) - middle).mean(axis=0) * spacing
    apart = _PUSH * offset + _GAP * spacing.max() * offset / max(float(np.linalg.norm(offset)), 1e-9)
    if cells.size > _VOXELS_UP_TO:
        z, y, x = ((np.argwhere(cells) - middle) * spacing + apart).T
        axes.scatter(x, y, z, s=6, color=tuple(color), depthshade=False)
        return
    corners = np.moveaxis(np.indices([size + 1 for size in cells.shape]), 0, -1) - middle - 0.5
    z, y, x = np.moveaxis(corners * spacing + apart, -1, 0)
    # Matplotlib's first axis is x, ours is z.
    axes.voxels(x.T, y.T, z.T, cells.T, facecolors=tuple(color), edgecolors=(0, 0, 0, 0.35), linewidth=0.3)


def _same_scale(axes: Any, reach: NDArray[np.float64]) -> None:
    """Show so much on both sides of the middle along each array axis, whatever is drawn."""
    for side, extent in zip("xyz", reach[::-1], strict=True):
        getattr(axes, f"set_{side}lim")(-extent, extent)
    axes.set_box_aspect(reach[::-1], zoom=1.15)


def _place(cells: int, thickness: float) -> str:
    """Write where a slice lies."""
    if cells == 0:
        return "0"
    return f"{cells:+d}" if thickness == 1 else f"{cells:+d} ({cells * thickness:+g})"


def _shape(mask: NDArray[np.int64]) -> tuple[int, int, int]:
    if mask.ndim != 3:
        raise ValueError(f"mask must be 3-D, got shape {mask.shape}")
    depth, height, width = mask.shape
    return depth, height, width


def _levels(mask: NDArray[np.int64], num_directions: int) -> int:
    return max(1, math.ceil(int(mask.max()) / num_directions))
