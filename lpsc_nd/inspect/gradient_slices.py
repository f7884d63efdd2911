"""Drawing of input gradients of networks on volumes, as slices through the strongest position."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from lpsc_nd.inspect.gradient_maps import draw_panel, field_ends
from lpsc_nd.inspect.receptive_field import bounding_box

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PANEL = 3.4  # inches


def draw_gradient_slices(gradients: Mapping[str, Tensor], *, title: str = "") -> Figure:
    """Draw input gradients of networks on volumes, each as slices across its three axes (paper, Fig. 5, in 3-D).

    The slices pass through the strongest position, and each is framed by the field. Values are divided by the volume's
    largest and shown on a square root scale. All panels show the surroundings of the largest field; cells without a
    gradient are grey.

    Args:
        gradients: for each name, ``(depth, height, width)``, see :func:`input_gradient`.
        title: written above.

    Raises:
        ValueError: nothing to draw, or a gradient that is not 3-D or nowhere positive.
    """
    from matplotlib.figure import Figure

    if not gradients:
        raise ValueError("gradients must hold at least one volume, got none")
    for name, gradient in gradients.items():
        if gradient.ndim != 3 or not bool((gradient > 0).any()):
            raise ValueError(f"{name}: must be 3-D and somewhere positive, got shape {tuple(gradient.shape)}")
    reach = max(max(bounding_box(gradient)) for gradient in gradients.values())
    figure = Figure(figsize=(3 * _PANEL + 0.9, (_PANEL + 0.3) * len(gradients) + 0.5), layout="constrained")
    grid = figure.subplots(len(gradients), 3, squeeze=False)
    for row, (name, gradient) in zip(grid, gradients.items(), strict=True):
        values, field = gradient / gradient.max(), field_ends(gradient)
        strongest = [int(place) for place in np.unravel_index(int(values.argmax()), values.shape)]
        for axis, axes in enumerate(row):
            across = [ends for other, ends in enumerate(field) if other != axis]
            image = draw_panel(axes, values.select(axis, strongest[axis]), across, reach)
            axes.set_title(f"across axis {axis}, at {strongest[axis]}", fontsize=10)
            axes.set(ylabel=f"axis {0 if axis else 1}", xlabel=f"axis {2 if axis < 2 else 1}")
        row[0].set_title(f"{name}: {' x '.join(map(str, bounding_box(gradient)))}\n{row[0].get_title()}", fontsize=10)
    figure.colorbar(image, ax=grid, shrink=0.85, label="gradient / largest gradient (square root scale)")
    figure.suptitle(title, fontsize=12)
    return figure
