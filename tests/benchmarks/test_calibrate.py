"""Rates are found again from times that they predict, and what choosing by them loses is told."""

from dataclasses import replace

import pytest

from benchmarks import calibrate
from benchmarks.cases import CASES, Case
from benchmarks.rate_fit import FIXED, by_pass, errors, fit, losses, moved, summary
from benchmarks.rate_samples import RATE_CASES, RateSample, measure
from lpsc_nd.pooling import compiled_layout
from lpsc_nd.pooling.costs import dense_pass_seconds, seconds_by_way
from lpsc_nd.pooling.rates import AMD, Rates
from lpsc_nd.pooling.shapes import PASSES, Shapes

TRUE = replace(AMD, dense=9e10, compiled=5e10, tap=6e-10, product=4e10, pooled_near=9e9, kernel_passed=2e9)
SMALL = Case("small", (4, 16, 16, 16), 16, 9, 2, 6, group="smoke")
DEPTHWISE = Case("depthwise", (2, 4, 6, 6), 4, 5, 1, 6, groups=4, group="smoke")


def predicted(rates: Rates, factor: float = 1.0) -> list[RateSample]:
    """Return samples as if these rates were true, but for the whole images of one layer: ``factor`` times as long."""
    found = []
    for name in ("conv2d-9x9-64", "conv2d-9x9-16", "conv2d-5x5-3", "conv3d-7x7x7-32", "growth2d-31"):
        case = CASES[name]
        window = case.layer().window
        shapes = Shapes(case.input_shape[0], case.in_channels, case.out_channels, 1, case.input_shape[2:], threads=1)
        for part in PASSES:

            def dense(rates: Rates, part=part, window=window, shapes=shapes) -> float:
                return dense_pass_seconds(part, window, window.stencil.kernel_size, shapes, rates)

            found.append(RateSample(name, 1, part, "dense", dense(rates), dense))
            for way in seconds_by_way(part, window, shapes):

                def seconds(rates: Rates, part=part, window=window, shapes=shapes, way=way) -> float:
                    return seconds_by_way(part, window, shapes, rates)[way]

                times = factor if way == "whole images" and name == "conv2d-9x9-64" else 1.0
                found.append(RateSample(name, 1, part, way, times * seconds(rates), seconds))
    return found


def test_rates_are_found_again():
    samples = predicted(TRUE)
    assert max(errors(samples, AMD)) > 1.5
    fitted = fit(samples, AMD)
    assert max(errors(samples, fitted)) < 1.1
    assert fitted.dense == pytest.approx(TRUE.dense, rel=0.05)
    assert all(getattr(fitted, name) == getattr(AMD, name) for name in FIXED)
    assert "dense" in moved(AMD, fitted)
    assert not FIXED & moved(AMD, fitted).keys()


def test_a_few_samples_that_nothing_explains_do_not_bend_the_rest():
    samples = predicted(TRUE, factor=20.0)
    fitted = fit(samples, AMD)
    rest = [sample for sample in samples if (sample.case, sample.way) != ("conv2d-9x9-64", "whole images")]
    assert sorted(errors(rest, fitted))[int(0.9 * len(rest))] < 1.15


def test_without_samples_there_is_nothing_to_fit():
    with pytest.raises(ValueError, match="no samples"):
        fit([], AMD)


def test_a_loss_is_what_the_chosen_way_takes_over_the_fastest():
    def sample(way: str, seconds: float, expected: float, threads: int = 1) -> RateSample:
        return RateSample("case", threads, "forward", way, seconds, lambda rates: expected)

    samples = [sample("a", 2.0, 1.0), sample("b", 1.0, 1.5), sample("a", 1.0, 1.0, threads=2)]
    assert losses(samples, AMD) == {("case", 1, "forward"): ("a", "b", 2.0), ("case", 2, "forward"): ("a", "a", 1.0)}
    assert errors(samples, AMD) == pytest.approx([2.0, 1.5, 1.0])
    assert [len(ways) for ways in by_pass(samples).values()] == [2, 1]
    assert "1.500 of the fastest way's time on average, 2.00 at the worst" in summary(samples, AMD)


@pytest.mark.parametrize("threads", [1, 2])
def test_every_pass_is_timed_in_its_ways(threads):
    samples = measure(SMALL, threads, 0.0)
    assert {sample.part for sample in samples} >= set(PASSES)
    for sample in samples:
        assert sample.threads == threads
        assert sample.seconds > 0
        slow = replace(AMD, dense=1e9, dense_call=1.0, call=1.0, compiled_call=1.0)
        assert sample.predict(slow) > 4 * sample.predict(AMD)
    for part in PASSES:
        assert {sample.way for sample in samples if sample.part == part} >= {"dense", "tiles"}


@pytest.mark.parametrize("kernels", [True, False])
def test_depthwise_passes_are_timed_as_far_as_somebody_chooses(monkeypatch, kernels):
    if not kernels:
        monkeypatch.setattr(compiled_layout, "KERNELS", None)
    ways = {(sample.part, sample.way) for sample in measure(DEPTHWISE, 1, 0.0)}
    assert ("forward", "dense") in ways
    if compiled_layout.KERNELS is None:
        assert len(ways) == 1


def test_cases_have_names_of_their_own():
    assert len({case.name for case in RATE_CASES}) == len(RATE_CASES)


def test_the_command_prints_rates_and_choices(capsys, monkeypatch):
    monkeypatch.setattr(calibrate, "RATE_CASES", (SMALL,))
    assert calibrate.main(["--seconds", "0", "--threads", "1"]) == 0
    printed = capsys.readouterr().out
    assert "as shipped: predictions off by a factor of" in printed
    assert "as fitted: predictions off by a factor of" in printed
    with pytest.raises(SystemExit):
        calibrate.main(["--threads", "0"])
