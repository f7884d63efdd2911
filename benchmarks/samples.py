"""Times of contenders that took turns, and what is read from them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median, quantiles
from time import perf_counter

Clock = Callable[[], float]

SOON_WARM = 0.05
"""Calls of fewer seconds feel what ran before them: by half a millisecond, where code and constants left the caches."""


@dataclass(frozen=True)
class Samples:
    """Times of one pass of one case.

    Args:
        seconds: for each contender, named "operator, layout", its time in each repetition.
        left_out: contenders that did not take part because a first trial found them far slower in this memory format
            than in the other: the time of the trial, or None where it was stopped.
    """

    seconds: Mapping[str, Sequence[float]]
    left_out: Mapping[str, float | None] = field(default_factory=dict)

    @property
    def repetitions(self) -> int:
        """How often everything was timed."""
        return min(map(len, self.seconds.values()))

    def median(self, name: str) -> float:
        """Return the median time of a contender in seconds."""
        return median(self.seconds[name])

    def best(self, operator: str) -> str | None:
        """Return the contender of this operator whose layout has the least median time, or None if there is none."""
        names = [name for name in self.seconds if name.rpartition(", ")[0] == operator]
        return min(names, key=self.median, default=None)

    def ratio(self, numerator: str, denominator: str) -> float | None:
        """Return the median, over repetitions, of the ratio of two operators' times, each in its best layout."""
        first, second = self.best(numerator), self.best(denominator)
        return None if first is None or second is None else self.median_ratio(first, second)

    def median_ratio(self, numerator: str, denominator: str) -> float:
        """Return the median, over repetitions, of the ratio of two contenders' times."""
        return median(self.pairs(numerator, denominator))

    def pairs(self, numerator: str, denominator: str) -> list[float]:
        """Return the ratio of two contenders' times in each repetition."""
        return [a / b for a, b in zip(self.seconds[numerator], self.seconds[denominator], strict=True)]

    def quartiles(self, numerator: str, denominator: str) -> tuple[float, float]:
        """Return the lower and the upper quartile of the ratio of two contenders' times."""
        ratios = self.pairs(numerator, denominator)
        if len(ratios) < 2:
            return ratios[0], ratios[0]
        low, _, high = quantiles(ratios, n=4, method="inclusive")
        return low, high


def interleave(
    calls: Mapping[str, Callable[[], object]],
    calls_per_sample: Mapping[str, int],
    *,
    seconds: float,
    at_least: int = 5,
    warmed_below: float = SOON_WARM,
    clock: Clock = perf_counter,
) -> dict[str, list[float]]:
    """Time everything in turns: a repetition has every contender once, in an order of :func:`balanced_orders`.

    What took less than ``warmed_below`` the last time is called once more, untimed, before its turn begins.

    Args:
        calls: what to time.
        calls_per_sample: how many calls in a row make one sample, where a single one would be too short to time.
        seconds: no repetition starts after this time.
        at_least: repetitions that are made in any case.
        warmed_below: seconds of a call that feels what ran before it.
        clock: the time in seconds.

    Returns:
        Seconds per call, for each contender one in each repetition.
    """
    names = list(calls)
    times: dict[str, list[float]] = {name: [] for name in names}
    begin = clock()
    for repetitions, order in enumerate(itertools.cycle(balanced_orders(len(names))), start=1):
        for name in (names[place] for place in order):
            if times[name] and times[name][-1] < warmed_below:
                calls[name]()
            times[name].append(time_calls(calls[name], calls_per_sample.get(name, 1), clock))
        if repetitions >= at_least and clock() - begin >= seconds:
            break
    return times


def balanced_orders(number: int) -> list[list[int]]:
    """Return orders of 0 to number - 1 in which each comes first equally often, and after each other one equally often.

    What ran before decides what is in the caches and how the memory is divided. These are the Latin squares of Williams
    (1949), one for an even number, one and its mirror image for an odd one.

    >>> balanced_orders(4)
    [[0, 1, 3, 2], [1, 2, 0, 3], [2, 3, 1, 0], [3, 0, 2, 1]]
    """
    zigzag = [(place + 1) // 2 if place % 2 else -(place // 2) for place in range(number)]
    square = [[(step + start) % number for step in zigzag] for start in range(number)]
    return square if number % 2 == 0 else square + [order[::-1] for order in square]


def time_calls(call: Callable[[], object], number: int = 1, clock: Clock = perf_counter) -> float:
    """Return the mean time of some calls in a row."""
    start = clock()
    for _ in range(number):
        call()
    return (clock() - start) / number
