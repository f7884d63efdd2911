"""A generated chaotic series to forecast (Mackey and Glass, 1977)."""

from typing import Any

import numpy as np

from datamodules.sequences.forecasting import ForecastDataModule
from datamodules.sequences.series import FloatArray
from lpsc_nd._checks import integer, number

_MACKEY_GLASS_STREAM = 10  # keeps these random numbers apart from others of the same seed
_SUBSTEPS = 10  # of the integration, per value
_SETTLING = 500  # values left out, in which the series forgets where it started


class MackeyGlassDataModule(ForecastDataModule):
    r"""The Mackey-Glass series: ``dx/dt = 0.2 x(t - delay) / (1 + x(t - delay)^10) - 0.1 x(t)``, a value per unit time.

    What comes next depends on the present and on the value ``delay`` steps ago; with a delay of 17 or more the series
    is chaotic, so that forecasts far ahead are impossible and near ones are not.

    Args:
        num_values: length of the series.
        delay: of the equation.
        noise: standard deviation of what is added to every value, in deviations of the series.
        seed: of where the series starts and of the noise; it does not depend on the training's seed.
        **windows: arguments of :class:`~datamodules.sequences.forecasting.ForecastDataModule`.

    Shape:
        A batch is ``(x, target)``, both ``(B, 1, length)`` float32.

    Raises:
        TypeError, ValueError: an argument is of a wrong type or out of range.
    """

    def __init__(
        self, num_values: int = 6000, delay: int = 17, noise: float = 0.0, seed: int = 0, **windows: Any
    ) -> None:
        super().__init__(**windows)
        self.num_values = integer("num_values", num_values, minimum=2)
        self.delay = integer("delay", delay, minimum=1)
        self.noise = number("noise", noise, minimum=0)
        self.seed = integer("seed", seed, minimum=0)

    def load_series(self) -> FloatArray:
        """Integrate the equation."""
        of_start, of_noise = np.random.default_rng((_MACKEY_GLASS_STREAM, self.seed)).spawn(2)
        series = integrate(of_start.uniform(0.5, 1.5), self.delay, _SETTLING + self.num_values)[_SETTLING:]
        noise = self.noise * series.std() * of_noise.normal(size=series.shape)
        return (series + noise)[None]


def integrate(start: float, delay: int, num_values: int) -> FloatArray:
    """Return the solution at times 1, 2, ..., from a constant past, by Runge-Kutta steps of the fourth order.

    Args:
        start: value up to time 0.
        delay: of the equation.
        num_values: how many.
    """
    lag, step = delay * _SUBSTEPS, 1 / _SUBSTEPS
    values = [start] * (lag + 1)
    for now in range(lag, lag + num_values * _SUBSTEPS):
        x = values[now]
        before, after = _growth(values[now - lag]), _growth(values[now - lag + 1])
        between = _growth((values[now - lag] + values[now - lag + 1]) / 2)
        first = before - 0.1 * x
        second = between - 0.1 * (x + step / 2 * first)
        third = between - 0.1 * (x + step / 2 * second)
        fourth = after - 0.1 * (x + step * third)
        values.append(x + step / 6 * (first + 2 * second + 2 * third + fourth))
    return np.array(values[lag + _SUBSTEPS :: _SUBSTEPS])


def _growth(past: float) -> float:
    return 0.2 * past / (1 + past**10)
