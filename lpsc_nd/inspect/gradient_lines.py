"""Drawing of input gradients of networks on series, one line each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from lpsc_nd.inspect.gradient_maps import field_ends

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LINE, _FIELD = "#0072B2", "#D55E00"


def draw_gradient_lines(gradients: Mapping[str, Tensor], *, title: str = "") -> Figure:
    """Draw input gradients of networks on series below each other, each within its field (paper, Fig. 5, in 1-D).

    Values are divided by the series' largest and shown on a square root scale, over the position in the input.

    Args:
        gradients: for each name, ``(length,)``, see :func:`input_gradient`.
        title: written above.

    Raises:
        ValueError: nothing to draw, or a gradient that is not 1-D or nowhere positive.
    """
    from matplotlib.figure import Figure

    if not gradients:
        raise ValueError("gradients must hold at least one series, got none")
    for name, gradient in gradients.items():
        if gradient.ndim != 1 or not bool((gradient > 0).any()):
            raise ValueError(f"{name}: must be 1-D and somewhere positive, got shape {tuple(gradient.shape)}")
    figure = Figure(figsize=(9.0, 2.0 * len(gradients) + 0.9), layout="constrained")
    grid = figure.subplots(len(gradients), 1, squeeze=False, sharex=True)[:, 0]
    for axes, (name, gradient) in zip(grid, gradients.items(), strict=True):
        values = (gradient / gradient.max()).cpu().numpy()
        ((first, last),) = field_ends(gradient)
        axes.axvspan(first - 0.5, last + 0.5, color=_FIELD, alpha=0.15, linewidth=0)
        axes.step(np.arange(len(values)), values, where="mid", color=_LINE, linewidth=1.2)
        axes.set_yscale("function", functions=(_root, np.square))
        axes.set(ylim=(0, 1.02), yticks=[0, 0.1, 0.5, 1])
        axes.set_title(f"{name}: field of {last - first + 1}", fontsize=10)
    grid[-1].set_xlabel("position in the input")
    figure.supylabel("gradient / largest gradient", fontsize=10)
    figure.suptitle(title, fontsize=12)
    return figure


def _root(values: np.ndarray) -> np.ndarray:
    """Return the square root, of what lies below zero 0: axes ask for a margin there."""
    return np.asarray(np.sqrt(np.clip(values, 0, None)))
