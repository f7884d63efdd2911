"""Segmentation of vessels: which pixels of a photograph of the retina are inside one."""

from typing import TypedDict

import torch
from pytorch_lightning.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import AdamW
from torchmetrics import MetricCollection

from lightning_modules.base import BaseTask
from lightning_modules.segmentation import Batch, at_size_of
from lightning_modules.segmentation_metrics import VOID, vessel_metrics

_FLIPS = ((), (2,), (3,), (2, 3))  # axes: none, upside down, left to right, both


class VesselPrediction(TypedDict):
    """What prediction returns for a batch."""

    predicted: Tensor  # (B, H, W) uint8: 1 where the probability is over one half
    probability: Tensor  # (B, H, W) float32
    share: Tensor  # (B,) float32: part of the image that is predicted to be vessels


class VesselSegmentationTask(BaseTask):
    """Trains a network to find vessels, with the binary cross entropy of the pixels inside the field of view.

    Logs per epoch, under ``train/``, ``val/`` and ``test/``: ``loss``; and for validation and test, each taken per
    image inside the field of view and averaged over images: ``sensitivity`` (part of the vessels' pixels that is
    found), ``accuracy`` and ``AUC`` (area under the ROC curve). An image on which one of them is undefined, such as
    the sensitivity of an image without vessels, does not count in it.

    Args:
        network: maps ``(B, C, H, W)`` to one score per pixel, ``(B, 1, h, w)``, before any sigmoid; scores of another
            size than the target's are interpolated to it.
        optimizer: builder of the optimiser from the parameters.
        scheduler: builder of the learning rate schedule from the optimiser, stepped once per epoch.
        monitor: logged value that a ``ReduceLROnPlateau`` schedule watches; the paper's recipe watches ``train/loss``.
        test_flips: in test and prediction, average the probabilities of an image and its three mirror images.

    Shape:
        A batch is ``(x, target)``: x ``(B, C, H, W)``, target ``(B, H, W)`` int64: 1 in vessels, 0 elsewhere, 255
        outside the field of view.
    """

    def __init__(
        self,
        network: nn.Module,
        optimizer: OptimizerCallable = AdamW,
        scheduler: LRSchedulerCallable | None = None,
        monitor: str = "val/loss",
        test_flips: bool = False,
    ) -> None:
        super().__init__(network, optimizer, scheduler, monitor)
        self.save_plain_hyperparameters()
        self.test_flips = test_flips
        metrics = vessel_metrics()
        self.val_metrics = metrics.clone(prefix="val/")
        self.test_metrics = metrics.clone(prefix="test/")

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of a training batch."""
        x, target = batch
        loss = masked_binary_cross_entropy(self._scores(x, target), target)
        self._log_loss("train", loss, len(target))
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Record the loss and metrics of a validation batch."""
        x, target = batch
        scores = self._scores(x, target)
        self._record("val", self.val_metrics, scores, scores.sigmoid(), target)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Record the loss and metrics of a test batch."""
        x, target = batch
        probability = self._probability(x, target)
        self._record("test", self.test_metrics, probability.logit(eps=1e-6), probability, target)

    def predict_step(self, batch: Batch, batch_idx: int) -> VesselPrediction:
        """Return the probability of every pixel to be in a vessel, and which are over one half."""
        probability = self._probability(*batch)
        predicted = probability > 0.5
        share = predicted.float().mean(dim=(1, 2))
        return {"predicted": predicted.to(torch.uint8), "probability": probability, "share": share}

    def _scores(self, x: Tensor, target: Tensor) -> Tensor:
        return at_size_of(target, self(x))[:, 0]

    def _probability(self, x: Tensor, target: Tensor) -> Tensor:
        flips = _FLIPS if self.test_flips else _FLIPS[:1]
        views = [self(x.flip(axes)).flip(axes) for axes in flips]
        return torch.stack([at_size_of(target, view)[:, 0].sigmoid() for view in views]).mean(dim=0)

    def _record(
        self, stage: str, metrics: MetricCollection, scores: Tensor, probability: Tensor, target: Tensor
    ) -> None:
        metrics.update(probability, target)
        self._log_loss(stage, masked_binary_cross_entropy(scores, target), len(target))
        self.log_dict(metrics, on_step=False, on_epoch=True, batch_size=len(target))

    def _log_loss(self, stage: str, loss: Tensor, size: int) -> None:
        self.log(f"{stage}/loss", loss, on_step=False, on_epoch=True, batch_size=size, prog_bar=stage == "val")


def masked_binary_cross_entropy(scores: Tensor, target: Tensor) -> Tensor:
    """Return the mean binary cross entropy of the pixels that are not void; 0 if all are.

    Shape:
        scores ``(B, H, W)`` before the sigmoid, target ``(B, H, W)``.
    """
    inside = target != VOID
    total = F.binary_cross_entropy_with_logits(
        scores, (target == 1).to(scores.dtype), inside.to(scores.dtype), reduction="sum"
    )
    return total / inside.sum().clamp(min=1)
