"""A sheet of sample volumes: three perpendicular slices of each, in millimetres, with the labels' outlines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from datamodules.volumes.module import VolumeDataModule
from lpsc_nd._checks import integer

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_VIEWS = ("across z", "across y", "across x")
_INCHES = 1.6  # of a slice
_OUTLINE = "#E69F00"


def draw_sheet(data: VolumeDataModule, count: int = 6) -> Figure:
    """Draw the first test volumes of a data module; ``draw_sheet(data).savefig(path)`` writes the sheet.

    A slice goes through the middle of the volume, or, where there are labels per voxel, through most of the voxels that
    are not background. Voxels have the proportions of their spacing.

    Args:
        data: whose volumes to draw; of several channels the first is drawn.
        count: number of volumes; all if there are fewer.

    Raises:
        TypeError: ``count`` is no integer.
        ValueError: ``count`` is below 1.
    """
    from matplotlib.figure import Figure

    test = data.splits.test
    columns = min(integer("count", count, minimum=1), len(test))
    figure = Figure(figsize=(_INCHES * columns, (_INCHES + 0.15) * len(_VIEWS) + 0.3), layout="constrained")
    panels = figure.subplots(len(_VIEWS), columns, squeeze=False)
    for column in range(columns):
        volume, labels, title = _sample(data, test, column)
        for view in range(len(_VIEWS)):
            _draw_slice(panels[view, column], volume, labels, view, data.spacing)
        panels[0, column].set_title(title, fontsize=8)
    for view, name in enumerate(_VIEWS):
        panels[view, 0].set_ylabel(name, fontsize=8)
    return figure


def _sample(
    data: VolumeDataModule, dataset: Any, index: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None, str]:
    x, target = dataset[index]
    if target.ndim == 0:
        return x[0].numpy(), None, data.class_names[int(target)]
    return x[0].numpy(), (target > 0).numpy(), f"volume {index}"


def _draw_slice(
    panel: Axes,
    volume: NDArray[np.float32],
    labels: NDArray[np.bool_] | None,
    view: int,
    spacing: tuple[float, float, float],
) -> None:
    down, along = (axis for axis in range(3) if axis != view)
    at = volume.shape[view] // 2
    if labels is not None and labels.any():
        at = int(labels.sum(axis=(down, along)).argmax())
    low, high = np.percentile(volume, (0.5, 99.5))
    # The first row of an array is at the bottom: z runs upwards, y to the front.
    options: dict[str, Any] = {"origin": "lower", "aspect": spacing[down] / spacing[along]}
    panel.imshow(volume.take(at, view), cmap="gray", vmin=low, vmax=high, interpolation="nearest", **options)
    if labels is not None:
        _outline(panel, labels.take(at, view))
    panel.set_xticks([])
    panel.set_yticks([])


def _outline(panel: Axes, mask: NDArray[np.bool_]) -> None:
    """Draw the edges between voxels inside and outside a mask."""
    from matplotlib.collections import LineCollection

    padded = np.pad(mask, 1)
    rows, columns = np.nonzero(padded[1:] != padded[:-1])
    segments = [[(c - 1.5, r - 0.5), (c - 0.5, r - 0.5)] for r, c in zip(rows, columns, strict=True)]
    rows, columns = np.nonzero(padded[:, 1:] != padded[:, :-1])
    segments += [[(c - 0.5, r - 1.5), (c - 0.5, r - 0.5)] for r, c in zip(rows, columns, strict=True)]
    panel.add_collection(LineCollection(segments, colors=_OUTLINE, linewidths=0.7))
