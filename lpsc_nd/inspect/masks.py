"""Pictures of a region map of one, two or three axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lpsc_nd import _checks
from lpsc_nd.inspect.maps import draw_region_map
from lpsc_nd.inspect.volumes import draw_exploded, draw_slices

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WIDTH, _LEAST_HEIGHT, _LARGEST_HEIGHT = 5.4, 1.8, 9.0  # inches
_INCHES_PER_CELL = 0.28  # of a line


def mask_pictures(
    mask: NDArray[np.int64],
    num_directions: int,
    *,
    center: bool = True,
    title: str = "",
    num_levels: int | None = None,
    spacing: Sequence[float] | None = None,
) -> dict[str, Figure]:
    """Draw a region map as suits its axes: a strip, a map, or slices and levels of a volume (paper, Fig. 1).

    Args:
        mask: region codes of one to three axes; for more there is no picture.
        num_directions: directions per level.
        center: whether the centre cell has its own weight.
        title: written above each picture.
        num_levels: levels of the partition; by default the highest on the map.
        spacing: size of a cell along each axis; one by default.

    Returns:
        Pictures by name: ``map``, or ``slices`` and ``levels``, or none.

    Raises:
        ValueError: a spacing of another length.
    """
    size = _checks.numbers("spacing", 1.0 if spacing is None else spacing, mask.ndim, above=0.0)
    if mask.ndim == 1:
        strip = _figure(max(_WIDTH, _INCHES_PER_CELL * mask.size), 1.5)
        return {"map": draw_region_map(mask[None], num_directions, center=center, title=title, figure=strip)}
    aspect = size[-2] / size[-1]
    if mask.ndim == 2:
        height = _WIDTH * mask.shape[0] * aspect / mask.shape[1]
        figure = _figure(_WIDTH, min(max(height, _LEAST_HEIGHT), _LARGEST_HEIGHT) + 0.4)
        drawn = draw_region_map(
            mask, num_directions, center=center, title=title, figure=figure, num_levels=num_levels, aspect=aspect
        )
        return {"map": drawn}
    if mask.ndim > 3:
        return {}
    cell = (size[0], size[1], size[2])
    slices = draw_slices(mask, num_directions, center=center, title=title, num_levels=num_levels, spacing=cell)
    levels = draw_exploded(mask, num_directions, title=title, num_levels=num_levels, spacing=cell)
    return {"slices": slices, "levels": levels}


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")
