"""Pictures of segmented volumes in slices, drawn while a network is validated or tested."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_lightning import Callback, LightningModule, Trainer

from lightning_modules.inspect_command.output import Output
from lpsc_nd import _checks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_CLASS_COLORS = ("#56B4E9", "#F0E442", "#D55E00", "#0072B2", "#B9A5E2")  # none of them is one of the next three
_RIGHT, _MISSED, _FALSE = "#009E73", "#E69F00", "#CC79A7"
_ERROR_NAMES = ("right", "missed", "false")
_ROWS = ("image", "truth", "predicted", "errors")
_INCHES = 1.5  # of a slice


class VolumePictures(Callback):
    """Draws the first volumes of the test, and if wanted those of the validation, with their true and predicted masks.

    They go into ``<run>/pictures/``, as PNG and SVG: ``volume_<number>_test``, and ``volume_<number>_epoch_<n>``,
    n being the number of epochs trained.

    Args:
        num_volumes: how many volumes are drawn.
        num_slices: slices of each, along the first axis.
        every_n_epochs: epochs from one picture of the validation to the next; by default the test alone is drawn.

    Raises:
        ValueError, TypeError: a number is below 1, or no integer.
    """

    def __init__(self, num_volumes: int = 2, num_slices: int = 6, every_n_epochs: int | None = None) -> None:
        self.num_volumes = _checks.integer("num_volumes", num_volumes, minimum=1)
        self.num_slices = _checks.integer("num_slices", num_slices, minimum=1)
        if every_n_epochs is not None:
            _checks.integer("every_n_epochs", every_n_epochs, minimum=1)
        self.every_n_epochs = every_n_epochs
        self._drawn = 0

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin with the first volume."""
        self._drawn = 0

    def on_test_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin with the first volume."""
        self._drawn = 0

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Draw the batch's volumes, if it is their epoch."""
        epochs = trainer.current_epoch + 1
        if self.every_n_epochs is not None and not trainer.sanity_checking and epochs % self.every_n_epochs == 0:
            self._draw(trainer, pl_module, batch, f"epoch_{epochs:04d}")

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Draw the batch's volumes."""
        self._draw(trainer, pl_module, batch, "test")

    def _draw(self, trainer: Trainer, pl_module: LightningModule, batch: Any, ending: str) -> None:
        left = self.num_volumes - self._drawn
        if left <= 0 or not trainer.is_global_zero:
            return
        x, target = (part[:left] for part in batch)
        with torch.no_grad():
            predicted = pl_module.predict_step((x, target), 0)["predicted"]
        output = Output(Path(trainer.log_dir or trainer.default_root_dir, "pictures"), quiet=True)
        data = getattr(trainer, "datamodule", None)
        for image, truth, found in zip(x, target, predicted, strict=True):
            figure = draw_volume(
                image[0].float().cpu().numpy(),
                truth.cpu().numpy(),
                found.cpu().numpy(),
                spacing=getattr(pl_module, "spacing", None) or (1.0, 1.0, 1.0),
                class_names=getattr(data, "class_names", ()),
                num_slices=self.num_slices,
            )
            output.figure(f"volume_{self._drawn}_{ending}", figure)
            self._drawn += 1


def draw_volume(
    image: NDArray[Any],
    truth: NDArray[Any],
    predicted: NDArray[Any],
    *,
    spacing: Sequence[float] = (1.0, 1.0, 1.0),
    class_names: Sequence[str] = (),
    num_slices: int = 6,
) -> Figure:
    """Draw slices along the first axis: the image, the true and the predicted classes over it, and where these differ.

    The slices are spread over those that have a class in the truth or in the prediction. The last column is the
    projection along the first axis: the largest value of the image, the largest number of the classes.

    Args:
        image: values.
        truth: classes; 0 is the background, which is not painted.
        predicted: likewise.
        spacing: size of a voxel along each axis, which decides the slices' proportions.
        class_names: of all classes, the background's first; numbers by default.
        num_slices: number of slices, at least 1.

    Shape:
        image, truth and predicted ``(D, H, W)``.

    Raises:
        ValueError: the arrays have no three axes, or differ in shape.
    """
    from matplotlib.figure import Figure

    if image.ndim != 3 or not image.shape == truth.shape == predicted.shape:
        raise ValueError(
            f"image, truth and predicted must be of one shape (D, H, W), got {image.shape}, {truth.shape} and"
            f" {predicted.shape}"
        )
    columns = [(f"slice {i}", image[i], truth[i], predicted[i]) for i in _slices(truth, predicted, num_slices)]
    columns.append(("projection", image.max(axis=0), truth.max(axis=0), predicted.max(axis=0)))
    height = spacing[1] * image.shape[1] / (spacing[2] * image.shape[2])
    size = (0.4 + _INCHES * len(columns), 0.7 + _INCHES * height * len(_ROWS))
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(_ROWS), len(columns), squeeze=False)
    limits = float(image.min()), float(image.max())
    for axes, (title, *pictures) in zip(grid.T, columns, strict=True):
        axes[0].set_title(title, fontsize=9)
        _draw_column(axes, *pictures, limits=limits, aspect=spacing[1] / spacing[2])
    for axes, name in zip(grid[:, 0], _ROWS, strict=True):
        axes.set_ylabel(name, fontsize=9)
    _legend(figure, int(max(truth.max(), predicted.max())), class_names)
    return figure


def _slices(truth: NDArray[Any], predicted: NDArray[Any], number: int) -> list[int]:
    """Choose slices, spread evenly over those that hold more than background, or over all if none does."""
    filled = np.flatnonzero(np.any((truth > 0) | (predicted > 0), axis=(1, 2)))
    first, last = (filled[0], filled[-1]) if len(filled) else (0, len(truth) - 1)
    return sorted(set(np.linspace(first, last, number).round().astype(int).tolist()))


def _draw_column(
    column: Sequence[Axes],
    image: NDArray[Any],
    truth: NDArray[Any],
    predicted: NDArray[Any],
    *,
    limits: tuple[float, float],
    aspect: float,
) -> None:
    from matplotlib.colors import ListedColormap

    errors = np.select([(truth == predicted) & (truth > 0), truth > 0, predicted > 0], [1, 2, 3], 0)
    classes = ListedColormap(_CLASS_COLORS)
    layers = (
        (None, classes),
        (truth, classes),
        (predicted, classes),
        (errors, ListedColormap((_RIGHT, _MISSED, _FALSE))),
    )
    for axes, (mask, colors) in zip(column, layers, strict=True):
        axes.imshow(image, cmap="gray", vmin=limits[0], vmax=limits[1], aspect=aspect, interpolation="nearest")
        if mask is not None:
            painted = np.ma.masked_equal(np.where(mask > 0, (mask - 1) % colors.N + 1, 0), 0)
            axes.imshow(
                painted, cmap=colors, vmin=0.5, vmax=colors.N + 0.5, alpha=0.8, aspect=aspect, interpolation="nearest"
            )
        axes.set_xticks([])
        axes.set_yticks([])


def _legend(figure: Figure, largest: int, class_names: Sequence[str]) -> None:
    from matplotlib.patches import Patch

    names = [class_names[label] if label < len(class_names) else str(label) for label in range(1, largest + 1)]
    patches = [Patch(color=_CLASS_COLORS[number % len(_CLASS_COLORS)], label=name) for number, name in enumerate(names)]
    errors = [Patch(color=c, label=name) for c, name in zip((_RIGHT, _MISSED, _FALSE), _ERROR_NAMES, strict=True)]
    figure.legend(handles=[*patches, *errors], loc="outside lower center", ncols=8, fontsize=8, frameon=False)
