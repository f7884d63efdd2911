"""Windows to forecast: targets are later values, parts share no time, training gives the scale; Mackey-Glass."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from datamodules.sequences.forecasting import ForecastDataModule
from datamodules.sequences.mackey_glass import MackeyGlassDataModule, integrate


class Table(ForecastDataModule):
    """Forecasts a given series."""

    def __init__(self, series, **windows):
        super().__init__(**windows)
        self.series = series

    def load_series(self):
        return self.series


@given(
    count=st.integers(200, 300),
    channels=st.integers(1, 3),
    length=st.integers(1, 20),
    horizon=st.integers(1, 15),
    step=st.integers(1, 30),
    data=st.data(),
)
def test_windows(count, channels, length, horizon, step, data):
    context = data.draw(st.integers(0, length - 1))
    times = np.arange(count, dtype=np.float64)
    series = np.stack([(10 + channel) * times - channel for channel in range(channels)])
    options = {"length": length, "horizon": horizon, "step": step, "context": context}
    splits = Table(series, **options).splits
    edges = [0, round(0.6 * count), round(0.8 * count), count]
    train = series[:, : edges[1]]
    seen = []
    for place, part in enumerate((splits.train, splits.val, splits.test)):
        x, target = part.tensors
        assert x.shape == target.shape == (len(part), channels, length)
        assert x.dtype == target.dtype == torch.float32
        deviation, mean = train.std(axis=1)[:, None], train.mean(axis=1)[:, None]
        now, later = ((np.asarray(y, np.float64) * deviation + mean) for y in (x, target))
        offsets = np.arange(channels)[:, None]
        now, later = (np.round((y + offsets) / (10 + offsets)).astype(int) for y in (now, later))
        assert (later - now == horizon).all()
        assert (np.diff(now, axis=2) == 1).all()
        assert (now[:, :1] == now).all()  # all channels are at the same time
        assert now.min() == edges[place]
        assert later.max() < edges[place + 1]
        starts = now[:, 0, 0]
        assert (np.diff(starts) == (step if place == 0 else length - context)).all()
        assert edges[place + 1] - later.max() <= (step if place == 0 else length - context)  # no window is left out
        judged = later[:, 0, context:].flatten()
        assert place == 0 or len(set(judged)) == len(judged)  # in evaluation each value is judged once
        seen.append({*now.flatten(), *later.flatten()})
    assert not seen[0] & seen[1]
    assert not seen[1] & seen[2]


@pytest.mark.parametrize(
    ("series", "message"),
    [
        (np.zeros(100), r"the series must have channels and times \(C, T\), got shape \(100,\)"),
        (np.zeros((1, 0)), r"the series must have .* got shape \(1, 0\)"),
        (np.full((1, 900), np.nan), "the series must be finite, got NaN or infinity"),
        (np.ones((1, 900)), "the series must vary in the training part, got a constant channel"),
        (np.arange(30.0)[None], r"the training part must have length \+ horizon = 33 values or more, got 18"),
        (np.arange(100.0)[None], r"the validation part must have length \+ horizon = 33 values or more, got 20"),
    ],
)
def test_a_series_that_does_not_fit_is_named(series, message):
    with pytest.raises(ValueError, match=message):
        Table(series, length=32).setup("fit")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"length": 0}, ValueError, "length must be at least 1, got 0"),
        ({"horizon": 0}, ValueError, "horizon must be at least 1, got 0"),
        ({"step": 1.0}, TypeError, "step must be an integer, got 1.0"),
        ({"context": -1}, ValueError, "context must be at least 0, got -1"),
        ({"context": 256}, ValueError, "context must be less than length=256, got 256"),
        ({"val_fraction": 0}, ValueError, "val_fraction must be greater than 0, got 0"),
        ({"test_fraction": float("nan")}, ValueError, "test_fraction must be finite"),
        ({"val_fraction": 0.5, "test_fraction": 0.5}, ValueError, "must leave something to train on, got 0.5 and 0.5"),
        ({"num_values": 1}, ValueError, "num_values must be at least 2, got 1"),
        ({"delay": 0}, ValueError, "delay must be at least 1, got 0"),
        ({"noise": -0.1}, ValueError, "noise must be at least 0, got -0.1"),
        ({"seed": -1}, ValueError, "seed must be at least 0, got -1"),
    ],
)
def test_bad_arguments_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        MackeyGlassDataModule(**arguments)


@given(start=st.floats(0.3, 1.6), delay=st.integers(1, 20))
def test_the_solution_is_scipys_as_long_as_the_past_is_constant(start, delay):
    past = 0.2 * start / (1 + start**10)
    solution = solve_ivp(lambda _, x: past - 0.1 * x, (0, delay), [start], t_eval=range(1, delay + 1), rtol=1e-10)
    np.testing.assert_allclose(integrate(start, delay, delay), solution.y[0], rtol=1e-6)


def test_the_equation_holds_later_on():
    values = integrate(1.2, 17, 400)
    now = np.arange(40, 390)
    slopes = (values[now - 2] - 8 * values[now - 1] + 8 * values[now + 1] - values[now + 2]) / 12
    past = values[now - 17]
    np.testing.assert_allclose(slopes, 0.2 * past / (1 + past**10) - 0.1 * values[now], atol=2e-3)
    assert values[100:].std() > 0.15  # and it does not settle


def test_the_series_follows_from_the_seed_alone():
    torch.manual_seed(3)
    first = MackeyGlassDataModule(num_values=500, noise=0.1).load_series()
    torch.manual_seed(4)
    assert np.array_equal(first, MackeyGlassDataModule(num_values=500, noise=0.1).load_series())
    assert not np.array_equal(first, MackeyGlassDataModule(num_values=500, noise=0.1, seed=1).load_series())
    clean = MackeyGlassDataModule(num_values=500).load_series()
    assert (first - clean).std() == pytest.approx(0.1 * clean.std(), rel=0.1)
