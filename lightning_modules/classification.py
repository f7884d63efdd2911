"""Classification: one class out of several per sample."""

from typing import Any, TypedDict

from pytorch_lightning.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import AdamW
from torchmetrics import Metric, MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score

from lightning_modules.base import BaseTask
from lightning_modules.classification_metrics import OneVersusRestAUC
from lightning_modules.volumes.spacing import check_layer_spacing


class ClassPrediction(TypedDict):
    """What prediction returns for a batch."""

    target: Tensor  # (B,) int64
    predicted: Tensor  # (B,) int64
    probability: Tensor  # (B, num_classes) float32, each row sums to 1


class ClassificationTask(BaseTask):
    """Trains a network to tell classes apart, with the cross entropy loss.

    Logs per epoch, under ``train/``, ``val/`` and ``test/``: ``loss``, ``accuracy`` (part of all samples that is
    right), ``mean_accuracy`` (mean over the classes of the part of each that is right), ``f1`` (mean over the classes)
    and, with more than five classes, ``top5_accuracy`` (part of all samples whose class is among the five best scores);
    with ``auc`` also ``val/AUC`` and ``test/AUC`` (area under the ROC curve of each class against all others, mean over
    the classes, as MedMNIST has it).

    Args:
        network: maps ``(B, C, *size)`` to scores ``(B, num_classes)``.
        num_classes: number of classes, at least 2.
        optimizer: builder of the optimiser from the parameters.
        scheduler: builder of the learning rate schedule from the optimiser, stepped once per epoch.
        label_smoothing: part of the target's mass spread over all classes in the training loss, from 0 to 1.
        monitor: logged value that a ``ReduceLROnPlateau`` schedule watches.
        auc: log the area under the ROC curve in validation and test; all probabilities are kept until the end.

    Shape:
        A batch is ``(x, target)``: x ``(B, C, *size)``, target ``(B,)`` int64.

    Raises:
        ValueError: ``num_classes`` or ``label_smoothing`` is out of range; when a run starts, log-polar layers whose
            spacing is not that of the data.
    """

    def __init__(
        self,
        network: nn.Module,
        num_classes: int,
        optimizer: OptimizerCallable = AdamW,
        scheduler: LRSchedulerCallable | None = None,
        label_smoothing: float = 0.0,
        monitor: str = "val/loss",
        auc: bool = False,
    ) -> None:
        super().__init__(network, optimizer, scheduler, monitor)
        if num_classes < 2:
            raise ValueError(f"num_classes must be at least 2, got {num_classes}")
        if not 0 <= label_smoothing <= 1:
            raise ValueError(f"label_smoothing must be from 0 to 1, got {label_smoothing}")
        self.save_plain_hyperparameters()
        self.label_smoothing = label_smoothing
        metrics = _metrics(num_classes)
        self.train_metrics = metrics.clone(prefix="train/")
        if auc:
            metrics.add_metrics({"AUC": OneVersusRestAUC(num_classes)})
        self.val_metrics = metrics.clone(prefix="val/")
        self.test_metrics = metrics.clone(prefix="test/")

    def setup(self, stage: str) -> None:
        """Compare the layers' spacing with the data's, where that has one."""
        spacing = getattr(getattr(self.trainer, "datamodule", None), "spacing", None)
        if spacing is not None:
            check_layer_spacing(self.network, spacing)

    def scores_and_target(self, batch: Any) -> tuple[Tensor, Tensor]:
        """Return the scores and the classes of a batch; a task with another kind of batch replaces it."""
        x, target = batch
        return self(x), target

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Return the loss of a training batch."""
        scores, target = self.scores_and_target(batch)
        loss = F.cross_entropy(scores, target, label_smoothing=self.label_smoothing)
        self._record("train", self.train_metrics, loss, scores, target)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """Record the loss and metrics of a validation batch."""
        self._evaluate("val", self.val_metrics, batch)

    def test_step(self, batch: Any, batch_idx: int) -> None:
        """Record the loss and metrics of a test batch."""
        self._evaluate("test", self.test_metrics, batch)

    def predict_step(self, batch: Any, batch_idx: int) -> ClassPrediction:
        """Return the predicted class and the probability of every class."""
        scores, target = self.scores_and_target(batch)
        probability = scores.softmax(dim=1)
        return {"target": target, "predicted": probability.argmax(dim=1), "probability": probability}

    def _evaluate(self, stage: str, metrics: MetricCollection, batch: Any) -> None:
        scores, target = self.scores_and_target(batch)
        self._record(stage, metrics, F.cross_entropy(scores, target), scores, target)

    def _record(self, stage: str, metrics: MetricCollection, loss: Tensor, scores: Tensor, target: Tensor) -> None:
        metrics.update(scores, target)
        size = len(target)
        self.log(f"{stage}/loss", loss, on_step=False, on_epoch=True, batch_size=size, prog_bar=stage == "val")
        self.log_dict(metrics, on_step=False, on_epoch=True, batch_size=size)


def _metrics(num_classes: int) -> MetricCollection:
    metrics: dict[str, Metric | MetricCollection] = {
        "accuracy": MulticlassAccuracy(num_classes, average="micro"),
        "mean_accuracy": MulticlassAccuracy(num_classes, average="macro"),
        "f1": MulticlassF1Score(num_classes, average="macro"),
    }
    if num_classes > 5:
        metrics["top5_accuracy"] = MulticlassAccuracy(num_classes, top_k=5, average="micro")
    # By default a collection merges metrics whose states happen to be equal after the first batch.
    return MetricCollection(metrics, compute_groups=False)
