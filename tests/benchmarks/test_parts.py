"""The profile of a forward pass."""

import itertools
import time

import pytest

from benchmarks import parts
from benchmarks.cases import CASES
from benchmarks.parts import COLUMNS, PARTS, Stopwatch, main, measure_parts, timed

pytestmark = pytest.mark.usefixtures("without_kernels")


@pytest.mark.parametrize("name", ["conv2d-9x9-16", "stem2d-11x11-stride4"])
def test_parts_add_up_to_the_whole(name):
    found = measure_parts(CASES[name], 1)
    assert abs(sum(found[name] for name in COLUMNS) - found["total"]) < 1e-9
    assert min(found[name] for name in ("bag sums", "product", "total")) > 0


def test_a_stopwatch_adds_up_even_when_it_raises():
    watch = Stopwatch(float)

    def fail():
        time.sleep(0.002)
        raise KeyError

    for _ in range(2):
        try:
            timed(fail, "part", watch, set())()
        except KeyError:
            continue
    assert watch["part"] >= 0.004


def test_a_part_within_itself_is_counted_once(monkeypatch):
    monkeypatch.setattr(parts, "perf_counter", itertools.count().__next__)
    watch, running = Stopwatch(float), set()
    inner = timed(lambda: None, "part", watch, running)
    timed(inner, "part", watch, running)()  # from 0 to 1
    timed(inner, "whole", watch, running)()  # from 2 to 5, the part in it from 3 to 4
    assert dict(watch) == {"part": 2, "whole": 3}
    assert not running


def test_everything_is_put_back():
    before = [getattr(owner, attribute) for _, owner, attribute in PARTS]
    measure_parts(CASES["conv2d-9x9-16"], 1)
    assert before == [getattr(owner, attribute) for _, owner, attribute in PARTS]


def test_the_command_prints_the_parts(capsys):
    assert main(["--case", "conv2d-9x9-16", "--repetitions", "1"]) == 0
    assert "bag sums" in capsys.readouterr().out
