"""Drawing of learned kernels: the taps of a convolution on its window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from lpsc_nd.layers import LPSConvNd

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
    """Return a layer's taps on the window it covers, holes of a dilated kernel included as zeros.

    For a log-polar layer a tap is ``W_{l,m} / N_{l,m}``, and the centre's own weight in the middle (paper, Eq. 3).

    Args:
        layer: an ``nn.ConvNd``, or a layer with ``to_conv()`` that returns one.

    Shape:
        ``(out_channels, in_channels / groups, *extent)``, an extent being ``dilation * (k - 1) + 1``.

    Raises:
        TypeError: ``layer`` is neither.

    Example:
        >>> window_taps(nn.Conv2d(2, 3, kernel_size=3, dilation=2)).shape
        torch.Size([3, 2, 5, 5])
    """
    conv = layer.to_conv() if isinstance(layer, HasTaps) else layer
    if not isinstance(conv, (nn.Conv1d, nn.Conv2d, nn.Conv3d)):
        raise TypeError(
            "layer must be an nn.Conv2d (or nn.Conv1d, nn.Conv3d) or have a to_conv() that returns one, "
            f"got {type(layer).__name__}"
        )
    return _spread(conv.weight.detach().cpu(), conv.dilation)


def region_weights(layer: LPSConvNd) -> Tensor:
    """Return a log-polar layer's weights painted on its window: ``W_{l,m}`` on every cell of region (l, m).

    The centre's own weight is left out, as in the paper's Fig. 4, and so is the division by the number of cells, so the
    regions of all levels can be compared by eye.

    Args:
        layer: a log-polar layer of any dimension.

    Shape:
        ``(out_channels, in_channels / groups, *extent)``; 0 where there is no region.

    Example:
        >>> layer = LPSConvNd(1, 1, 1, 5, num_levels=1)
        >>> bool((region_weights(layer)[0, 0, 3:] == layer.weight[0, 0, 0]).all())
        True
    """
    weight = layer.weight.detach().cpu()
    padded = torch.nn.functional.pad(weight, (1, 0))  # code 0 is no region
    return _spread(padded[:, :, torch.from_numpy(layer.mask)], layer.dilation)


def draw_kernels(
    kernels: Mapping[str, Tensor], *, number: int = 8, title: str = "", value: str = "tap / largest tap of the kernel"
) -> Figure:
    """Draw the first input channel of the first kernels of each layer, one layer per row, in 3-D one slice per row.

    Each kernel is scaled by its own largest magnitude: blue is negative, red positive, white zero. Cells of the window
    where no kernel of the layer has a tap are grey.

    Args:
        kernels: for each name, taps ``(out, in, *extent)`` of one, two or three axes, see :func:`window_taps`.
        number: kernels drawn per layer.
        title: written above.
        value: label of the colour bar.

    Raises:
        ValueError: ``kernels`` is empty, ``number`` is below 1, or a kernel has another number of axes.
    """
    from matplotlib.figure import Figure

    if not kernels or number < 1:
        raise ValueError(f"needs at least one layer and number at least 1, got {len(kernels)} layers, number {number}")
    rows = [row for name, taps in kernels.items() for row in _rows(name, taps[:number])]
    figure = Figure(figsize=(1.15 * number + 1.5, 1.25 * len(rows) + 0.9), layout="constrained")
    grid = figure.subplots(len(rows), number, squeeze=False)
    for line, (name, images) in zip(grid, rows, strict=True):
        for axes, pixels in zip(line, images, strict=False):
            image = _draw_one(axes, pixels)
        for axes in line[len(images) :]:
            axes.set_axis_off()
        line[0].set_ylabel(name, fontsize=11)
    bar = figure.colorbar(image, ax=grid, shrink=0.8, label=value)
    bar.set_ticks([-1, 0, 1])
    figure.suptitle(title, fontsize=12)
    return figure


def _spread(weight: Tensor, dilation: Sequence[int]) -> Tensor:
    """Put the cells of a kernel as far apart as its dilation says."""
    sizes = [d * (k - 1) + 1 for k, d in zip(weight.shape[2:], dilation, strict=True)]
    taps = torch.zeros(*weight.shape[:2], *sizes, dtype=weight.dtype)
    places: tuple[Any, ...] = (..., *(slice(None, None, d) for d in dilation))
    taps[places] = weight
    return taps


def scaled_kernels(taps: Tensor) -> np.ma.MaskedArray[Any, np.dtype[Any]]:
    """Return the first input channel of each kernel over its largest magnitude, cells without a tap masked.

    Shape:
        ``(out, in, *extent) -> (out, *extent)``, from -1 to 1.
    """
    first = taps[:, 0].float()
    largest = first.abs().flatten(1).amax(dim=1).reshape(-1, *[1] * (first.ndim - 1))
    empty = (taps == 0).all(dim=1).all(dim=0).expand(first.shape)
    return np.ma.masked_array((first / torch.where(largest > 0, largest, 1.0)).numpy(), empty.numpy())


def _rows(name: str, taps: Tensor) -> list[tuple[str, Any]]:
    """Return the images of a layer as rows: one, or one for each slice of a kernel in space."""
    images = scaled_kernels(taps)
    if images.ndim == 2:
        return [(name, images[:, None])]
    if images.ndim == 3:
        return [(name, images)]
    if images.ndim != 4:
        raise ValueError(f"kernels must have one to three axes, got {images.ndim - 1} in {name!r}")
    middle = (images.shape[1] - 1) // 2
    return [(f"{name}\n{z - middle:+d}" if z != middle else f"{name}\n0", images[:, z]) for z in range(images.shape[1])]


def _draw_one(axes: Axes, pixels: Any) -> AxesImage:
    axes.set_facecolor(_NO_TAP)
    axes.set_xticks([])
    axes.set_yticks([])
    return axes.imshow(pixels, cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
