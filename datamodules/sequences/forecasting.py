"""Forecasting: windows of one long series, each with the values that come some steps later."""

from abc import abstractmethod

import numpy as np
import torch
from torch.utils.data import TensorDataset

from datamodules.base import BaseDataModule, Splits
from datamodules.sequences.series import FloatArray
from lpsc_nd._checks import integer, number


class ForecastDataModule(BaseDataModule):
    """Base of the data modules for forecasting: a subclass says how to load its series.

    The series is cut in time: training first, then validation, then test; no window reaches from one part into
    another. Values are standardised with the mean and deviation of the training part, per channel. The target at
    each time of a window is the value ``horizon`` steps later.

    Args:
        length: values of a window.
        horizon: how many steps ahead is forecast.
        step: from one training window to the next.
        context: first values of a window that a task does not judge (``context`` of ``ForecastingTask``): validation
            and test windows overlap by as many, so that later values are judged once each.
        val_fraction: part of the series that goes to validation.
        test_fraction: part of the series that goes to the test.
        batch_size: windows per batch.
        num_workers: processes that load batches.

    Shape:
        A batch is ``(x, target)``, both ``(B, C, length)`` float32: ``target[..., t]`` is ``horizon`` steps after
        ``x[..., t]``.

    Raises:
        TypeError, ValueError: an argument is of a wrong type or out of range; when the data is loaded, the series is
            no ``(C, T)`` table of finite numbers, or a part is shorter than a window.
    """

    def __init__(
        self,
        length: int = 256,
        horizon: int = 1,
        step: int = 16,
        context: int = 0,
        val_fraction: float = 0.2,
        test_fraction: float = 0.2,
        batch_size: int = 32,
        num_workers: int = 0,
    ) -> None:
        super().__init__(batch_size, num_workers)
        self.length = integer("length", length, minimum=1)
        self.horizon = integer("horizon", horizon, minimum=1)
        self.step = integer("step", step, minimum=1)
        self.context = integer("context", context, minimum=0)
        if self.context >= self.length:
            raise ValueError(f"context must be less than length={length}, got {context}")
        self.val_fraction = number("val_fraction", val_fraction, above=0)
        self.test_fraction = number("test_fraction", test_fraction, above=0)
        if val_fraction + test_fraction >= 1:
            raise ValueError(
                f"val_fraction and test_fraction must leave something to train on, got {val_fraction:g} and"
                f" {test_fraction:g}"
            )

    @abstractmethod
    def load_series(self) -> FloatArray:
        """Return the series, channels by times ``(C, T)``; called once."""

    def load_splits(self) -> Splits:
        """Cut the series into three parts, standardise it, and cut windows."""
        series = _checked(self.load_series())
        count = series.shape[1]
        test = round(count * (1 - self.test_fraction))
        val = round(count * (1 - self.test_fraction - self.val_fraction))
        train = series[:, :val]
        mean, deviation = train.mean(axis=1, keepdims=True), train.std(axis=1, keepdims=True)
        if not deviation.all():
            raise ValueError("the series must vary in the training part, got a constant channel; leave it out")
        scaled = (series - mean) / deviation
        judged = self.length - self.context
        return Splits(
            self._windows("training", scaled[:, :val], self.step),
            self._windows("validation", scaled[:, val:test], judged),
            self._windows("test", scaled[:, test:], judged),
        )

    def _windows(self, part: str, series: FloatArray, step: int) -> TensorDataset:
        least = self.length + self.horizon
        if series.shape[1] < least:
            raise ValueError(
                f"the {part} part must have length + horizon = {least} values or more, got {series.shape[1]}"
            )
        windows = np.lib.stride_tricks.sliding_window_view(series, least, axis=1)[:, ::step]  # (C, n, least)
        pairs = torch.from_numpy(windows.swapaxes(0, 1).astype(np.float32))
        return TensorDataset(pairs[..., : self.length], pairs[..., self.horizon :])


def _checked(series: FloatArray) -> FloatArray:
    table = np.asarray(series, dtype=np.float64)
    if table.ndim != 2 or table.size == 0:
        raise ValueError(f"the series must have channels and times (C, T), got shape {table.shape}")
    if not np.isfinite(table).all():
        raise ValueError("the series must be finite, got NaN or infinity; fill missing values first")
    return table
