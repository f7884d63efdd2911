"""Drawing of the correlation of pixels with the one in the middle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lpsc_nd.inspect.maps import draw_borders

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LEVEL_STYLES = (("#0072B2", "o"), ("#E69F00", "^"), ("#009E73", "s"), ("#CC79A7", "D"), ("#D55E00", "v"))
_OUTSIDE = "0.6"


def draw_correlations(
    correlations: Mapping[str, NDArray[np.float64]],
    mask: NDArray[np.int64],
    num_directions: int,
    *,
    title: str = "",
) -> Figure:
    """Draw correlation maps with the borders of regions on them, and beside each the correlation against the distance.

    Args:
        correlations: for each name, the correlation of every cell with the centre, see :func:`correlation_map`.
        mask: region codes of the window, ``(height, width)``.
        num_directions: directions per level.
        title: written above.

    Raises:
        ValueError: nothing to draw, ``mask`` is not 2-D, or a map of another window.
    """
    from matplotlib.figure import Figure

    if not correlations or mask.ndim != 2:
        raise ValueError(f"needs at least one map and a 2-D mask, got {len(correlations)} and shape {mask.shape}")
    for name, values in correlations.items():
        if values.shape != mask.shape:
            raise ValueError(f"{name}: must have the window {mask.shape} of the mask, got {values.shape}")
    figure = Figure(figsize=(9.6, 3.9 * len(correlations) + 0.4), layout="constrained")
    grid = figure.subplots(len(correlations), 2, squeeze=False, width_ratios=(1, 1.25))
    for (left, right), (name, values) in zip(grid, correlations.items(), strict=True):
        image = left.imshow(values, cmap="cividis", interpolation="nearest")
        draw_borders(left, mask, "white", 1.0)
        left.set(xticks=[], yticks=[])
        left.set_title(f"{name}: correlation with the centre", fontsize=10)
        figure.colorbar(image, ax=left, shrink=0.85)
        _draw_distances(right, values, mask, num_directions)
    figure.suptitle(title, fontsize=12)
    return figure


def _draw_distances(axes: Axes, values: NDArray[np.float64], mask: NDArray[np.int64], num_directions: int) -> None:
    offsets = [np.arange(k) - (k - 1) // 2 for k in mask.shape]
    distance = np.hypot(*np.meshgrid(*offsets, indexing="ij"))
    around = distance > 0
    outside = around & (mask == 0)
    axes.scatter(distance[outside], values[outside], s=9, c=_OUTSIDE, marker="x", label="in no region")
    levels = -(-int(mask.max()) // num_directions)
    for level in range(levels):
        inside = around & (mask > level * num_directions) & (mask <= (level + 1) * num_directions)
        color, mark = _LEVEL_STYLES[level % len(_LEVEL_STYLES)]
        if not inside.any():
            continue
        label = f"level {level + 1}, mean {values[inside].mean():.2f}"
        axes.scatter(distance[inside], values[inside], s=16, c=color, marker=mark, label=label, alpha=0.8)
        axes.hlines(values[inside].mean(), distance[inside].min(), distance[inside].max(), color=color, linewidth=1.5)
    axes.set(xlabel="distance from the centre, cells", ylabel="correlation", xlim=(0, None))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
