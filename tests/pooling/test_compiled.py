"""Compiled kernels give what the tiles of the bag engine give, within their memory, on any layout and any threads."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch.testing import assert_close
from torch.testing._internal.two_tensor import TwoTensor

from lpsc_nd import LPSConv2d, Stencil
from lpsc_nd.pooling import (
    bags,
    compiled,
    compiled_costs,
    compiled_depthwise,
    compiled_layout,
    compiled_pass,
    depthwise,
)
from lpsc_nd.pooling.compiled_layout import KERNELS
from lpsc_nd.pooling.shapes import Shapes
from lpsc_nd.pooling.window import Window
from tests.pooling.kernel_cases import ALL_KERNELS, LAYOUTS, SENTINEL, KernelCase, doublings, kernel_cases, kernels_of

pytestmark = pytest.mark.skipif(KERNELS is None, reason="no kernels were compiled for this processor")

TOLERANCE = {torch.float64: 1e-10, torch.float32: 3e-4, torch.bfloat16: 5e-2}


WITHOUT_CELLS = KernelCase(
    window=Window(Stencil.from_mask([1, 2, 4, 2, 4, 2, 4, 2, 4, 1], num_regions=4), False, (1,), (1,), ((5, 4),)),
    batch=1,
    size=(150,),
    channels=40,
    filters=32,
    groups=1,
    seed=0,
)
"""A case whose third bag has no cells, and is summed together with the fourth, in vectors of 64 bytes."""


def by_tiles(case, x, weight, bias, gy):
    """Return output, input gradient and weight gradient in float64, by the tiles of the bag engine."""
    x, weight, bias, gy = (tensor.double() for tensor in (x, weight, bias, gy))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled_layout, "KERNELS", None)
        patch.setattr(depthwise, "pools_first", lambda *_: True)
        patch.setattr(bags, "cheapest_way", lambda *_: "tiles")
        patch.setattr(bags, "mixes_first", lambda *_: False)
        y = bags.conv(x, weight, bias, case.window, case.groups)
        gx = bags.input_grad(gy, weight, case.window, case.groups, list(case.size))
        return y, gx, bags.weight_grad(x, gy, case.window, case.groups)


def assert_like(found, expected, dtype):
    scale = max(1.0, expected.abs().max().item())
    assert_close(found.double() / scale, expected / scale, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("kernels", ALL_KERNELS)
@given(case=kernel_cases(), small_tables=st.booleans(), doubled=doublings())
def test_all_passes_equal_those_by_tiles(kernels, dtype, layout, case, small_tables, doubled):
    x, weight, bias, gy = case.tensors(dtype, layout)
    y, gx, gw = by_tiles(case, x, weight, bias, gy)
    with kernels_of(kernels, small_tables, doubled):
        assert_like(compiled.conv(x, weight, bias, case.window), y, dtype)
        assert_like(compiled.input_grad(gy, weight, case.window, case.size), gx, dtype)
        assert_like(compiled.weight_grad(x, gy, case.window), gw, dtype)
        if all(step == 1 for step in case.window.stride):
            both = compiled.both_grads(x, gy, weight, case.window)
            assert_like(both[0], gx, dtype)
            assert_like(both[1], gw, dtype)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("kernels", ALL_KERNELS)
@given(case=kernel_cases(most=80, beside=True), small_tables=st.booleans(), doubled=doublings())
@example(case=WITHOUT_CELLS, small_tables=False, doubled=None)
def test_bags_that_are_summed_beside_products(kernels, dtype, case, small_tables, doubled):
    x, weight, bias, gy = case.tensors(dtype)
    y, gx, gw = by_tiles(case, x, weight, bias, gy)
    with kernels_of(kernels, small_tables, doubled):
        assert_like(compiled.conv(x, weight, bias, case.window), y, dtype)
        assert_like(compiled.input_grad(gy, weight, case.window, case.size), gx, dtype)
        assert_like(compiled.weight_grad(x, gy, case.window), gw, dtype)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("kernels", ALL_KERNELS)
@given(case=kernel_cases(depthwise=True), small_tables=st.booleans(), doubled=doublings())
def test_depthwise_passes_equal_those_by_tiles(kernels, dtype, layout, case, small_tables, doubled):
    x, weight, bias, gy = case.tensors(dtype, layout)
    y, gx, gw = by_tiles(case, x, weight, bias, gy)
    with kernels_of(kernels, small_tables, doubled):
        assert_like(compiled_depthwise.conv(x, weight, bias, case.window), y, dtype)
        assert_like(compiled_depthwise.input_grad(gy, weight, case.window, case.size), gx, dtype)
        assert_like(compiled_depthwise.weight_grad(x, gy, case.window), gw, dtype)


@given(case=kernel_cases(), threads=st.integers(2, 4))
def test_any_number_of_threads_gives_the_same(on_threads, case, threads):
    x, weight, bias, gy = case.tensors(torch.float32)
    y, gw = compiled.conv(x, weight, bias, case.window), compiled.weight_grad(x, gy, case.window)
    with on_threads(threads):
        assert_close(
            compiled.conv(x, weight, bias, case.window), y, rtol=1e-5, atol=1e-5
        )  # tables may be cut otherwise
        again = [compiled.weight_grad(x, gy, case.window) for _ in range(3)]
    assert_like(again[0], gw.double(), torch.float32)
    assert torch.equal(again[0], again[1])
    assert torch.equal(again[0], again[2])


@given(case=kernel_cases(most=6))
def test_half_precision_is_converted_some_images_at_a_time(case):
    x, weight, bias, gy = case.tensors(torch.bfloat16)
    weight, bias = weight.float(), bias.float()
    y, gx, gw = by_tiles(case, x, weight, bias, gy)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled_pass, "CONVERTED_ELEMENTS", 1)
        for found, expected in (
            (compiled.conv(x, weight, bias, case.window), y),
            (compiled.input_grad(gy, weight, case.window, case.size), gx),
        ):
            assert found.dtype == torch.bfloat16
            assert_like(found, expected, torch.bfloat16)
        found = compiled.weight_grad(x, gy, case.window)
        assert found.dtype == torch.float32
        assert_like(found, gw, torch.float32)


@given(case=kernel_cases(), shifted=st.integers(0, 1))
def test_nothing_is_written_beside_an_output(case, shifted):
    x, weight, bias, _ = case.tensors(torch.float32)
    sites = case.window.output_size(case.size)
    large = torch.full((case.batch + 2, case.filters + 2, *(n + 2 for n in sites)), SENTINEL)
    inner = (slice(1, -1), slice(1, -1), *(slice(shifted, n + shifted) for n in sites))
    weights = compiled_layout.by_bag(weight, (2, 1, 0))
    ones = (1,) * case.window.ndim
    arguments = (x, weights, compiled_layout.bias_vectors(bias), large[inner])
    compiled_pass.run_pass("mixed", case.window, ones, *arguments)
    assert_close(large[inner], compiled.conv(x, weight, bias, case.window))
    large[inner] = SENTINEL
    assert torch.equal(large, torch.full_like(large, SENTINEL))


@pytest.mark.parametrize("run", ["conv", "weight_grad", "input_grad"])
def test_values_that_are_not_in_memory(run):
    window, (x, gy) = LPSConv2d(5, 5, 5, padding=2, num_levels=1).window, torch.randn(2, 1, 5, 8, 10)
    weight = torch.randn(5, 5, window.num_bags)
    negated = torch.complex(torch.zeros_like(x), -x).conj().imag
    assert negated.is_neg()
    assert_close(negated, x)
    zero = torch._efficientzerotensor(x.shape)
    calls = {
        "conv": lambda x: compiled.conv(x, weight, None, window),
        "weight_grad": lambda x: compiled.weight_grad(x, gy, window),
        "input_grad": lambda x: compiled.input_grad(x, weight, window, (8, 10)),
    }
    call = calls[run]
    assert_close(call(negated), call(x), rtol=0, atol=0)
    assert not call(zero).any()
    turned = torch.complex(torch.zeros_like(weight), -weight).conj().imag
    if run == "conv":
        assert_close(compiled.conv(x, turned, None, window), call(x), rtol=0, atol=0)


def test_infinities_stay_where_they_are():
    layer = LPSConv2d(20, 20, 5, padding=2, num_levels=1, engine="bags").requires_grad_(False)
    x = torch.randn(1, 20, 30, 30)
    x[0, 3, 0, 0] = math.inf
    y = compiled.conv(x, layer.weight.new_ones(20, 20, layer.window.num_bags), None, layer.window)
    assert y[..., 3:, :].isfinite().all()
    assert y[..., :, 3:].isfinite().all()
    assert y[..., :3, :3].isinf().any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_an_empty_batch(dtype):
    window, weight = LPSConv2d(3, 4, 5, padding=2, num_levels=1).window, torch.randn(4, 3, 7)
    x, gy = torch.zeros(0, 3, 9, 9, dtype=dtype), torch.zeros(0, 4, 9, 9, dtype=dtype)
    assert compiled.conv(x, weight, None, window).shape == gy.shape
    assert compiled.input_grad(gy, weight, window, (9, 9)).shape == x.shape
    gx, gw = compiled.both_grads(x, gy, weight, window)
    assert gx.shape == x.shape
    assert gw.shape == weight.shape
    assert not gw.any()


def test_more_axes_than_a_kernel_has_are_left_to_others():
    window = LPSConv2d(1, 1, 3, num_levels=1).window
    assert compiled_costs.suits(window, 1)
    assert not compiled_costs.suits(window, 2)


@pytest.mark.parametrize("name", ["weight", "center_weight", "bias"])
@pytest.mark.parametrize("groups", [1, 16])
def test_parameters_of_another_type_are_not_read_by_address(name, groups):
    layer = LPSConv2d(16, 16, 31, padding=15, groups=groups, num_levels=3, engine="bags").requires_grad_(False)
    torch.nn.init.normal_(layer.bias)
    x = torch.randn(1, 16, 20, 20)
    expected, plain = layer(x), getattr(layer, name)
    delattr(layer, name)
    wrapped = TwoTensor(plain.detach(), plain.detach().clone())  # which has no memory of its own
    setattr(layer, name, torch.nn.Parameter(wrapped, requires_grad=False))
    with torch.no_grad():
        assert_close(layer(x).a, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("groups", [1, 16])
def test_a_tensor_whose_memory_was_freed_is_refused(groups):
    layer = LPSConv2d(16, 16, 31, padding=15, groups=groups, num_levels=3, engine="bags").requires_grad_(False)
    x = torch.randn(1, 16, 20, 20)
    x.untyped_storage().resize_(0)
    with pytest.raises(RuntimeError, match="no memory on the CPU"):
        layer(x)


def test_large_images_in_half_precision_are_left_to_tiles():
    layer, shapes = LPSConv2d(32, 32, 11, padding=5), Shapes(1, 32, 32, 1, (300, 300))
    half, whole = torch.empty(0, dtype=torch.bfloat16), torch.empty(0)
    assert bags._way("forward", layer.window, shapes, whole) == "compiled"
    assert bags._way("forward", layer.window, shapes, half) != "compiled"


def test_a_profiler_sees_the_kernels():
    layer, x = LPSConv2d(16, 16, 9, padding=4, engine="bags").requires_grad_(False), torch.randn(2, 16, 20, 20)
    with torch.profiler.profile() as profile:
        layer(x)
    assert "lpsc::compiled_mixed" in {event.key for event in profile.key_averages()}


def test_tables_too_large_for_32_bits_are_refused():
    far = 2**31 // compiled_costs.LANES
    window = Window(Stencil.from_mask([1, 1], num_regions=1), True, (1,), (far,), ((0, 0),))
    x = torch.zeros(1, 1).expand(1, far + 1).unsqueeze(1)  # of one value
    assert not compiled_costs.suits(window, 1)  # so that other ways run it
    assert not compiled_costs.suits_depthwise(window, 2, 2, 2)
    with pytest.raises(ValueError, match="needs a table"):
        compiled_pass.compiled_pass("mixed", window, (1,), x)
