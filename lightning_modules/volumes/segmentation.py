"""Segmentation of volumes: the class of every voxel, through windows where a volume is larger than the memory."""

from collections.abc import Sequence
from typing import Any, TypedDict

import numpy as np
import torch
from pytorch_lightning.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn
from torch.optim import AdamW

from lightning_modules.base import BaseTask
from lightning_modules.volumes.metrics import VolumeScores
from lightning_modules.volumes.spacing import check_layer_spacing
from lpsc_nd import _checks

Batch = tuple[Tensor, Tensor]


class VolumePrediction(TypedDict):
    """What prediction returns for a batch."""

    predicted: Tensor  # (B, *size) uint8: the class of each voxel
    share: Tensor  # (B, num_classes) float32: each class's part of the voxels


class VolumeSegmentationTask(BaseTask):
    """Trains a network to tell the class of every voxel, with the sum of cross entropy and Dice loss.

    Logs per epoch, under ``train/``, ``val/`` and ``test/``: ``loss``; for validation and test ``Dice`` and ``IoU``,
    and for the test ``HD95``, the 95 % Hausdorff distance in millimetres. They are taken per volume and class, the
    background excepted, see :class:`~lightning_modules.volumes.metrics.VolumeScores`.

    Volumes that are larger than ``patch_size`` are evaluated window by window through MONAI; where windows overlap,
    their scores are averaged with weights that fall off towards the borders. A volume that fits is evaluated at once.

    Args:
        network: maps ``(B, C, *size)`` to scores ``(B, num_classes, *size)``.
        num_classes: number of classes, the background, 0, included.
        optimizer: builder of the optimiser from the parameters.
        scheduler: builder of the learning rate schedule from the optimiser, stepped once per epoch.
        monitor: logged value that a ``ReduceLROnPlateau`` schedule watches.
        patch_size: largest window of an evaluation in voxels, one number or one for each axis; by default a volume is
            evaluated at once, whatever its size.
        overlap: part of a window that the next one covers again, from 0 to less than 1.
        windows_per_batch: windows that go through the network together.
        spacing: size of a voxel along each axis in millimetres, where the data module does not tell it; 1 by default.

    Shape:
        A batch is ``(x, target)``: x ``(B, C, *size)``, target ``(B, *size)`` int64.

    Raises:
        ValueError, TypeError: an argument is out of range or has a wrong type.
        ValueError: when a run starts: the data module has another spacing than ``spacing``, or log-polar layers have
            another one than the data; in the forward pass: the network does not keep the size.
        ModuleNotFoundError: MONAI is not installed.
    """

    def __init__(
        self,
        network: nn.Module,
        num_classes: int,
        optimizer: OptimizerCallable = AdamW,
        scheduler: LRSchedulerCallable | None = None,
        monitor: str = "val/loss",
        patch_size: int | Sequence[int] | None = None,
        overlap: float = 0.5,
        windows_per_batch: int = 1,
        spacing: Sequence[float] | None = None,
    ) -> None:
        super().__init__(network, optimizer, scheduler, monitor)
        self.save_plain_hyperparameters()
        self.num_classes = _checks.integer("num_classes", num_classes, minimum=2)
        self.patch_size = patch_size
        _checks.integers("patch_size", 1 if patch_size is None else patch_size, _axes(patch_size), minimum=1)
        self.overlap = _checks.number("overlap", overlap, minimum=0.0)
        if overlap >= 1:
            raise ValueError(f"overlap must be less than 1, got {overlap:g}")
        self.windows_per_batch = _checks.integer("windows_per_batch", windows_per_batch, minimum=1)
        self._given_spacing = None if spacing is None else _checks.numbers("spacing", spacing, len(spacing), above=0.0)
        self.spacing = self._given_spacing
        self.loss = _dice_and_cross_entropy()
        self.val_scores = VolumeScores(num_classes, distances=False)
        self.test_scores = VolumeScores(num_classes)

    def setup(self, stage: str) -> None:
        """Take the data module's spacing, and compare the layers' with it."""
        found = getattr(getattr(self.trainer, "datamodule", None), "spacing", None)
        given = self._given_spacing
        if found is not None and given is not None and not _alike(given, found):
            raise ValueError(f"spacing must be that of the data, {tuple(found)}, or left out, got {given}")
        self.spacing = given if found is None else _checks.numbers("the data's spacing", found, len(found), above=0.0)
        if self.spacing is not None:
            check_layer_spacing(self.network, self.spacing)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of a training batch."""
        x, target = batch
        return self._log_loss("train", _same_size(self(x), x), target)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Record the loss and scores of a validation batch."""
        self._evaluate("val", self.val_scores, batch)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Record the loss and scores of a test batch."""
        self._evaluate("test", self.test_scores, batch)

    def predict_step(self, batch: Any, batch_idx: int) -> VolumePrediction:
        """Return the class of every voxel, and each class's share of the volume; a target is not needed."""
        x = batch if isinstance(batch, Tensor) else batch[0]
        predicted = self.scores(x).argmax(dim=1)
        counts = torch.stack([volume.flatten().bincount(minlength=self.num_classes) for volume in predicted])
        return {"predicted": predicted.to(torch.uint8), "share": counts / predicted[0].numel()}

    def on_validation_epoch_end(self) -> None:
        """Log the scores of the validation."""
        self._log_scores("val", self.val_scores)

    def on_test_epoch_end(self) -> None:
        """Log the scores of the test."""
        self._log_scores("test", self.test_scores)

    def scores(self, x: Tensor) -> Tensor:
        """Return the network's scores of volumes of any size, window by window if they are larger than the patch."""
        size = tuple(x.shape[2:])
        largest = _checks.integers("patch_size", self.patch_size or size, len(size), minimum=1)
        window = tuple(map(min, size, largest))
        if window == size:
            return _same_size(self(x), x)
        from monai.inferers.utils import sliding_window_inference

        found: Any = sliding_window_inference(
            x, window, self.windows_per_batch, lambda part: _same_size(self(part), part), self.overlap, mode="gaussian"
        )
        return torch.as_tensor(found)

    def _evaluate(self, stage: str, metric: VolumeScores, batch: Batch) -> None:
        x, target = batch
        scores = self.scores(x)
        self._log_loss(stage, scores, target)
        metric.update(scores.argmax(dim=1), target, self.spacing or (1.0,) * (x.ndim - 2))

    def _log_loss(self, stage: str, scores: Tensor, target: Tensor) -> Tensor:
        scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
        loss: Tensor = self.loss(scores, target[:, None])
        size = len(target)
        self.log(f"{stage}/loss", loss, on_step=False, on_epoch=True, batch_size=size, prog_bar=stage == "val")
        return loss

    def _log_scores(self, stage: str, metric: VolumeScores) -> None:
        for name, value in metric.compute().items():
            self.log(f"{stage}/{name}", value, prog_bar=name == "Dice")
        metric.reset()


def _dice_and_cross_entropy() -> nn.Module:
    """Return MONAI's sum of both; the Dice loss is that of the whole batch, and leaves out the background."""
    try:
        from monai.losses.dice import DiceCELoss
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "volumes are segmented with MONAI, which is not installed: pip install 'lpsc-nd[volumes]'", name=error.name
        ) from error
    return DiceCELoss(include_background=False, to_onehot_y=True, softmax=True, batch=True)


def _same_size(scores: Tensor, x: Tensor) -> Tensor:
    if scores.shape[2:] != x.shape[2:]:
        raise ValueError(f"network must keep the size of {tuple(x.shape[2:])}, got scores of {tuple(scores.shape[2:])}")
    return scores


def _alike(one: Sequence[float], other: Sequence[float]) -> bool:
    return len(one) == len(other) and bool(np.allclose(one, other, rtol=1e-3))


def _axes(patch_size: int | Sequence[int] | None) -> int:
    return len(patch_size) if isinstance(patch_size, Sequence) else 1
