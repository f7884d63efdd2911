"""Drawing of input gradients with the receptive fields that they span, as in the paper's Fig. 5."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from lpsc_nd.inspect.receptive_field import bounding_box

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

_MARGIN = 3  # cells around the largest field
_NO_GRADIENT = "0.85"
_FRAME = "#D55E00"


def effective_cells(gradient: Tensor) -> int:
    """Return how many input positions act with more than 4.55 % of the strongest: two deviations of a Gaussian field.

    Example:
        >>> import torch
        >>> effective_cells(torch.tensor([0.01, 0.5, 1.0]))
        2
    """
    return int((gradient > 0.0455 * gradient.max()).sum())


def draw_gradient_maps(gradients: Mapping[str, Tensor], *, title: str = "") -> Figure:
    """Draw input gradients side by side, each framed by its receptive field (paper, Fig. 5).

    Values are divided by the map's largest and shown on a square root scale. All panels show the surroundings of the
    largest field; cells without a gradient are grey.

    Args:
        gradients: for each name, ``(height, width)``, see :func:`input_gradient`.
        title: written above.

    Raises:
        ValueError: nothing to draw, or a map that is not 2-D or nowhere positive.
    """
    from matplotlib.figure import Figure

    if not gradients:
        raise ValueError("gradients must hold at least one map, got none")
    for name, gradient in gradients.items():
        if gradient.ndim != 2 or not bool((gradient > 0).any()):
            raise ValueError(f"{name}: must be 2-D and somewhere positive, got shape {tuple(gradient.shape)}")
    reach = max(max(bounding_box(gradient)) for gradient in gradients.values())
    figure = Figure(figsize=(4.1 * len(gradients) + 0.8, 4.4), layout="constrained")
    grid = figure.subplots(1, len(gradients), squeeze=False)[0]
    for axes, (name, gradient) in zip(grid, gradients.items(), strict=True):
        height, width = bounding_box(gradient)
        image = draw_panel(axes, gradient / gradient.max(), field_ends(gradient), reach)
        axes.set_title(f"{name}\n{height} x {width}", fontsize=11)
    figure.colorbar(image, ax=grid, shrink=0.85, label="gradient / largest gradient (square root scale)")
    figure.suptitle(title, fontsize=12)
    return figure


def draw_panel(axes: Axes, values: Tensor, field: Sequence[tuple[int, int]], reach: int) -> AxesImage:
    """Draw a plane of values from 0 to 1, framed by its field, with the surroundings of a field of ``reach`` cells.

    Args:
        axes: where to draw.
        values: ``(height, width)``.
        field: first and last position of the field along both axes.
        reach: cells of the largest field of the figure along an axis.
    """
    from matplotlib.colors import PowerNorm
    from matplotlib.patches import Rectangle

    (top, bottom), (left, right) = field
    height, width = bottom - top + 1, right - left + 1
    axes.set_facecolor(_NO_GRADIENT)
    shown = np.ma.masked_equal(values.cpu().numpy(), 0.0)
    image = axes.imshow(shown, cmap="viridis", norm=PowerNorm(0.5, 0, 1), interpolation="nearest")
    frame = Rectangle((left - 0.5, top - 0.5), width, height, fill=False, edgecolor=_FRAME, linewidth=2)
    axes.add_patch(frame)
    axes.set_xlim(left + (width - reach) / 2 - _MARGIN - 0.5, left + (width + reach) / 2 + _MARGIN - 0.5)
    axes.set_ylim(top + (height + reach) / 2 + _MARGIN - 0.5, top + (height - reach) / 2 - _MARGIN - 0.5)
    axes.set(xticks=[], yticks=[])
    return image


def field_ends(values: Tensor) -> list[tuple[int, int]]:
    """Return the first and the last position of the non-zero values along each axis.

    Example:
        >>> import torch
        >>> field_ends(torch.tensor([0.0, 2.0, 0.0, 1.0]))
        [(1, 3)]
    """
    positions = values.nonzero()
    return list(zip(positions.amin(dim=0).tolist(), positions.amax(dim=0).tolist(), strict=True))
