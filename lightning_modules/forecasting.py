"""Forecasting: at every time of a series, the value some steps later."""

from typing import TypedDict

from pytorch_lightning.cli import LRSchedulerCallable, OptimizerCallable
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import AdamW
from torchmetrics import MeanAbsoluteError, MeanSquaredError, Metric, MetricCollection

from lightning_modules.base import BaseTask

Batch = tuple[Tensor, Tensor]


class Forecast(TypedDict):
    """What prediction returns for a batch."""

    target: Tensor  # (B, C): the value that came after the whole window
    predicted: Tensor  # (B, C) float32: its forecast
    rmse: Tensor  # (B,) float32: root mean square error over the window's judged times


class ForecastingTask(BaseTask):
    """Trains a causal network to forecast a series at every time of a window, with the mean square error.

    Logs per epoch, under ``train/``, ``val/`` and ``test/``: ``loss``; and for validation and test ``rmse``, ``mae``
    (root mean square and mean absolute error) and ``naive_rmse``, the error of the forecast that everything stays as
    it is: a network is worth something as far as its ``rmse`` is below that.

    Whether the network is causal is the network's business: :class:`~lpsc_nd.models.CausalNet` makes sure.

    Args:
        network: maps ``(B, C, L)`` to forecasts ``(B, C, L)``; that of a time depends on the input up to that time.
        context: first times of a window that do not count, as little of the past is known there.
        optimizer: builder of the optimiser from the parameters.
        scheduler: builder of the learning rate schedule from the optimiser, stepped once per epoch.
        monitor: logged value that a ``ReduceLROnPlateau`` schedule watches.

    Shape:
        A batch is ``(x, target)``, both ``(B, C, L)``: the target at a time is what the forecast should be.

    Raises:
        ValueError: ``context`` is negative; in a step, it leaves nothing of a window, or the network's output is not of
            the target's shape.
    """

    def __init__(
        self,
        network: nn.Module,
        context: int = 0,
        optimizer: OptimizerCallable = AdamW,
        scheduler: LRSchedulerCallable | None = None,
        monitor: str = "val/loss",
    ) -> None:
        super().__init__(network, optimizer, scheduler, monitor)
        if context < 0:
            raise ValueError(f"context must be at least 0, got {context}")
        self.save_plain_hyperparameters()
        self.context = context
        metrics = _metrics()
        self.val_metrics = metrics.clone(prefix="val/")
        self.test_metrics = metrics.clone(prefix="test/")
        self.val_naive = MeanSquaredError(squared=False)
        self.test_naive = MeanSquaredError(squared=False)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of a training batch."""
        forecast, target, _ = self._judged(batch)
        return self._log_loss("train", forecast, target)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Record the loss and errors of a validation batch."""
        self._evaluate("val", self.val_metrics, self.val_naive, batch)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Record the loss and errors of a test batch."""
        self._evaluate("test", self.test_metrics, self.test_naive, batch)

    def predict_step(self, batch: Batch, batch_idx: int) -> Forecast:
        """Return the forecast from each whole window, what came, and the error over the window."""
        forecast, target, _ = self._judged(batch)
        error = (forecast - target).square().mean(dim=(1, 2)).sqrt()
        return {"target": target[..., -1], "predicted": forecast[..., -1], "rmse": error}

    def _judged(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Return forecast, target and input at the times that count."""
        x, target = batch
        if self.context >= x.shape[-1]:
            raise ValueError(f"context must be less than the window's length {x.shape[-1]}, got {self.context}")
        forecast = self(x)
        if forecast.shape != target.shape:
            raise ValueError(
                f"the network must give forecasts of the target's shape {list(target.shape)}, got"
                f" {list(forecast.shape)}"
            )
        start = self.context
        return forecast[..., start:], target[..., start:], x[..., start:]

    def _evaluate(self, stage: str, metrics: MetricCollection, naive: Metric, batch: Batch) -> None:
        forecast, target, present = self._judged(batch)
        self._log_loss(stage, forecast, target)
        metrics.update(_flat(forecast), _flat(target))
        naive.update(_flat(present), _flat(target))
        self.log_dict(metrics, on_step=False, on_epoch=True, batch_size=len(target))
        self.log(f"{stage}/naive_rmse", naive, on_step=False, on_epoch=True, batch_size=len(target))

    def _log_loss(self, stage: str, forecast: Tensor, target: Tensor) -> Tensor:
        loss = F.mse_loss(forecast, target)
        size = len(target)
        self.log(f"{stage}/loss", loss, on_step=False, on_epoch=True, batch_size=size, prog_bar=stage == "val")
        return loss


def _metrics() -> MetricCollection:
    metrics: dict[str, Metric | MetricCollection] = {
        "rmse": MeanSquaredError(squared=False),
        "mae": MeanAbsoluteError(),
    }
    return MetricCollection(metrics, compute_groups=False)


def _flat(values: Tensor) -> Tensor:
    return values.detach().flatten()
