"""A layer of the bag engine is one node of the graph, and has the derivatives of the operators within it."""

from __future__ import annotations

from contextlib import nullcontext
from itertools import product

import pytest
import torch
from torch.testing import assert_close
from torch.utils.checkpoint import checkpoint
from torch.utils.flop_counter import FlopCounterMode

from lpsc_nd import LPSConv2d
from lpsc_nd.pooling import bag_layer, execute

KINDS = {
    "plain": {},
    "strided": {"stride": 2},
    "sum": {"reduction": "sum"},
    "groups": {"groups": 2},
    "depthwise": {"groups": 4},
    "without centre": {"center": False},
    "without bias": {"bias": False},
}


def make(name="plain", **options) -> LPSConv2d:
    return LPSConv2d(4, 4, 5, **{"padding": 2, "num_levels": 1, "engine": "bags", **KINDS[name], **options})


def step(layer, x):
    """Return the output, and the gradients of all that has any."""
    y = layer(x)
    cotangent = torch.cos(torch.arange(y.numel(), dtype=torch.float64)).view_as(y).to(y)
    wanted = [tensor for tensor in (x, *layer.parameters()) if tensor.requires_grad]
    return [y, *torch.autograd.grad(y, wanted, cotangent)]


@pytest.mark.parametrize("name", KINDS)
def test_it_is_one_node(name):
    y = make(name)(torch.randn(2, 4, 9, 9))
    inputs = {type(node).__name__ for node, _ in y.grad_fn.next_functions if node is not None}
    assert inputs == {"AccumulateGrad"}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("name", KINDS)
def test_it_gives_what_the_operators_give(monkeypatch, name, dtype):
    layer = make(name, dtype=dtype)
    x = torch.randn(2, 4, 9, 9, dtype=dtype, requires_grad=True)
    found, again = step(layer, x), step(layer, x)
    monkeypatch.setattr(execute.bag_layer, "suits", lambda *tensors: False)
    fresh = make(name, dtype=dtype)
    fresh.load_state_dict(layer.state_dict())
    expected = step(fresh, x)
    for steps in (found, again):
        assert_close(steps, expected, rtol=0, atol=0)
        assert [gradient.dtype for gradient in steps] == [dtype] * len(steps)


@pytest.mark.parametrize("frozen", list(product([False, True], repeat=4))[:-1])
def test_gradients_of_what_is_not_frozen(frozen):
    layer, x = make(), torch.randn(2, 4, 9, 9)
    for tensor, is_frozen in zip((x, *layer.parameters()), frozen, strict=True):
        tensor.requires_grad_(not is_frozen)
    everything = make()
    everything.load_state_dict(layer.state_dict())
    full = step(everything, x.detach().requires_grad_())
    wanted = [full[0], *(gradient for gradient, is_frozen in zip(full[1:], frozen, strict=True) if not is_frozen)]
    for _ in range(2):
        assert_close(step(layer, x), wanted)


@pytest.mark.parametrize("engine", ["bags", "expand", "reference"])
@pytest.mark.parametrize("name", ["plain", "depthwise", "strided"])
def test_checkpoints_find_what_they_saved(name, engine):
    layer = make(name, engine=engine)
    x = torch.randn(2, 4, 9, 9, requires_grad=True)
    fresh = make(name, engine=engine)
    fresh.load_state_dict(layer.state_dict())
    expected = step(fresh, x)
    for _ in range(3):  # what is saved first is recomputed by a repeated call
        y = checkpoint(layer, x, use_reentrant=False)
        cotangent = torch.cos(torch.arange(y.numel(), dtype=torch.float64)).view_as(y).to(y)
        assert_close([y, *torch.autograd.grad(y, [x, *layer.parameters()], cotangent)], expected)


@pytest.mark.parametrize("watched", ["forward", "backward"])
@pytest.mark.parametrize("engine", ["bags", "expand"])
def test_checkpoints_under_other_modes_find_what_they_saved(engine, watched):
    layer, x = make(engine=engine), torch.randn(2, 4, 9, 9, requires_grad=True)
    tensors = [x, *layer.parameters()]
    expected = torch.autograd.grad(layer(x).sum(), tensors)
    for _ in range(2):
        with FlopCounterMode(display=False) if watched == "forward" else nullcontext():
            y = checkpoint(layer, x, use_reentrant=False)
        with FlopCounterMode(display=False) if watched == "backward" else nullcontext():
            y.sum().backward()
        assert_close(tuple(tensor.grad for tensor in tensors), expected)
        for tensor in tensors:
            tensor.grad = None


def test_a_mode_sees_the_operators(watching):
    layer, x = make(), torch.randn(2, 4, 9, 9, requires_grad=True)
    expected = step(layer, x)
    with watching() as seen:
        found = step(layer, x)
    assert_close(found, expected, rtol=0, atol=0)
    assert {"lpsc.conv.default", "lpsc.both_grads.default"} <= set(seen)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_outputs_lie_as_the_input_and_its_gradient_as_that_of_the_output(memory_format):
    layer = make()
    x = torch.randn(2, 4, 9, 9).contiguous(memory_format=memory_format).requires_grad_()
    for _ in range(2):
        y = layer(x)
        assert y.is_contiguous(memory_format=memory_format)
        (gx,) = torch.autograd.grad(y, x, torch.ones_like(y))
        assert gx.is_contiguous(memory_format=memory_format)


def test_gradients_of_autocast_have_the_types_of_the_parameters():
    layer, x = make(), torch.randn(2, 4, 9, 9, requires_grad=True)
    twin = layer.to_conv()
    for _ in range(2):
        with torch.autocast("cpu", torch.bfloat16):
            y, expected = layer(x), twin(x)
        cotangent = torch.randn_like(y)
        gradients = torch.autograd.grad(y, [x, *layer.parameters()], cotangent)
        assert y.dtype == expected.dtype == torch.bfloat16
        assert {gradient.dtype for gradient in gradients} == {torch.float32}
        in_x, _, in_bias = torch.autograd.grad(expected, [x, *twin.parameters()], cotangent)
        assert_close([gradients[0], gradients[3]], [in_x, in_bias], rtol=2e-2, atol=5e-2)


@pytest.mark.slow  # dynamo and inductor are imported
def test_compiled_autograd_gives_the_same():
    layer, x = make(), torch.randn(2, 4, 9, 9, requires_grad=True)
    expected = step(layer, x)[1:]
    x.grad = None
    y = layer(x)
    cotangent = torch.cos(torch.arange(y.numel(), dtype=torch.float64)).view_as(y).to(y)
    with torch._dynamo.compiled_autograd._enable(torch.compile(backend="eager")):
        y.backward(cotangent)
    assert_close([x.grad, *(parameter.grad for parameter in layer.parameters())], expected)


@pytest.mark.parametrize("vmapped", [False, True])
def test_batches_of_cotangents(vmapped):
    layer, x = make(), torch.randn(2, 4, 9, 9, requires_grad=True)
    y = layer(x)
    cotangents = torch.randn(3, *y.shape)
    inputs = [x, *layer.parameters()]
    each = [torch.autograd.grad(y, inputs, cotangent, retain_graph=True) for cotangent in cotangents]
    expected = [torch.stack(gradients) for gradients in zip(*each, strict=True)]
    if vmapped:
        found = torch.func.vmap(lambda v: torch.autograd.grad(y, inputs, v, retain_graph=True))(cotangents)
    else:
        found = torch.autograd.grad(y, inputs, cotangents, is_grads_batched=True)
    assert_close(list(found), expected)


def test_what_is_saved_can_be_put_away():
    layer, x = make(), torch.randn(2, 4, 9, 9, requires_grad=True)
    expected, saved = step(layer, x), []

    def put_away(tensor):
        saved.append(tensor)
        return tensor.numpy(force=True).copy()

    with torch.autograd.graph.saved_tensors_hooks(put_away, torch.from_numpy):
        found = step(layer, x)
    assert_close(found, expected)
    sizes = [x.numel(), layer.weight.numel(), layer.center_weight.numel()]
    assert sorted(tensor.numel() for tensor in saved) == sorted(sizes)


def test_a_change_of_the_weights_before_the_backward_pass_is_noticed():
    layer, x = make(), torch.randn(2, 4, 9, 9, requires_grad=True)
    y = layer(x)
    with torch.no_grad():
        layer.weight.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_other_calls_are_left_to_the_operators():
    layer, x = make(), torch.randn(2, 4, 9, 9)
    parameters = (layer.weight, layer.center_weight, layer.bias)
    assert bag_layer.suits(x, parameters)
    assert not bag_layer.suits(x.to("meta"), parameters)
    assert not bag_layer.suits(x.as_subclass(type("Own", (torch.Tensor,), {})), parameters)
    seen = []
    torch.func.vmap(lambda x: seen.append(bag_layer.suits(x, parameters)) or layer(x))(x.unsqueeze(0))
    with torch.autograd.forward_ad.dual_level():
        seen.append(bag_layer.suits(x, parameters))
    assert seen == [False, False]


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("channels", [4, 16])
@pytest.mark.parametrize(("size", "levels", "directions"), [(9, 2, 6), (13, 3, 8)])
def test_gradients_of_parameters_lie_as_these(size, levels, directions, channels, center):
    options = {"padding": size // 2, "num_levels": levels, "num_directions": directions, "center": center}
    layer = LPSConv2d(channels, 16, size, **options, engine="bags", dtype=torch.float64)
    reference = LPSConv2d(channels, 16, size, **options, engine="reference", dtype=torch.float64)
    reference.load_state_dict(layer.state_dict())
    x = torch.randn(2, channels, 14, 15, dtype=torch.float64, requires_grad=True)
    found = step(layer, x)
    assert_close(found, step(reference, x))
    assert all(gradient.is_contiguous() for gradient in found[2:])
