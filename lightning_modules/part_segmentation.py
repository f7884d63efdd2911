"""Part segmentation of point clouds: the part of every point, the category of the cloud being known."""

from collections.abc import Sequence
from typing import Any, TypedDict

import torch
from pytorch_lightning.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import AdamW
from torchmetrics import MetricCollection

from lightning_modules.base import BaseTask
from lightning_modules.part_metrics import check_class_parts, cloud_ious, part_metrics, part_table
from lightning_modules.point_batches import CloudBatch, cloud_batch


class PartPrediction(TypedDict):
    """What prediction returns for a batch."""

    target: Tensor  # (B,) int64: the category
    points: Tensor  # (B,) int64: points of the cloud
    accuracy: Tensor  # (B,) float32: share of them that is right
    iou: Tensor  # (B,) float32: mean over the category's parts
    share: Tensor  # (B, num_parts) float32: each part's share of the points, as predicted


class PartSegmentationTask(BaseTask):
    """Trains a network to tell the part of every point, with the cross entropy over all parts.

    The category of each cloud is given: the network may see it, and what is scored is the best of the category's own
    parts, as is customary. Logs per epoch, under ``train/``, ``val/`` and ``test/``: ``loss``, ``accuracy`` (part of
    all points that is right), ``instance_mIoU`` and ``class_mIoU`` (see :mod:`lightning_modules.part_metrics`).

    Args:
        network: maps features, pyramid and, if ``give_category``, categories to scores ``(S_0, num_parts)`` at the
            points of level 0, as :class:`~lpsc_nd.models.PointSegmenter` does.
        class_parts: for each category the labels of its parts; ``num_parts`` is one more than the largest.
        optimizer: builder of the optimiser from the parameters.
        scheduler: builder of the learning rate schedule from the optimiser, stepped once per epoch.
        give_category: whether the network gets the categories.
        monitor: logged value that a ``ReduceLROnPlateau`` schedule watches.

    Shape:
        A batch has a pyramid, labels ``(B,)``, which are the categories, parts ``(n,)`` of the points that the pyramid
        was made from, and features ``(S_0, f)`` or None.

    Raises:
        TypeError, ValueError: ``class_parts`` has no category, or one without parts or with a label twice.
    """

    own_parts: Tensor

    def __init__(
        self,
        network: nn.Module,
        class_parts: Sequence[Sequence[int]],
        optimizer: OptimizerCallable = AdamW,
        scheduler: LRSchedulerCallable | None = None,
        give_category: bool = True,
        monitor: str = "val/loss",
    ) -> None:
        super().__init__(network, optimizer, scheduler, monitor)
        self.class_parts = check_class_parts(class_parts)
        self.save_plain_hyperparameters()
        self.give_category = give_category
        self.register_buffer("own_parts", part_table(self.class_parts), persistent=False)
        metrics = part_metrics(self.class_parts)
        self.train_metrics = metrics.clone(prefix="train/")
        self.val_metrics = metrics.clone(prefix="val/")
        self.test_metrics = metrics.clone(prefix="test/")

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Return the loss of a training batch."""
        return self._record("train", self.train_metrics, cloud_batch(batch))

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """Record the loss and scores of a validation batch."""
        self._record("val", self.val_metrics, cloud_batch(batch))

    def test_step(self, batch: Any, batch_idx: int) -> None:
        """Record the loss and scores of a test batch."""
        self._record("test", self.test_metrics, cloud_batch(batch))

    def predict_step(self, batch: Any, batch_idx: int) -> PartPrediction:
        """Return, for each cloud, how well its parts were found and what share each was given."""
        clouds = cloud_batch(batch)
        predicted, parts, owners = self.predicted_parts(clouds), true_parts(clouds), owners_of_points(clouds)
        count, num_parts = self.own_parts[clouds.labels].shape
        points = torch.bincount(owners, minlength=count)
        right = torch.bincount(owners[predicted == parts], minlength=count)
        given = torch.bincount(owners * num_parts + predicted, minlength=count * num_parts).view(count, num_parts)
        some = points.clamp(min=1)
        return {
            "target": clouds.labels,
            "points": points,
            "accuracy": right / some,
            "iou": cloud_ious(predicted, parts, owners, clouds.labels, self.class_parts),
            "share": given / some[:, None],
        }

    def predicted_parts(self, batch: Any) -> Tensor:
        """Return the part of every point, ``(n,)``: the best of its category's."""
        clouds = cloud_batch(batch)
        return self._best(self._scores(clouds), clouds)

    def _scores(self, clouds: CloudBatch) -> Tensor:
        """Return the scores of all parts at the points that the pyramid was made from, ``(n, num_parts)``."""
        categories = (clouds.labels,) if self.give_category else ()
        scores: Tensor = self.network(clouds.features, clouds.pyramid, *categories)
        return clouds.pyramid.spread(scores)

    def _best(self, scores: Tensor, clouds: CloudBatch) -> Tensor:
        own = self.own_parts[clouds.labels].index_select(0, owners_of_points(clouds))
        return scores.masked_fill(~own, -torch.inf).argmax(dim=1)

    def _record(self, stage: str, metrics: MetricCollection, clouds: CloudBatch) -> Tensor:
        scores, parts = self._scores(clouds), true_parts(clouds)
        loss = F.cross_entropy(scores, parts)
        metrics.update(self._best(scores.detach(), clouds), parts, owners_of_points(clouds), clouds.labels)
        size = len(clouds.labels)
        self.log(f"{stage}/loss", loss, on_step=False, on_epoch=True, batch_size=size, prog_bar=stage == "val")
        self.log_dict(metrics, on_step=False, on_epoch=True, batch_size=size)
        return loss


def owners_of_points(clouds: CloudBatch) -> Tensor:
    """Return the cloud of every point that the pyramid was made from, ``(n,)``."""
    return clouds.pyramid.batches[0].index_select(0, clouds.pyramid.cluster)


def true_parts(clouds: CloudBatch) -> Tensor:
    """Return the part labels of the batch.

    Raises:
        ValueError: it has none.
    """
    if clouds.parts is None:
        raise ValueError("batch must have part labels, got none; the data set has to give parts to every point")
    return clouds.parts
