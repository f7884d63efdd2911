"""Cells that never meet the input are left out, and nothing changes by it."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lpsc_nd import LPSConv1d, LPSConv2d
from lpsc_nd.pooling import execute
from lpsc_nd.pooling.trim import trimmed
from lpsc_nd.testing import MaskPartition, layer_cases


def cells_needed(window, size):
    """Return, per axis, which positions hold a cell of a region that lies on the input for some site: one by one."""
    needed = []
    for axis, sites in enumerate(window.output_size(size)):
        before, stride, dilation = window.padding[axis][0], window.stride[axis], window.dilation[axis]
        found = set()
        for cell, site in itertools.product(range(window.stencil.kernel_size[axis]), range(sites)):
            held = window.stencil.mask.take(cell, axis).any()
            if held and 0 <= site * stride - before + cell * dilation < size[axis]:
                found.add(cell)
        needed.append(found)
    return needed


@given(case=layer_cases(ndim=st.integers(1, 3), padding_modes=("zeros",)))
def test_every_cell_that_adds_something_stays_in_its_place(case):
    window, size = case.layer().window, case.input_shape[-case.arguments["ndim"] :]
    shorter = trimmed(window, size)
    assert shorter.output_size(size) == window.output_size(size)
    for axis, needed in enumerate(cells_needed(window, size)):
        left_out = (window.padding[axis][0] - shorter.padding[axis][0]) // window.dilation[axis]
        kept = range(left_out, left_out + shorter.stencil.kernel_size[axis])
        assert needed <= set(kept)
        assert left_out + shorter.stencil.center[axis] == window.stencil.center[axis]


def test_a_causal_layer_keeps_its_past_and_present():
    window = LPSConv1d(4, 4, 65, padding=32, num_levels=4, causal=True).window
    shorter = trimmed(window, (500,))
    assert shorter.stencil.kernel_size == (33,)
    assert shorter.stencil.center == (32,)
    assert shorter.padding == ((32, 0),)


@pytest.mark.parametrize("engine", ["bags", "expand"])
@given(case=layer_cases(padding_modes=("zeros",)))
def test_values_and_gradients_are_the_reference_s(engine, case):
    x = case.input()
    found, expected = (results(case.layer(engine=name), x) for name in (engine, "reference"))
    for got, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-9, atol=1e-9)


def results(layer, x):
    """Return output and first gradients."""
    leaves = [x.detach().requires_grad_(), *layer.parameters()]
    y = layer(leaves[0])
    return [y, *torch.autograd.grad(y, leaves, torch.cos(torch.arange(y.numel(), dtype=y.dtype)).view_as(y))]


def test_published_second_layer_on_its_maps():
    window = LPSConv2d(64, 192, 9, padding=4, num_directions=6, growth=3.0).window
    shorter = trimmed(window, (4, 4))
    assert shorter.stencil.kernel_size == (7, 7)
    assert shorter.padding == ((3, 3), (3, 3))
    assert trimmed(window, (8, 8)) is window


@pytest.mark.filterwarnings("ignore:1 of 1 regions are empty")
@pytest.mark.parametrize("engine", ["bags", "expand"])
def test_a_centre_that_lies_beside_the_input_gives_the_bias(engine):
    layer = LPSConv1d(1, 1, 2, stride=3, padding=2, dilation=2, partition=MaskPartition((0, 0), (2,), 1), engine=engine)
    torch.testing.assert_close(layer(torch.ones(1, 1, 1)), layer.bias.view(1, 1, 1).detach())


def test_mean_is_still_over_all_cells():
    layer = LPSConv1d(1, 1, 9, padding=4, num_levels=1, center=False, bias=False)
    x = torch.ones(1, 1, 2)
    with torch.no_grad():
        layer.weight.fill_(1.0)
        assert layer.stencil.counts.tolist() == [4, 4]
        torch.testing.assert_close(layer(x), torch.full((1, 1, 2), 0.25))


def test_maximum_and_reference_keep_all_cells(monkeypatch):
    monkeypatch.setattr(execute, "trimmed", lambda *_: pytest.fail("trimmed"))
    x = -torch.ones(1, 2, 1, 1)
    LPSConv2d(2, 2, 9, padding=4, num_directions=6, growth=3.0, engine="reference")(x)
    y = LPSConv2d(2, 2, 9, padding=4, num_directions=6, growth=3.0, reduction="max", center=False, bias=False)(x)
    assert torch.equal(y, torch.zeros_like(y))  # every region holds padded zeros alone
