"""Drawing of a region map, as in the paper's Fig. 1(b) and Fig. 2(b)."""

from __future__ import annotations

import colorsys
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, told apart with any kind of colour vision; consecutive entries differ strongly.
_HUES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#999999")
_ANNOTATE_UP_TO = 11  # cells along an axis up to which each region's count is written on the map
_OUTSIDE = (1.0, 1.0, 1.0)
_CENTER = (0.15, 0.15, 0.15)


def draw_region_map(
    mask: NDArray[np.int64],
    num_directions: int,
    *,
    center: bool = True,
    title: str = "",
    figure: Figure | None = None,
    num_levels: int | None = None,
    aspect: float = 1.0,
) -> Figure:
    """Draw a 2-D region map: hue tells the direction, lightness the level (the lighter, the farther).

    Borders between regions are drawn as lines. On small windows each region's count of cells is written in one of them.
    The centre cell, which has its own weight, is dark; cells in no region are white.

    Args:
        mask: region codes ``(height, width)``: 0 for no region, else ``(level - 1) * num_directions + direction``.
        num_directions: directions per level.
        center: whether the centre cell has its own weight; else it is drawn like the others.
        title: written above the map.
        figure: figure to draw into; a new one by default.
        num_levels: levels of the partition, for the lightness of a map that does not show them all, such as a slice of
            a ball; by default the highest on the map.
        aspect: height of a cell over its width.

    Returns:
        The figure; ``figure.savefig(path)`` writes it.

    Raises:
        ValueError: ``mask`` is not 2-D or holds a negative code, or ``num_directions`` is below 1.
    """
    from matplotlib.figure import Figure

    if mask.ndim != 2 or mask.min() < 0:
        raise ValueError(f"mask must be 2-D with codes from 0, got shape {mask.shape} and least code {mask.min()}")
    if num_directions < 1:
        raise ValueError(f"num_directions must be at least 1, got {num_directions}")
    figure = figure or Figure(figsize=(5.0, 5.4), layout="constrained")
    axes = figure.add_subplot()
    image = region_colors(mask, num_directions, num_levels)
    if center:
        image[_center(mask)] = _CENTER
    axes.imshow(image, interpolation="nearest", aspect=aspect)
    draw_borders(axes, mask, "black", 1.2)
    if max(mask.shape) <= _ANNOTATE_UP_TO:
        _write_counts(axes, mask, _center(mask) if center else None)
    axes.set_title(title, fontsize=11)
    axes.set_xticks([])
    axes.set_yticks([])
    return figure


def draw_borders(axes: Axes, mask: NDArray[np.int64], color: str, width: float) -> None:
    """Draw the lines between cells of different regions."""
    rows, columns = np.nonzero(mask[:, 1:] != mask[:, :-1])
    axes.vlines(columns + 0.5, rows - 0.5, rows + 0.5, colors=color, linewidths=width)
    rows, columns = np.nonzero(mask[1:] != mask[:-1])
    axes.hlines(rows + 0.5, columns - 0.5, columns + 0.5, colors=color, linewidths=width)


def region_colors(mask: NDArray[np.int64], num_directions: int, num_levels: int | None = None) -> NDArray[np.float64]:
    """Return the colour of every cell, (*mask, 3): a hue for each direction, paler from level to level."""
    from matplotlib.colors import to_rgb

    level, direction = np.divmod(mask - 1, num_directions)
    levels = num_levels or int(level.max()) + 1
    if num_directions <= len(_HUES):
        hues = [to_rgb(color) for color in _HUES[:num_directions]]
    else:
        hues = [colorsys.hls_to_rgb(i / num_directions, 0.45, 0.8) for i in range(num_directions)]
    base = np.array(hues)[direction]  # (*mask.shape, 3)
    white = 0.6 * level[..., None] / max(levels - 1, 1)
    image = base + (1 - base) * white
    image[mask == 0] = _OUTSIDE
    return image


def _center(mask: NDArray[np.int64]) -> tuple[int, int]:
    return (mask.shape[0] - 1) // 2, (mask.shape[1] - 1) // 2


def _write_counts(axes: Axes, mask: NDArray[np.int64], skip: tuple[int, int] | None) -> None:
    for code in np.unique(mask[mask > 0]):
        cells = np.argwhere(mask == code)
        free = cells[~(cells == skip).all(axis=1)] if skip else cells
        row, column = free[np.linalg.norm(free - free.mean(axis=0), axis=1).argmin()]
        axes.text(column, row, str(len(cells)), ha="center", va="center", fontsize=10)
