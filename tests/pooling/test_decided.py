"""What was decided for a training call serves only calls of the same kind, and gives what deciding anew gives."""

from __future__ import annotations

import copy
import gc
import inspect
import weakref

import pytest
import torch
from hypothesis import given
from torch import nn
from torch.nn.utils import parametrize
from torch.testing import assert_close

from lpsc_nd import LPSConv2d
from lpsc_nd.pooling import decided, execute
from lpsc_nd.testing import layer_cases


def found(layer, x) -> bool:
    """Tell whether a call would be answered by what the layer decided before."""
    settings = (layer.window, layer.groups, layer.padding_mode, layer.reduction, layer.engine)
    parameters = (layer.weight, layer.center_weight, layer.bias)
    return layer._last_call.repeat_graph(x, parameters, settings) is not None


def prepared(layer) -> bool:
    """Tell whether more than the choice of an engine is remembered."""
    repeat = layer._last_call.repeat_graph
    return not isinstance(inspect.getclosurevars(repeat).nonlocals["run"], decided.Decided)


def step(layer, x) -> list[torch.Tensor]:
    """Return the output and the gradients of a training step."""
    x = x.detach().requires_grad_()
    y = layer(x)
    cotangent = torch.cos(torch.arange(y.numel(), dtype=torch.float64)).view_as(y).to(y)
    return [y, *torch.autograd.grad(y, [x, *layer.parameters()], cotangent, materialize_grads=True)]


def test_a_decision_without_members_can_be_looked_up():
    """As the compiler of PyTorch 2.11 does with an example of its own making."""
    assert object.__new__(decided.Decided) not in {torch.relu, torch.sigmoid}


@given(case=layer_cases(reductions=("mean", "sum", "max")))
def test_the_second_step_is_the_first_one(case):
    layer, x = case.layer(), case.input()
    assert_close(step(layer, x), step(layer, x), rtol=0, atol=0)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.mul_(2)
    fresh = copy.deepcopy(layer)
    assert_close(step(layer, x), step(fresh, x), rtol=0, atol=0)


@pytest.mark.parametrize("size", [3, 20])  # on the small one the window is trimmed to what it meets
@pytest.mark.parametrize("reduction", ["mean", "max"])
def test_deciding_is_left_out(monkeypatch, size, reduction):
    layer, x = LPSConv2d(3, 4, 9, padding=4, reduction=reduction), torch.randn(2, 3, size, size)
    assert not found(layer, x)
    expected = step(layer, x)
    monkeypatch.setattr(execute, "_decided_before", None)  # cannot be called any more
    assert found(layer, x.requires_grad_())
    assert_close(step(layer, x), expected, rtol=0, atol=0)


@pytest.mark.parametrize(
    "change",
    [
        lambda layer, x: layer.double() and x,
        lambda layer, x: layer.to("meta") and x,
        lambda layer, x: setattr(layer.weight, "data", layer.weight.data[:, :2]) or x,
        lambda layer, x: setattr(layer, "bias", None) or x,
        lambda layer, x: setattr(layer, "reduction", "sum") or x,
        lambda layer, x: setattr(layer, "engine", "reference") or x,
        lambda layer, x: x[:1],
        lambda layer, x: x[0],
        lambda layer, x: x.double(),
        lambda layer, x: x.detach(),
        lambda layer, x: x.detach().contiguous(memory_format=torch.channels_last).requires_grad_(),
        lambda layer, x: x.to("meta"),
    ],
)
def test_a_call_of_another_kind_is_decided_anew(change):
    layer, x = LPSConv2d(3, 4, 5, padding=2, num_levels=1), torch.randn(2, 3, 9, 9, requires_grad=True)
    layer(x)
    assert found(layer, x)
    assert not found(layer, change(layer, x))


PREPARED = {
    "plain": {},
    "strided": {"stride": 2, "padding": (1, 2)},
    "groups": {"groups": 3},
    "without centre and bias": {"center": False, "bias": False},
    "dilated": {"dilation": 2},
    "depthwise": {"groups": 6},
}


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("name", PREPARED)
@pytest.mark.parametrize("engine", ["expand", "bags"])
def test_a_prepared_convolution_is_the_one_of_the_engine(name, layout, engine):
    layer = LPSConv2d(6, 6, 5, **{"padding": 2, **PREPARED[name]}, num_levels=1, engine=engine)
    x = torch.randn(2, 6, 11, 12).contiguous(memory_format=layout)
    expected = step(layer, x)
    assert prepared(layer)
    again = step(layer, x)
    assert_close(again, expected, rtol=0, atol=0)
    assert again[0].is_contiguous(memory_format=layout)


@pytest.mark.parametrize(
    "options",
    [{"engine": "expand", "padding": "same", "kernel_size": 4}, {"engine": "reference"}, {"reduction": "max"}],
)
def test_what_has_more_than_one_step_is_not_prepared(options):
    layer = LPSConv2d(**{"in_channels": 3, "out_channels": 4, "kernel_size": 5, "num_levels": 1, **options})
    x = torch.randn(2, 3, 9, 9)
    layer(x)
    assert not prepared(layer)


def test_what_a_transform_has_seen_is_not_prepared():
    layer, x = LPSConv2d(3, 4, 5, padding=2, num_levels=1), torch.randn(2, 3, 9, 9)
    torch.func.grad(lambda x: layer(x).sum())(x)
    assert not prepared(layer)
    assert_close(step(layer, x), step(copy.deepcopy(layer), x))


def test_another_number_of_threads_is_another_kind(on_threads):
    layer, x = LPSConv2d(3, 4, 5, padding=2, num_levels=1), torch.randn(2, 3, 9, 9)
    layer(x)
    with on_threads(torch.get_num_threads() + 1):
        assert not found(layer, x)


@pytest.mark.parametrize("engine", ["expand", "bags"])
def test_autocast_is_another_kind(engine):
    layer, x = LPSConv2d(3, 4, 5, padding=2, num_levels=1, engine=engine), torch.randn(2, 3, 9, 9)
    assert layer(x).dtype == torch.float32
    with torch.autocast("cpu", torch.bfloat16):
        assert not found(layer, x)
        assert layer(x).dtype == torch.bfloat16
    assert layer(x).dtype == torch.float32


@pytest.mark.parametrize("engine", ["reference", "expand", "bags"])
def test_wrong_calls_are_refused_after_a_good_one(engine):
    layer, x = LPSConv2d(3, 4, 5, padding=2, num_levels=1, engine=engine), torch.randn(2, 3, 9, 9)
    layer(x)
    for wrong, words in ((x[:, :2], "channels"), (x.double(), "same"), (x.flatten(), "Expected")):
        with pytest.raises(RuntimeError, match=words):
            layer(wrong)
    for wrong in (x.tolist(), x.numpy(), None):
        with pytest.raises(TypeError, match="input must be a Tensor"):
            layer(wrong)
    layer.bias.data = layer.bias.data[:1]
    for with_graph in (True, False):
        with torch.set_grad_enabled(with_graph), pytest.raises(RuntimeError, match="bias to be 1-dimensional"):
            layer(x)
    layer.weight.data = layer.weight.data[:, :1]
    with pytest.raises(RuntimeError, match="channels"):
        layer(x)


def test_a_decision_that_another_thread_exchanges_meanwhile(monkeypatch):
    layer = LPSConv2d(3, 4, 9, padding=4)
    small, large = torch.randn(1, 3, 3, 3), torch.randn(1, 3, 12, 12)
    expected = copy.deepcopy(layer)(large)
    layer(large)
    ask, asked = decided.is_unobserved, []

    def ask_and_be_interrupted():
        monkeypatch.setattr(decided, "is_unobserved", ask)
        asked.append(layer(small))  # as from another thread
        return ask()

    monkeypatch.setattr(decided, "is_unobserved", ask_and_be_interrupted)
    assert_close(layer(large), expected, rtol=0, atol=0)
    assert len(asked) == 1


def test_no_weights_are_kept():
    computed = []

    class Twice(nn.Module):
        def forward(self, weight):
            twice = 2 * weight
            computed.append(weakref.ref(twice))
            return twice

    layer, x = LPSConv2d(3, 4, 5, padding=2, num_levels=1), torch.randn(2, 3, 9, 9)
    parametrize.register_parametrization(layer, "weight", Twice())
    layer(x).sum().backward()
    gc.collect()
    assert len(computed) > 0
    assert all(weight() is None for weight in computed)
    assert found(layer, x)
    before = weakref.ref(layer.bias)
    layer.bias = nn.Parameter(layer.bias.detach())
    gc.collect()
    assert before() is None


def test_copies_begin_without_a_decision():
    layer, x = LPSConv2d(3, 4, 5, padding=2, num_levels=1), torch.randn(2, 3, 9, 9)
    layer(x)
    assert found(layer, x)
    assert not found(copy.deepcopy(layer), x)
