"""Mixing before pooling gives what pooling before mixing gives, and is chosen where it is cheaper."""

from contextlib import contextmanager

import pytest
import torch
from hypothesis import assume, given
from torch.autograd import gradcheck, gradgradcheck

from lpsc_nd import LPSConv2d, LPSConv3d
from lpsc_nd.pooling import bags, mix_first, plan, slabs
from lpsc_nd.pooling.costs import grads_apart, mixes_first
from lpsc_nd.pooling.shapes import Shapes
from lpsc_nd.testing import layer_cases


@contextmanager
def order(*, mixing, elements=None):
    """Make the bag engine mix first, or pool first, whatever it costs; optionally in blocks of other sizes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bags, "mixes_first", lambda *_: mixing)
        patch.setattr(bags, "grads_apart", lambda *_: mixing)
        if elements:
            patch.setattr(mix_first, "BLOCK_ELEMENTS", elements)
            patch.setattr(plan, "MIXED_ELEMENTS", 4 * elements)
            patch.setattr(slabs, "FEWEST_WINDOWS", 0)
            patch.setattr(plan, "TILE_ENTRIES", elements)
            patch.setattr(plan, "TILE_SITES", (1, elements))
            plan.transposed_plan.cache_clear()
        yield
    plan.transposed_plan.cache_clear()


def results(layer, x):
    """Return output and all first gradients."""
    leaves = [x.detach().requires_grad_(), *layer.parameters()]
    y = layer(leaves[0])
    cotangent = torch.cos(torch.arange(y.numel(), dtype=torch.float64)).view_as(y).to(y.dtype)
    return [y, *torch.autograd.grad(y, leaves, cotangent)]


def assert_same(found, expected, tolerance=1e-9):
    for got, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(got, wanted, rtol=tolerance, atol=tolerance)


@given(case=layer_cases())
def test_both_orders_equal_the_reference(case):
    assume(case.arguments["groups"] == 1)
    x, layer = case.input(), case.layer(engine="bags")
    expected = results(case.layer(engine="reference"), x)
    for mixing in (False, True):
        with order(mixing=mixing):
            assert_same(results(layer, x), expected)


@pytest.mark.parametrize("elements", [1, 2**7])
@given(case=layer_cases())
def test_any_blocking_gives_the_same_numbers(elements, case):
    assume(case.arguments["groups"] == 1)
    x, layer = case.input(), case.layer(engine="bags")
    with order(mixing=True):
        expected = results(layer, x)
    with order(mixing=True, elements=elements):
        assert_same(results(layer, x), expected)


@pytest.mark.parametrize("stride", [1, 2])
def test_second_derivatives(stride):
    layer = LPSConv2d(2, 1, 5, stride, 2, num_levels=1, engine="bags", dtype=torch.float64)
    names = [name for name, _ in layer.named_parameters()]

    def run(x, *parameters):
        return torch.func.functional_call(layer, dict(zip(names, parameters, strict=True)), (x,))

    x = torch.randn(2, 2, 5, 4, dtype=torch.float64, requires_grad=True)
    with order(mixing=True):
        assert gradcheck(run, (x, *layer.parameters()))
        assert gradgradcheck(run, (x, *layer.parameters()))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_types_and_layouts(dtype, layout):
    layer = LPSConv2d(16, 2, 9, padding=4, engine="bags", dtype=dtype)
    x = torch.randn(2, 16, 12, 12, dtype=dtype).contiguous(memory_format=layout)
    with order(mixing=False):
        expected = layer(x)
    with order(mixing=True):
        found = layer(x)
    assert found.dtype == dtype
    assert found.is_contiguous(memory_format=layout)
    assert_same([found], [expected], 1e-5 if dtype == torch.float32 else 1e-2)


def window_of(kernel_size, stride=1):
    return LPSConv2d(1, 1, kernel_size, stride, kernel_size // 2).window


@pytest.mark.parametrize(
    ("in_channels", "out_channels", "groups", "expected"),
    [(64, 1, 1, True), (256, 21, 1, True), (64, 64, 1, False), (16, 64, 1, False), (64, 2, 2, False)],
)
def test_the_order_follows_the_channels(in_channels, out_channels, groups, expected):
    assert mixes_first(window_of(9), (1, 1), (32, 32), in_channels, out_channels, groups) is expected


def test_gradients_are_taken_apart_where_the_input_has_few_channels():
    assert grads_apart(window_of(9), Shapes(1, 2, 256, 1, (32, 32)))
    assert not grads_apart(window_of(9), Shapes(1, 64, 64, 1, (32, 32)))


def test_a_volume_that_no_slab_holds_is_pooled_first():
    window = LPSConv3d(1, 1, 11, padding=5).window
    assert mixes_first(window, (1, 1, 1), (16, 16, 16), 64, 1, 1)
    assert not mixes_first(window, (1, 1, 1), (128, 128, 128), 64, 48, 1)


@pytest.mark.usefixtures("without_kernels")
def test_a_batch_takes_the_same_order_as_an_image():
    layer, x = LPSConv2d(64, 2, 9, padding=4, engine="bags"), torch.randn(5, 64, 20, 20)
    torch.testing.assert_close(layer(x)[3:4], layer(x[3:4]), rtol=0, atol=0)
