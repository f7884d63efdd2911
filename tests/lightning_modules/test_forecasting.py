"""The forecasting task: errors against numpy's, times that do not count, and no word of the future."""

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pytorch_lightning import Trainer
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from datamodules.sequences.mackey_glass import MackeyGlassDataModule
from lightning_modules.forecasting import ForecastingTask
from lpsc_nd import LPSConv1d
from lpsc_nd.models.sequences.causal_net import CausalNet


class Scaled(nn.Module):
    """Forecasts a multiple of the present."""

    def __init__(self, factor=0.5):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, x):
        return self.factor * x


@pytest.fixture
def trainer(tmp_path):
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    return Trainer(default_root_dir=tmp_path, max_epochs=1, accelerator="cpu", **quiet)


def loader(count=21, channels=2, length=10):
    generator = torch.Generator().manual_seed(0)
    x, target = torch.randn(2, count, channels, length, generator=generator)
    return DataLoader(dataset=TensorDataset(x, target), batch_size=8)


def judged(data, context):
    return (values[..., context:].double().numpy() for values in data.dataset.tensors)


@pytest.mark.parametrize("context", [0, 4, 9])
def test_errors_are_numpys_over_the_judged_times(trainer, context):
    data = loader()
    x, target = judged(data, context)
    (found,) = trainer.test(ForecastingTask(Scaled(), context), data, verbose=False)
    error = 0.5 * x - target
    assert found["test/rmse"] == pytest.approx(np.sqrt((error**2).mean()))
    assert found["test/mae"] == pytest.approx(abs(error).mean())
    assert found["test/loss"] == pytest.approx((error**2).mean())
    assert found["test/naive_rmse"] == pytest.approx(np.sqrt(((x - target) ** 2).mean()))


def test_values_before_the_context_change_nothing(trainer):
    data = loader()
    (first,) = trainer.test(ForecastingTask(Scaled(), 4), data, verbose=False)
    for values in data.dataset.tensors:
        values[..., :4] = 1e3
    (second,) = trainer.test(ForecastingTask(Scaled(), 4), data, verbose=False)
    assert second == first


def test_training_lowers_the_error(trainer):
    x = loader(64).dataset.tensors[0]
    data = DataLoader(dataset=TensorDataset(x, 2 * x), batch_size=8)
    task = ForecastingTask(Scaled(), optimizer=partial(torch.optim.SGD, lr=0.5))
    trainer.fit(task, data, data)
    assert task.network.factor.item() == pytest.approx(2, abs=1e-3)
    assert trainer.callback_metrics["val/rmse"] < 1e-3


def test_predictions_are_those_after_the_whole_window(trainer):
    data = loader()
    x, target = data.dataset.tensors
    batches = trainer.predict(ForecastingTask(Scaled(), 4), data)
    found = {name: torch.cat([batch[name] for batch in batches]) for name in batches[0]}
    torch.testing.assert_close(found["predicted"], 0.5 * x[..., -1])
    torch.testing.assert_close(found["target"], target[..., -1])
    error = (0.5 * x - target)[..., 4:]
    torch.testing.assert_close(found["rmse"], error.square().mean(dim=(1, 2)).sqrt())


@given(time=st.integers(1, 79), horizon=st.integers(1, 9), training=st.booleans(), seed=st.integers(0, 99))
def test_a_forecast_is_made_from_the_past_alone(time, horizon, training, seed):
    torch.manual_seed(seed)
    conv = partial(LPSConv1d, kernel_size=33, padding=16, num_levels=4, causal=True)
    task = ForecastingTask(CausalNet(conv, 1, 1, width=4, blocks=2)).train(training)
    data = MackeyGlassDataModule(num_values=500, length=80, horizon=horizon, seed=seed)
    x = data.splits.train.tensors[0][:2]
    other = x.clone()
    other[..., time:] = torch.randn(2, 1, 80 - time)
    torch.testing.assert_close(task(x)[..., :time], task(other)[..., :time], rtol=1e-5, atol=1e-6)
    assert not torch.allclose(task(x)[..., time], task(other)[..., time])


@pytest.mark.parametrize(
    ("network", "context", "message"),
    [
        (Scaled(), 10, "context must be less than the window's length 10, got 10"),
        (nn.Conv1d(2, 1, 1), 0, r"must give forecasts of the target's shape \[8, 2, 10\], got \[8, 1, 10\]"),
        (nn.Conv1d(2, 2, 3), 0, r"must give forecasts of the target's shape \[8, 2, 10\], got \[8, 2, 8\]"),
    ],
)
def test_what_does_not_fit_is_named(network, context, message, trainer):
    with pytest.raises(ValueError, match=message):
        trainer.test(ForecastingTask(network, context), loader(), verbose=False)


def test_a_negative_context_is_refused():
    with pytest.raises(ValueError, match="context must be at least 0, got -1"):
        ForecastingTask(Scaled(), context=-1)
