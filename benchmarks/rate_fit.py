"""The rates with which the cost model comes closest to measured times."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from benchmarks.rate_samples import RateSample
from lpsc_nd.pooling.rates import Rates

COUNTS = ("widest_fast", "full_wide_channels", "widest_own", "largest_own", "product_overhead", "vector")
UNSEEN = ("joined", "weighted", "slack", "slack_whole", "elementwise")
FIXED = frozenset(COUNTS + UNSEEN)
"""Counts, and what no sample tells: they stay as they are."""

OFF = 0.25
"""Difference of logarithms from which a sample weighs less and less, as one that the model does not understand."""

HOLD = 0.1
"""How strongly a rate keeps to where it began, in samples: what no sample needs does not move."""


PassKey = tuple[str, int, str]
"""Case, threads and pass."""


def fit(samples: Sequence[RateSample], start: Rates) -> Rates:
    """Return rates that minimise the differences of the logarithms of predicted and measured times.

    A way weighs the less the slower it is beside the fastest one of its pass. The loss is a soft absolute value: a few
    samples that are far off, as memory that is fresh can make them, do not bend the rest.

    Raises:
        ValueError: no samples.
    """
    if not samples:
        raise ValueError("there are no samples to fit rates to")
    names = [field.name for field in fields(Rates) if field.name not in FIXED]
    measured = np.log([sample.seconds for sample in samples])
    least = {key: min(sample.seconds for sample in ways) for key, ways in by_pass(samples).items()}
    weights = np.array([least[_pass_of(sample)] / sample.seconds for sample in samples])
    begin = np.log([getattr(start, name) for name in names])

    def residuals(logarithms: NDArray[np.float64]) -> NDArray[np.float64]:
        rates = _with(start, dict(zip(names, np.exp(logarithms).tolist(), strict=True)))
        predicted = np.log([sample.predict(rates) for sample in samples])
        return np.concatenate([weights * (predicted - measured), HOLD * (logarithms - begin)])

    found = least_squares(residuals, begin, loss="soft_l1", f_scale=OFF)
    return _with(start, {name: float(f"{rate:.2g}") for name, rate in zip(names, np.exp(found.x), strict=True)})


def _with(rates: Rates, changed: dict[str, Any]) -> Rates:
    return replace(rates, **changed)


def errors(samples: Sequence[RateSample], rates: Rates) -> list[float]:
    """Return, for each sample, by which factor the prediction is off, 1 or more."""
    return [math.exp(abs(math.log(sample.predict(rates) / sample.seconds))) for sample in samples]


def by_pass(samples: Sequence[RateSample]) -> dict[PassKey, list[RateSample]]:
    """Return the ways of each pass."""
    passes: dict[PassKey, list[RateSample]] = {}
    for sample in samples:
        passes.setdefault(_pass_of(sample), []).append(sample)
    return passes


def losses(samples: Sequence[RateSample], rates: Rates) -> dict[PassKey, tuple[str, str, float]]:
    """Return for each pass the way that is chosen, the fastest one, and how many times as long the former takes."""
    found = {}
    for key, ways in by_pass(samples).items():
        chosen = min(ways, key=lambda sample: sample.predict(rates))
        best = min(ways, key=lambda sample: sample.seconds)
        found[key] = chosen.way, best.way, chosen.seconds / best.seconds
    return found


def moved(start: Rates, fitted: Rates) -> Mapping[str, tuple[float, float]]:
    """Return the rates that differ, before and after, by name."""
    before, after = asdict(start), asdict(fitted)
    return {name: (before[name], after[name]) for name in before if before[name] != after[name]}


def summary(samples: Sequence[RateSample], rates: Rates) -> str:
    """Say how far predictions are off, and what choosing by them loses."""
    off, lost = errors(samples, rates), [loss for *_, loss in losses(samples, rates).values()]
    return (
        f"predictions off by a factor of {median(off):.2f} in the middle, {np.quantile(off, 0.9):.2f} for one in ten; "
        f"choices take {np.mean(lost):.3f} of the fastest way's time on average, {max(lost):.2f} at the worst"
    )


def _pass_of(sample: RateSample) -> PassKey:
    return sample.case, sample.threads, sample.part
