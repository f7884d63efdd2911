"""Turns, pairs and medians, on a clock that is not a clock."""

from collections import Counter
from itertools import pairwise

import pytest

from benchmarks.samples import Samples, balanced_orders, interleave, time_calls


class FakeClock:
    """Stands still unless a call takes time."""

    def __init__(self):
        self.now, self.log = 0.0, []

    def __call__(self):
        return self.now

    def call(self, name, seconds):
        def run():
            self.log.append(name)
            self.now += seconds

        return run


def test_ratios_are_taken_pair_by_pair():
    # The machine slows down threefold in the last two repetitions: the ratio does not change, that of medians would.
    samples = Samples({"dense, default": [2.0, 2.0, 6.0], "ours, default": [1.0, 3.0, 3.0]})
    assert samples.pairs("dense, default", "ours, default") == [2.0, 2.0 / 3.0, 2.0]
    assert samples.ratio("dense", "ours") == 2.0
    assert samples.median("dense, default") / samples.median("ours, default") == pytest.approx(2 / 3)


def test_each_operator_counts_in_its_better_layout():
    samples = Samples(
        {
            "dense, default": [8.0, 9.0, 8.0],
            "dense, channels last": [4.0, 4.0, 30.0],  # one bad repetition does not lose it
            "ours, default": [1.0, 1.0, 1.0],
            "ours, channels last": [2.0, 2.0, 2.0],
        }
    )
    assert samples.best("dense") == "dense, channels last"
    assert samples.best("ours") == "ours, default"
    assert samples.ratio("dense", "ours") == 4.0
    assert samples.ratio("ours", "dense") == 0.25


def test_what_was_not_timed_has_no_ratio():
    samples = Samples({"ours, default": [1.0], "engine bags, default": [2.0]})
    assert samples.best("dense") is None
    assert samples.ratio("dense", "ours") is None
    assert samples.best("engine bags") == "engine bags, default"
    assert samples.best("bags") is None


def test_quartiles():
    samples = Samples({"a, default": [1.0, 2.0, 3.0, 4.0, 5.0], "b, default": [1.0] * 5})
    assert samples.quartiles("a, default", "b, default") == (2.0, 4.0)
    assert Samples({"a, default": [3.0], "b, default": [2.0]}).quartiles("a, default", "b, default") == (1.5, 1.5)


def test_contenders_take_turns_and_each_goes_first():
    clock = FakeClock()
    calls = {name: clock.call(name, 1.0) for name in "abc"}
    times = interleave(calls, {}, seconds=18.0, at_least=1, clock=clock)
    turns = ["".join(clock.log[start : start + 3]) for start in range(0, 18, 3)]
    assert sorted(turns) == ["abc", "acb", "bac", "bca", "cab", "cba"]
    assert times == {name: [1.0] * 6 for name in "abc"}


@pytest.mark.parametrize("number", range(1, 12))
def test_each_follows_each_other_equally_often(number):
    orders = balanced_orders(number)
    assert all(sorted(order) == list(range(number)) for order in orders)
    firsts, neighbours = Counter(order[0] for order in orders), Counter()
    for order in orders:
        neighbours.update(pairwise(order))
    assert len(firsts) == number
    assert len(neighbours) == number * (number - 1)
    assert len(set(firsts.values())) == 1
    assert len(set(neighbours.values())) <= 1


@pytest.mark.parametrize(("seconds", "called"), [(0.01, 2 * 3 - 1), (1.0, 3)])
def test_short_calls_are_warmed_by_one_that_does_not_count(seconds, called):
    clock = FakeClock()
    times = interleave({"a": clock.call("a", seconds)}, {}, seconds=0.0, at_least=3, clock=clock)
    assert len(clock.log) == called
    assert times["a"] == pytest.approx([seconds] * 3)


def test_repetitions_end_with_the_time_but_there_are_some():
    clock = FakeClock()
    assert len(interleave({"a": clock.call("a", 1.0)}, {}, seconds=5.5, clock=clock)["a"]) == 6
    assert len(interleave({"a": clock.call("a", 1.0)}, {}, seconds=-1.0, at_least=2, clock=clock)["a"]) == 2


def test_short_calls_are_made_several_times_for_a_sample():
    clock = FakeClock()
    times = interleave({"a": clock.call("a", 0.5)}, {"a": 4}, seconds=0.0, at_least=1, clock=clock)
    assert (times, clock.log) == ({"a": [0.5]}, ["a"] * 4)
    assert time_calls(clock.call("a", 0.25), 2, clock) == 0.25
