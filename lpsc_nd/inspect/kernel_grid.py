"""Drawing of all kernels of one layer, as in the paper's Fig. 4."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from lpsc_nd import _checks
from lpsc_nd.inspect.kernels import scaled_kernels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_NO_TAP = 0.8  # grey of the cells without a tap
_GAP = 1  # cells between two kernels


def draw_kernel_grid(taps: Tensor, *, columns: int = 8, title: str = "") -> Figure:
    """Draw every kernel of a 2-D layer as one image, row by row (paper, Fig. 4).

    Kernels on three input channels are drawn in colour: red, green and blue are the taps on the first, second and third
    channel, and mid-grey is zero. Of kernels on other numbers of channels the first is drawn, blue negative, red
    positive, white zero. Each kernel is scaled by its own largest magnitude; light grey cells have no tap.

    Args:
        taps: ``(out, in, height, width)``, see :func:`window_taps` and :func:`region_weights`.
        columns: kernels per row.
        title: written above.

    Raises:
        ValueError: ``taps`` is not 4-D, or ``columns`` is below 1.
    """
    from matplotlib.figure import Figure

    if taps.ndim != 4:
        shape = _checks.shape_text(taps.shape)
        raise ValueError(f"taps must be (out, in, height, width), got shape {shape}")
    columns = min(_checks.integer("columns", columns, minimum=1), len(taps))
    in_color = taps.shape[1] == 3
    pixels = _montage(_colors(taps) if in_color else _signed(taps), columns)
    width = 0.95 * columns + 0.8
    figure = Figure(figsize=(width, width * pixels.shape[0] / pixels.shape[1] + 0.9), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(pixels, interpolation="nearest")
    _frame(axes, len(taps), (taps.shape[2] + _GAP, taps.shape[3] + _GAP), columns)
    axes.set_axis_off()
    axes.set_title(title, fontsize=11)
    key = (
        "R, G, B: taps on the three channels, mid-grey zero" if in_color else "red positive, blue negative, white zero"
    )
    figure.supxlabel(f"{key}; each kernel by its own scale", fontsize=9)
    return figure


def _colors(taps: Tensor) -> Any:
    """Return (out, height, width, 3), from 0 to 1."""
    values = taps.float().numpy()
    largest = np.abs(values).max(axis=(1, 2, 3), keepdims=True)
    colors = np.moveaxis(0.5 + 0.5 * values / np.where(largest > 0, largest, 1), 1, -1)
    colors[:, (values == 0).all(axis=(0, 1))] = _NO_TAP
    return colors


def _signed(taps: Tensor) -> Any:
    from matplotlib import colormaps

    scaled = scaled_kernels(taps)
    colors = colormaps["RdBu_r"]((scaled.data + 1) / 2)[..., :3]
    colors[scaled.mask] = _NO_TAP
    return colors


def _frame(axes: Axes, count: int, pitch: tuple[int, int], columns: int) -> None:
    """Draw a thin line around each kernel."""
    rows, places = np.divmod(np.arange(count), columns)
    top, left = rows * pitch[0] - 0.5, places * pitch[1] - 0.5
    bottom, right = top + pitch[0] - _GAP, left + pitch[1] - _GAP
    axes.hlines([top, bottom], [left, left], [right, right], colors="0.4", linewidths=0.6)
    axes.vlines([left, right], [top, top], [bottom, bottom], colors="0.4", linewidths=0.6)


def _montage(images: Any, columns: int) -> Any:
    """Lay images (n, height, width, 3) in rows, white between them."""
    count, height, width, _ = images.shape
    rows = math.ceil(count / columns)
    sheet = np.ones((rows * (height + _GAP) - _GAP, columns * (width + _GAP) - _GAP, 3))
    for index, image in enumerate(images):
        top, left = (height + _GAP) * (index // columns), (width + _GAP) * (index % columns)
        sheet[top : top + height, left : left + width] = image
    return sheet
