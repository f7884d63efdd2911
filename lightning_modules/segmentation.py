"""Segmentation: one class out of several per pixel."""

from typing import Any, Literal, TypedDict

import torch
from pytorch_lightning.cli import LRSchedulerCallable, OptimizerCallable
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import AdamW
from torchmetrics import MetricCollection

from lightning_modules.base import BaseTask
from lightning_modules.rates import TwoRates
from lightning_modules.segmentation_metrics import VOID, segmentation_metrics

Batch = tuple[Tensor, Tensor]


class SegmentationPrediction(TypedDict):
    """What prediction returns for a batch."""

    predicted: Tensor  # (B, *size) uint8: the class of each pixel
    share: Tensor  # (B, num_classes) float32: each class's part of the pixels


class SegmentationTask(BaseTask):
    """Trains a network to tell the class of every pixel, with the cross entropy of the pixels that are not void.

    Logs per epoch, under ``train/``, ``val/`` and ``test/``: ``loss``, and the paper's four measures, each from the
    confusion matrix of the whole set: ``oAcc`` (part of the pixels that is right), ``mAcc`` (mean over classes of the
    part of each), ``fAcc`` (intersection over union, weighted with each class's share) and ``mIoU`` (its mean).

    Args:
        network: maps ``(B, C, *size)`` to scores ``(B, num_classes, *some_size)``; scores of another size than the
            target's are interpolated to it.
        num_classes: number of classes, from 2 to 255.
        optimizer: builder of the optimiser from the parameters.
        scheduler: builder of the learning rate schedule from the optimiser.
        monitor: logged value that a ``ReduceLROnPlateau`` schedule watches.
        scheduler_interval: step the schedule after every ``epoch`` or every ``step``.
        backbone: name of the submodule of the network that learns at another rate than the rest.
        backbone_rate: its rate over that of the rest.

    Shape:
        A batch is ``(x, target)``: x ``(B, C, *size)``, target ``(B, *size)`` int64, 255 for void.

    Raises:
        ValueError: an argument is out of range, or the network has no such submodule.
    """

    def __init__(
        self,
        network: nn.Module,
        num_classes: int,
        optimizer: OptimizerCallable = AdamW,
        scheduler: LRSchedulerCallable | None = None,
        monitor: str = "val/loss",
        scheduler_interval: Literal["epoch", "step"] = "epoch",
        backbone: str | None = None,
        backbone_rate: float = 0.1,
    ) -> None:
        super().__init__(network, optimizer, scheduler, monitor)
        children = dict(network.named_children())
        if not 2 <= num_classes <= VOID:
            raise ValueError(f"num_classes must be from 2 to {VOID}, got {num_classes}")
        if scheduler_interval not in ("epoch", "step"):
            raise ValueError(f"scheduler_interval must be 'epoch' or 'step', got {scheduler_interval!r}")
        if backbone is not None and backbone not in children:
            raise ValueError(f"backbone must be a submodule of the network, one of {[*children]}, got {backbone!r}")
        if not backbone_rate > 0:
            raise ValueError(f"backbone_rate must be greater than 0, got {backbone_rate}")
        self.save_plain_hyperparameters()
        self.num_classes = num_classes
        self.scheduler_interval = scheduler_interval
        if backbone is not None:
            self.optimizer = TwoRates(optimizer, children[backbone], backbone_rate)
        metrics = segmentation_metrics(num_classes)
        self.train_metrics = metrics.clone(prefix="train/")
        self.val_metrics = metrics.clone(prefix="val/")
        self.test_metrics = metrics.clone(prefix="test/")

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Build the optimiser and the schedule, which steps as often as ``scheduler_interval`` says."""
        chosen: Any = super().configure_optimizers()
        if self.scheduler is not None:
            chosen["lr_scheduler"]["interval"] = self.scheduler_interval
        return chosen

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of a training batch."""
        return self._record("train", self.train_metrics, batch)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Record the loss and metrics of a validation batch."""
        self._record("val", self.val_metrics, batch)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Record the loss and metrics of a test batch."""
        self._record("test", self.test_metrics, batch)

    def predict_step(self, batch: Batch, batch_idx: int) -> SegmentationPrediction:
        """Return the class of every pixel, and each class's share of the image."""
        x, target = batch
        predicted = at_size_of(target, self(x)).argmax(dim=1)
        counts = torch.stack([image.flatten().bincount(minlength=self.num_classes) for image in predicted])
        return {"predicted": predicted.to(torch.uint8), "share": counts / predicted[0].numel()}

    def _record(self, stage: str, metrics: MetricCollection, batch: Batch) -> Tensor:
        x, target = batch
        scores = at_size_of(target, self(x))
        loss = masked_cross_entropy(scores, target)
        metrics.update(scores.argmax(dim=1), target)
        size = len(target)
        self.log(f"{stage}/loss", loss, on_step=False, on_epoch=True, batch_size=size, prog_bar=stage == "val")
        self.log_dict(metrics, on_step=False, on_epoch=True, batch_size=size)
        return loss


def masked_cross_entropy(scores: Tensor, target: Tensor) -> Tensor:
    """Return the mean cross entropy of the pixels that are not void; 0 if all are.

    Shape:
        scores ``(B, num_classes, *size)``, target ``(B, *size)``.
    """
    total = F.cross_entropy(scores, target, ignore_index=VOID, reduction="sum")
    return total / (target != VOID).sum().clamp(min=1)


def at_size_of(target: Tensor, scores: Tensor) -> Tensor:
    """Return scores ``(B, K, h, w)`` at the size of a target ``(B, H, W)``, interpolated bilinearly if it differs.

    They become float32 at least: sums and ranks over many pixels need it.
    """
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
    if scores.shape[2:] == target.shape[1:]:
        return scores
    return F.interpolate(scores, size=target.shape[1:], mode="bilinear", align_corners=False)
