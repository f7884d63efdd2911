"""Depthwise convolutions give the same in every memory format, and take the one that is fast on the processor."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from lpsc_nd import LPSConv1d, LPSConv2d, LPSConv3d, LPSConvNd
from lpsc_nd.pooling import depthwise
from lpsc_nd.pooling.compiled_layout import KERNELS
from lpsc_nd.pooling.depthwise_costs import by_kernel, pools_first
from lpsc_nd.pooling.layout import CHANNELS_LAST
from lpsc_nd.pooling.rates import AMD, AVX2, INTEL, ZEN4

WIDEST = {"AVX2": (9, 9), "AVX-512": (13, 10)}
"""Widest kernels for which the default layout is fast, and channels last as well."""

LAYERS = {
    "narrow": lambda engine: LPSConv2d(6, 6, 5, padding=2, groups=6, num_levels=1, engine=engine),
    "between": lambda engine: LPSConv2d(6, 6, 11, padding=5, groups=6, engine=engine),
    "wide": lambda engine: LPSConv2d(6, 6, 17, padding=(8, 3), groups=6, engine=engine),
    "strided": lambda engine: LPSConv2d(6, 6, 17, stride=2, padding=8, groups=6, engine=engine),
    "uneven": lambda engine: LPSConv2d(6, 6, 16, padding="same", groups=6, engine=engine),
    "line": lambda engine: LPSConv1d(6, 6, 5, padding=2, groups=6, num_levels=1, num_directions=2, engine=engine),
    "wide line": lambda engine: LPSConv1d(6, 6, 17, padding=8, groups=6, num_directions=2, engine=engine),
    "wide strided line": lambda engine: LPSConv1d(6, 6, 17, 3, 8, groups=6, num_directions=2, engine=engine),
    "uneven line": lambda engine: LPSConv1d(6, 6, 16, padding="same", groups=6, num_directions=2, engine=engine),
    "two filters each": lambda engine: LPSConv2d(6, 12, 11, padding=5, groups=6, engine=engine),
    "four axes": lambda engine: LPSConvNd(4, 6, 6, 3, padding=1, groups=6, num_directions=(1, 1, 2), engine=engine),
    "volume": lambda engine: LPSConv3d(6, 6, (3, 11, 5), padding=(1, 5, 2), groups=6, num_levels=1, engine=engine),
}


@pytest.fixture(params=WIDEST)
def processor(monkeypatch, request, without_kernels):
    narrow, narrow_last = WIDEST[request.param]
    monkeypatch.setattr(depthwise, "NARROW", narrow)
    monkeypatch.setattr(depthwise, "NARROW_LAST", narrow_last)
    monkeypatch.setattr(depthwise, "pools_first", lambda *_: False)
    return request.param


@pytest.mark.filterwarnings("ignore:.* regions are empty")
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("name", LAYERS)
def test_outputs_and_gradients_are_those_of_the_definition(processor, name, channels_last, dtype):
    compare_with_the_definition(name, channels_last, dtype)


@pytest.mark.usefixtures("without_kernels")
@pytest.mark.filterwarnings("ignore:.* regions are empty")
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("name", LAYERS)
def test_so_are_they_where_channels_are_pooled_first(monkeypatch, name, channels_last, dtype):
    monkeypatch.setattr(depthwise, "pools_first", lambda *_: True)
    compare_with_the_definition(name, channels_last, dtype)


def compare_with_the_definition(name, channels_last, dtype):
    torch.manual_seed(0)
    layer, reference = LAYERS[name]("bags").to(dtype), LAYERS[name]("reference").to(dtype)
    reference.load_state_dict(layer.state_dict())
    x = torch.randn(3, 6, *((20, 19, 8)[: layer.ndim] if layer.ndim < 4 else (4, 5, 3, 4)), dtype=dtype)
    if channels_last and x.ndim in CHANNELS_LAST:
        x = x.contiguous(memory_format=CHANNELS_LAST[x.ndim])
    results = []
    for each in (layer, reference):
        leaf = x.clone(memory_format=torch.preserve_format).requires_grad_()
        y = each(leaf)
        cotangent = torch.cos(torch.arange(y.numel())).view_as(y).to(dtype)
        results.append([y, *torch.autograd.grad(y, [leaf, *each.parameters()], cotangent)])
    tolerance = {torch.float64: 1e-10, torch.float32: 2e-4, torch.bfloat16: 6e-2}[dtype]
    for found, expected in zip(*results, strict=True):
        assert_close(found, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("width", [9, 11, 13, 15])
def test_planes_are_convolved_in_the_fast_layout(monkeypatch, processor, width, channels_last):
    seen = []
    original = depthwise._dense
    monkeypatch.setattr(depthwise, "_dense", lambda x, *others: seen.append(x.stride(1) == 1) or original(x, *others))
    layout = torch.channels_last if channels_last else torch.contiguous_format
    x = torch.randn(2, 6, 20, 20).contiguous(memory_format=layout)
    y = LPSConv2d(6, 6, width, padding=6, groups=6)(x)
    narrow, narrow_last = WIDEST[processor]
    fast = channels_last if width <= narrow_last else width > narrow
    assert set(seen) == {fast}
    assert y.is_contiguous(memory_format=layout)


@pytest.mark.parametrize("width", [9, 15])
def test_wide_lines_are_convolved_with_channels_inside(monkeypatch, processor, width):
    seen = []
    original = depthwise._dense
    monkeypatch.setattr(depthwise, "_dense", lambda x, *others: seen.append(x.stride(1) == 1) or original(x, *others))
    y = LPSConv1d(6, 6, width, padding=width // 2, groups=6, num_directions=2)(torch.randn(2, 6, 30))
    assert set(seen) == {width > WIDEST[processor][0]}
    assert y.is_contiguous()


@pytest.mark.parametrize(("rates", "expected"), [(AVX2, True), (AMD, False), (INTEL, False), (ZEN4, False)])
def test_large_windows_are_pooled_first_on_slow_processors(rates, expected):
    assert pools_first(LPSConv2d(64, 64, 31, padding=15, groups=64, num_levels=3).window, 64, rates) is expected
    assert not pools_first(LPSConv2d(64, 64, 9, padding=4, groups=64).window, 64, rates)


@pytest.mark.usefixtures("without_kernels")
def test_where_pooling_comes_first_no_convolution_is_called_and_explain_says_so(monkeypatch):
    monkeypatch.setattr(depthwise, "pools_first", lambda *_: True)
    monkeypatch.setattr(depthwise, "_dense", None)
    layer = LPSConv2d(6, 6, 13, padding=6, groups=6)
    layer(torch.randn(1, 6, 20, 20, requires_grad=True)).sum().backward()
    assert "summed sooner" in layer.explain((1, 6, 20, 20)).reason


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_batch_without_images(ndim, stride):
    layer = LPSConvNd(ndim, 4, 4, 5, stride, 2, groups=4, num_levels=1)
    x = torch.zeros(0, 4, *(9,) * ndim, requires_grad=True)
    y = layer(x)
    assert y.shape == layer.to_conv()(x).shape
    gx, gw = torch.autograd.grad(y.sum(), [x, layer.weight])
    assert gx.shape == x.shape
    assert not gw.any()


@pytest.mark.skipif(KERNELS is None, reason="no kernels were compiled for this processor")
def test_kernels_run_what_they_run_sooner():
    def runs(width, channels_last):
        window = LPSConv2d(64, 64, width, padding=width // 2, groups=64, num_levels=1).window
        return by_kernel(window, 64, 64, 64, channels_last, INTEL)

    assert runs(31, True)
    assert runs(31, False)
    assert not runs(3, True)
    assert [runs(width, False) for width in (3, 5, 7, 9)] >= [runs(width, True) for width in (3, 5, 7, 9)]
    window = LPSConv2d(64, 128, 31, padding=15, groups=64).window
    assert not by_kernel(window, 64, 128, 64, True)
