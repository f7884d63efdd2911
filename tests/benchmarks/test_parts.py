"""The profile of a forward pass."""

import time

from benchmarks.cases import CASES
from benchmarks.parts import COLUMNS, PARTS, Stopwatch, main, measure_parts, timed


def test_parts_add_up_to_the_whole():
    parts = measure_parts(CASES["conv2d-9x9-16"], 1)
    assert abs(sum(parts[name] for name in COLUMNS) - parts["total"]) < 1e-9
    assert min(parts[name] for name in ("table", "bag sums", "product", "total")) > 0


def test_a_stopwatch_adds_up_even_when_it_raises():
    watch = Stopwatch(float)

    def fail():
        time.sleep(0.002)
        raise KeyError

    for _ in range(2):
        try:
            timed(fail, "part", watch)()
        except KeyError:
            continue
    assert watch["part"] >= 0.004


def test_everything_is_put_back():
    before = {name: getattr(owner, attribute) for name, (owner, attribute) in PARTS.items()}
    measure_parts(CASES["conv2d-9x9-16"], 1)
    assert before == {name: getattr(owner, attribute) for name, (owner, attribute) in PARTS.items()}


def test_the_command_prints_the_parts(capsys):
    assert main(["--case", "conv2d-9x9-16", "--repetitions", "1"]) == 0
    assert "bag sums" in capsys.readouterr().out
