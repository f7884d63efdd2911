"""Drawing of learned kernels: the taps of a convolution on its window."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

_NO_TAP = "0.8"  # grey of the cells without a tap


@runtime_checkable
class HasTaps(Protocol):
    """A layer with an equal dense convolution, such as LPSConv2d."""

    def to_conv(self) -> nn.Module:
        """Return the equal convolution."""
        ...


def window_taps(layer: nn.Module) -> Tensor:
    """Return a 2-D layer's taps on the window it covers, holes of a dilated kernel included as zeros.

    For a log-polar layer a tap is ``W_{l,m} / N_{l,m}``, and the centre's own weight in the middle (paper, Eq. 3).

    Args:
        layer: an ``nn.Conv2d``, or a layer with ``to_conv()`` that returns one.

    Shape:
        ``(out_channels, in_channels / groups, dilation_h * (k_h - 1) + 1, dilation_w * (k_w - 1) + 1)``.

    Raises:
        TypeError: ``layer`` is neither.
    """
    conv = layer.to_conv() if isinstance(layer, HasTaps) else layer
    if not isinstance(conv, nn.Conv2d):
        raise TypeError(f"layer must be an nn.Conv2d or have a to_conv() that returns one, got {type(layer).__name__}")
    weight = conv.weight.detach().cpu()
    (down, right), (height, width) = conv.dilation, conv.kernel_size
    taps = torch.zeros(*weight.shape[:2], down * (height - 1) + 1, right * (width - 1) + 1, dtype=weight.dtype)
    taps[:, :, ::down, ::right] = weight
    return taps


def draw_kernels(kernels: Mapping[str, Tensor], *, number: int = 8, title: str = "") -> Figure:
    """Draw the first input channel of the first kernels of each layer, one layer per row.

    Each kernel is scaled by its own largest magnitude: blue is negative, red positive, white zero. Cells of the window
    where no kernel of the layer has a tap are grey.

    Args:
        kernels: for each name, taps ``(out, in, height, width)``, see :func:`window_taps`.
        number: kernels drawn per layer.
        title: written above.

    Raises:
        ValueError: ``kernels`` is empty or ``number`` is below 1.
    """
    from matplotlib.figure import Figure

    if not kernels or number < 1:
        raise ValueError(f"needs at least one layer and number at least 1, got {len(kernels)} layers, number {number}")
    figure = Figure(figsize=(1.15 * number + 1.5, 1.25 * len(kernels) + 0.9), layout="constrained")
    grid = figure.subplots(len(kernels), number, squeeze=False)
    for row, (name, taps) in zip(grid, kernels.items(), strict=True):
        empty = (taps == 0).all(dim=1).all(dim=0)
        for axes, kernel in zip(row, taps[:, 0], strict=False):
            image = _draw_one(axes, kernel, empty)
        for axes in row[len(taps) :]:
            axes.set_axis_off()
        row[0].set_ylabel(name, fontsize=11)
    bar = figure.colorbar(image, ax=grid, shrink=0.8, label="tap / largest tap of the kernel")
    bar.set_ticks([-1, 0, 1])
    figure.suptitle(title, fontsize=12)
    return figure


def _draw_one(axes: Axes, kernel: Tensor, empty: Tensor) -> AxesImage:
    scale = float(kernel.abs().max()) or 1.0
    image = np.ma.masked_array((kernel / scale).float().numpy(), empty.numpy())
    axes.set_facecolor(_NO_TAP)
    axes.set_xticks([])
    axes.set_yticks([])
    return axes.imshow(image, cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
