"""From what runs logged to the values that a table averages."""

from collections.abc import Callable, Mapping, Sequence
from statistics import mean, stdev
from types import MappingProxyType
from typing import NamedTuple

from lightning_modules.compare.records import Result

Reduction = Callable[[str, Sequence[float]], list[float]]


def _best(metric: str, values: Sequence[float]) -> list[float]:
    return [min(values) if is_loss(metric) else max(values)]


def _last(metric: str, values: Sequence[float]) -> list[float]:
    return [values[-1]]


def _last_ten(metric: str, values: Sequence[float]) -> list[float]:
    return list(values[-10:])


REDUCTIONS: Mapping[str, Reduction] = MappingProxyType({"best": _best, "last": _last, "last10": _last_ten})


class MetricError(ValueError):
    """A metric that runs have not logged."""


class Summary(NamedTuple):
    """Mean and sample standard deviation of ``number`` values; None for what too few values do not have."""

    mean: float | None
    std: float | None
    number: int


def is_loss(metric: str) -> bool:
    """Whether less is better: the metric's name ends in ``loss``."""
    return metric.endswith("loss")


def samples(metric: str, results: Sequence[Result], reduce: str) -> list[float]:
    """Return the values of a metric: of the test once for each run, of the epochs as ``reduce`` says.

    Raises:
        MetricError: a run has not logged the metric; the message lists what it has.
    """
    return [value for result in results for value in _values(metric, result, reduce)]


def summarize(values: Sequence[float]) -> Summary:
    """Return mean and sample standard deviation.

    >>> summarize([1.0, 2.0, 3.0])
    Summary(mean=2.0, std=1.0, number=3)
    """
    return Summary(
        mean=mean(values) if values else None,
        std=stdev(values) if len(values) > 1 else None,
        number=len(values),
    )


def _values(metric: str, result: Result, reduce: str) -> list[float]:
    if metric in result.scores:
        return [result.scores[metric]]
    values = [epoch[metric] for epoch in result.epochs if metric in epoch]
    if not values:
        names = sorted({*result.scores, *(name for epoch in result.epochs for name in epoch if name != "epoch")})
        raise MetricError(f"metrics must be logged by every run: {result.name} has {names}, got {metric!r}")
    return REDUCTIONS[reduce](metric, values)
