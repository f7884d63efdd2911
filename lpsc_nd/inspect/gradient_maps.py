"""Drawing of input gradients with the receptive fields that they span, as in the paper's Fig. 5."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from lpsc_nd.inspect.receptive_field import bounding_box

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

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
    from matplotlib.colors import PowerNorm
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
        values = (gradient / gradient.max()).cpu().numpy()
        axes.set_facecolor(_NO_GRADIENT)
        shown = np.ma.masked_equal(values, 0.0)
        image = axes.imshow(shown, cmap="viridis", norm=PowerNorm(0.5, 0, 1), interpolation="nearest")
        (top, left), (height, width) = np.argwhere(values > 0).min(axis=0), bounding_box(gradient)
        axes.add_patch(_frame(left, top, width, height))
        axes.set_xlim(left + (width - reach) / 2 - _MARGIN - 0.5, left + (width + reach) / 2 + _MARGIN - 0.5)
        axes.set_ylim(top + (height + reach) / 2 + _MARGIN - 0.5, top + (height - reach) / 2 - _MARGIN - 0.5)
        axes.set(xticks=[], yticks=[])
        axes.set_title(f"{name}\n{height} x {width}", fontsize=11)
    figure.colorbar(image, ax=grid, shrink=0.85, label="gradient / largest gradient (square root scale)")
    figure.suptitle(title, fontsize=12)
    return figure


def _frame(left: int, top: int, width: int, height: int) -> Rectangle:
    from matplotlib import patches

    return patches.Rectangle((left - 0.5, top - 0.5), width, height, fill=False, edgecolor=_FRAME, linewidth=2)
