"""The choice of an engine: what decides it, and that it says so."""

import pytest
import torch

from lpsc_nd import LogPolarPool2d, LPSConv1d, LPSConv2d, LPSConv3d, LPSConvNd
from lpsc_nd.pooling import bags, dispatch, execute
from lpsc_nd.pooling.costs import bags_seconds, expand_seconds
from lpsc_nd.pooling.dispatch import Problem, choose
from lpsc_nd.pooling.execute import CONV_ENGINES
from lpsc_nd.pooling.rates import RATES, Rates
from lpsc_nd.pooling.shapes import DERIVATIVES, PASSES, Shapes


@pytest.mark.usefixtures("without_kernels")
@pytest.mark.parametrize(
    ("layer", "shape", "engine"),
    [
        (LPSConv2d(64, 64, 9, padding=4), (8, 64, 32, 32), "bags"),
        (LPSConv2d(64, 64, 31, padding=15, num_levels=3), (1, 64, 56, 56), "bags"),
        (LPSConv2d(3, 64, 5, padding=2, num_levels=1), (1, 3, 32, 32), "expand"),
        (LPSConv3d(32, 32, 7, padding=3), (1, 32, 24, 24, 24), "bags"),
        (LPSConv1d(64, 64, 101, padding=50), (8, 64, 4096), "bags"),
        (LPSConv2d(64, 64, 13, padding=6, groups=64), (4, 64, 56, 56), "bags"),
        (LPSConv2d(2, 2, 9, reduction="max"), (1, 2, 20, 20), "maximum"),
        (LPSConvNd(4, 1, 1, 3, num_levels=1, num_directions=(1, 1, 2)), (1, 1, 6, 6, 6, 6), "bags"),
    ],
)
def test_engine_by_size(layer, shape, engine):
    told = layer.explain(shape)
    assert told.engine == engine
    assert told.reason


def stem() -> LPSConv2d:
    """Return a layer that all rates choose a convolution for, but for the gradient of its input."""
    with pytest.warns(UserWarning, match="empty"):
        return LPSConv2d(3, 64, 5, padding=2)


@pytest.mark.usefixtures("without_kernels")
@pytest.mark.parametrize(
    ("derivatives", "engine", "words"),
    [
        ("none", "expand", "ms forward\n"),
        ("parameters", "expand", "forward and gradient of the parameters\n"),
        ("all", "bags", "forward and backward\n"),
    ],
)
def test_a_stem_is_run_by_what_it_is_differentiated_for(derivatives, engine, words):
    told = stem().explain((16, 3, 64, 64), derivatives)
    assert told.engine == engine
    assert words in str(told)


def test_between_layers_the_engine_is_that_of_training():
    layer = LPSConv2d(16, 16, 5, padding=2, num_levels=1)
    told = [layer.explain((8, 16, 32, 32), derivatives) for derivatives in DERIVATIVES]
    assert told[0].costs == told[1].costs == told[2].costs
    with pytest.raises(ValueError, match="derivatives must be one of"):
        layer.explain((8, 16, 32, 32), "weights")


@pytest.mark.usefixtures("without_kernels")
def test_an_input_s_gradient_decides_the_engine_of_a_stem(monkeypatch):
    layer, x = stem(), torch.randn(16, 3, 64, 64)
    ran = []

    def watched(name, run):
        return lambda *arguments: ran.append(name) or run(*arguments)

    engines = {name: watched(name, run) for name, run in CONV_ENGINES[False].items()}
    monkeypatch.setitem(CONV_ENGINES, False, engines)
    for derivatives in DERIVATIVES:
        with torch.set_grad_enabled(derivatives != "none"):
            layer(x.requires_grad_(derivatives == "all"))
    assert ran == [layer.explain(x.shape, derivatives).engine for derivatives in DERIVATIVES]
    assert len(set(ran)) == 2


def test_one_small_volume_is_dear_to_convolve_with_three_cells():
    window = LPSConv3d(16, 16, 3, padding=1, num_levels=1, num_directions=(2, 4)).window
    one, two = (expand_seconds(window, Shapes(batch, 16, 16, 1, (20, 20, 20))) for batch in (1, 2))
    assert one > two  # PyTorch's own code runs the one, oneDNN the two
    assert expand_seconds(window, Shapes(1, 16, 16, 1, (40, 40, 40))) < 8 * one / 2


def problem(**changes):
    arguments = {
        "window": LPSConv2d(1, 1, 9, padding=4).window, "batch": 1, "in_channels": 64, "out_channels": 64,
        "size": (32, 32), "groups": 1, "reduction": "mean", "device": "cpu",
    }  # fmt: skip
    return Problem(**{**arguments, **changes})


def test_other_devices_take_the_dense_expansion():
    choice = choose(problem(device="cuda"))
    assert choice.engine == "expand"
    assert "cuda" in choice.reason


def test_pooling_on_other_devices_adds_what_it_is_given():
    choice = choose(problem(device="cuda", pools=True))
    assert choice.engine == "bags"
    assert "round" in choice.reason


def test_pooling_alone_is_no_convolution_elsewhere(monkeypatch):
    monkeypatch.delitem(execute.POOL_ENGINES[False], "expand")
    pooled = LogPolarPool2d(9, padding=4)(torch.empty(1, 2, 12, 12, device="meta"))
    assert pooled.shape == (1, 2, 12, 12, 12)


@pytest.mark.usefixtures("without_kernels")
def test_ways_are_for_the_cpu():
    window, shapes = LPSConv2d(64, 192, 9, padding=4).window, Shapes(16, 64, 192, 1, (4, 4))
    assert bags._way("forward", window, shapes, torch.empty(0)) == "whole images"
    assert bags._way("forward", window, shapes, torch.empty(0, device="meta")) == "tiles"


def test_cheapest_engine_is_taken_and_both_costs_are_told():
    choice = choose(problem())
    assert choice.engine == min(choice.costs, key=choice.costs.get)
    assert set(choice.costs) == {"expand", "bags"}


@pytest.mark.parametrize(
    ("bags", "engine", "words"),
    [(0.9, "bags", "cheaper than expand"), (0.97, "expand", "hardly cheaper"), (1.1, "expand", "cheaper than bags")],
)
def test_bag_sums_have_to_be_worth_it(monkeypatch, bags, engine, words):
    monkeypatch.setattr(dispatch, "expand_seconds", lambda *_: 1.0)
    monkeypatch.setattr(dispatch, "bags_seconds", lambda *_: bags)
    choice = choose(problem())
    assert choice.engine == engine
    assert words in choice.reason


def test_a_choice_is_for_the_threads_that_there_are(on_threads):
    with on_threads(1):
        one = choose(problem())
    with on_threads(3):
        calls = 2 * len(PASSES)  # a kernel is written, or its gradient read, beside each pass
        alone = calls * RATES.dense_call
        assert choose(problem()).costs["expand"] == pytest.approx((one.costs["expand"] - alone) / 3 + alone)
        assert choose(problem()).costs["bags"] > one.costs["bags"] / 3
        assert choose(problem(threads=1)).costs == one.costs


def test_costs_grow_with_the_work():
    window, small, large = problem().window, Shapes(1, 64, 64, 1, (32, 32)), Shapes(8, 64, 64, 1, (32, 32))
    for seconds in (expand_seconds, bags_seconds):
        assert 4 < seconds(window, large) / seconds(window, small) < 9


def test_rates_are_the_callers_to_choose():
    window, shapes = problem().window, Shapes(8, 64, 64, 1, (32, 32))
    assert expand_seconds(window, shapes, Rates(dense=1e9)) > 100 * expand_seconds(window, shapes, Rates(dense=2e11))


def test_exporting_and_running_give_the_same():
    layer, x = LPSConv2d(64, 64, 9, padding=4), torch.randn(1, 64, 32, 32)
    assert layer.explain(x.shape).engine == "bags"
    exported = torch.export.export(layer, (x,)).module()
    torch.testing.assert_close(exported(x), layer(x), rtol=1e-4, atol=1e-5)
