"""Weights that are moved at once lie as those that operators divide, join and permute, and so do their gradients."""

from __future__ import annotations

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch.testing import assert_close

from lpsc_nd import LPSConv2d
from lpsc_nd.native import structures
from lpsc_nd.pooling import bags, compiled_layout, compiled_weights
from lpsc_nd.pooling.folding import Folding

pytestmark = pytest.mark.skipif(compiled_layout.KERNELS is None, reason="no kernels were compiled for this processor")

CASES = {
    "outputs": st.integers(1, 40),
    "inputs": st.integers(1, 40),
    "regions": st.one_of(st.integers(0, 12), st.integers(30, 70)),
    "center": st.booleans(),
    "mean": st.booleans(),
    "turned": st.booleans(),
    "dtype": st.sampled_from([torch.float32, torch.float64]),
}


def draw_weights(outputs, inputs, regions, center, mean, dtype):
    weight = torch.randn(outputs, inputs, regions, dtype=dtype)
    divisors = torch.randint(1, 50, (regions,)).to(dtype) if mean else None
    return weight, torch.randn(outputs, inputs, dtype=dtype) if center else None, Folding(divisors, dtype)


@given(**CASES)
@example(outputs=3, inputs=17, regions=32, center=True, mean=True, turned=False, dtype=torch.float32)
@example(outputs=17, inputs=3, regions=33, center=False, mean=True, turned=True, dtype=torch.float64)
def test_weights_are_laid_as_operators_fold_them(outputs, inputs, regions, center, mean, turned, dtype):
    weight, center_weight, folding = draw_weights(outputs, inputs, regions, center, mean, dtype)
    laid = compiled_weights.lay(weight, center_weight, folding, turned=turned)
    folded = folding.fold(weight, center_weight)
    assert_close(laid, compiled_layout.by_bag(folded, (2, 1, 0) if turned else (2, 0, 1)), rtol=0, atol=0)


@given(**CASES)
@example(outputs=17, inputs=3, regions=33, center=True, mean=True, turned=True, dtype=torch.float32)
def test_gradients_are_taken_as_operators_carry_them(outputs, inputs, regions, center, mean, turned, dtype):
    weight, center_weight, folding = draw_weights(outputs, inputs, regions, center, mean, dtype)
    laid = torch.randn_like(compiled_weights.lay(weight, center_weight, folding, turned=turned))
    found = compiled_weights.take(laid, weight, center_weight, folding, turned=turned)
    gradient = laid[..., : outputs if turned else inputs].permute((2, 1, 0) if turned else (1, 2, 0))
    expected = folding.carry_back(gradient, weight, center_weight)
    for got, wanted in zip(found, expected, strict=True):
        assert (got is None) == (wanted is None)
        if got is not None:
            assert_close(got, wanted, rtol=0, atol=0)
            assert got.is_contiguous()


@pytest.mark.parametrize("turned", [False, True])
def test_threads_share_the_rows(monkeypatch, on_threads, turned):
    weight, center_weight, folding = draw_weights(19, 23, 13, True, True, torch.float32)
    expected = compiled_weights.lay(weight, center_weight, folding, turned=turned)
    back = compiled_weights.take(expected, weight, center_weight, folding, turned=turned)
    parts = []

    class Seen(structures.Weights):
        def __init__(self, **members) -> None:
            parts.append(members["parts"])
            super().__init__(**members)

    monkeypatch.setattr(compiled_weights, "SHARED_ELEMENTS", 1)
    monkeypatch.setattr(compiled_weights, "Weights", Seen)
    with on_threads(3):
        assert_close(compiled_weights.lay(weight, center_weight, folding, turned=turned), expected, rtol=0, atol=0)
        found = compiled_weights.take(expected, weight, center_weight, folding, turned=turned)
    assert_close(found, back, rtol=0, atol=0)
    assert set(parts) == {3} or compiled_layout.KERNELS.parallel is None


def test_weights_that_do_not_lie_as_they_are_made_are_left_to_operators():
    weight, center_weight, folding = draw_weights(4, 5, 6, True, True, torch.float32)
    assert compiled_weights.suits(weight, center_weight, folding)
    assert compiled_weights.suits(weight, None, folding)
    turned = weight.transpose(0, 1).contiguous().transpose(0, 1)
    for other in (turned, weight.double(), torch._neg_view(weight)):
        assert not compiled_weights.suits(other, center_weight, folding)
    for other in (center_weight.T.contiguous().T, center_weight.double(), torch._neg_view(center_weight)):
        assert not compiled_weights.suits(weight, other, folding)


@pytest.fixture(params=["together", "apart"])
def layer_and_input(monkeypatch, request):
    """A layer whose passes are compiled ones, both gradients from one pooling or each by itself, and an input."""
    monkeypatch.setattr(bags, "cheapest_way", lambda *_: "compiled")
    monkeypatch.setattr(bags, "grads_apart", lambda *_: request.param == "apart")
    layer = LPSConv2d(5, 20, 9, padding=4, num_levels=2, num_directions=6, engine="bags")
    return layer, torch.randn(2, 5, 12, 11, requires_grad=True)


def step(layer, x):
    y = layer(x)
    return [y, *torch.autograd.grad(y.square().sum(), [x, *layer.parameters()])]


def test_a_layer_gives_the_same_with_operators_around_its_passes(monkeypatch, layer_and_input):
    layer, x = layer_and_input
    moved, move = [], compiled_weights._move
    monkeypatch.setattr(compiled_weights, "_move", lambda *call: moved.append((call[0], call[-1])) or move(*call))
    found = step(layer, x)
    assert moved in ([("lay", True), ("lay", False), ("take", False)], [("lay", True), ("take", True)])
    monkeypatch.setattr(compiled_weights, "suits", lambda *_: False)
    assert_close(step(layer, x), found, rtol=0, atol=0)
    assert len(moved) <= 3


@pytest.mark.parametrize("frozen", ["weight", "center_weight", "bias", "input"])
def test_what_is_frozen_gets_no_gradient(layer_and_input, frozen):
    layer, x = layer_and_input
    tensors = {**dict(layer.named_parameters()), "input": x}
    everything = dict(zip(["y", "input", *dict(layer.named_parameters())], step(layer, x), strict=True))
    tensors[frozen].requires_grad_(False)
    y = layer(x)
    wanted = {name: tensor for name, tensor in tensors.items() if tensor.requires_grad}
    found = torch.autograd.grad(y.square().sum(), list(wanted.values()))
    for name, gradient in zip(wanted, found, strict=True):
        assert_close(gradient, everything[name], rtol=1e-4, atol=1e-4)
