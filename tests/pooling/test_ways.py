"""Every way of the bag engine gives what tiles give."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch.autograd import gradcheck, gradgradcheck

from lpsc_nd import LPSConv1d, LPSConv2d, LPSConv3d, Stencil
from lpsc_nd.pooling import across_images, bags, side_by_side, site_by_site, whole_images
from lpsc_nd.pooling.compiled_layout import KERNELS
from lpsc_nd.pooling.window import Window
from lpsc_nd.testing import layer_cases

APART = ("across images", "site by site")
"""Ways that give the two gradients each by itself."""

TOGETHER = ("side by side", "whole images", *(["compiled"] if KERNELS else []))
"""Ways that give them both from one pooling as well."""

OTHERS = (*APART, *TOGETHER)

ORDERS = [*((way, True) for way in OTHERS), *((way, False) for way in TOGETHER)]
"""Ways, and whether they give gradients apart."""


def takes(way, name, window, shapes):
    """Tell whether a way can run a pass at all."""
    if shapes.groups > 1 or window.num_bags == 0:
        return way == "tiles"
    return way != "side by side" or name != "input_grad" or all(step == 1 for step in window.stride)


@contextmanager
def running(way, elements=None, apart=True):
    """Make the bag engine run so, whatever it costs; optionally with groups of other sizes, or gradients together."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bags, "cheapest_way", lambda *call: way if takes(way, *call[:3]) else "tiles")
        patch.setattr(bags, "grads_apart", lambda *_: apart and way != "tiles")
        if elements is not None:
            patch.setattr(across_images, "GROUP_ELEMENTS", elements)
            patch.setattr(side_by_side, "POOLED_ELEMENTS", elements)
            patch.setattr(site_by_site, "POOLED_ELEMENTS", elements)
            patch.setattr(whole_images, "POOLED_ELEMENTS", elements)
            patch.setattr(whole_images, "ELEMENTS_PER_WEIGHT", 0)
        yield


def results(layer, x):
    """Return output and all first gradients."""
    leaves = [x.detach().requires_grad_(), *layer.parameters()]
    y = layer(leaves[0])
    cotangent = torch.cos(torch.arange(y.numel(), dtype=torch.float64)).view_as(y).to(y.dtype)
    return [y, *torch.autograd.grad(y, leaves, cotangent)]


def assert_same(found, expected, tolerance=1e-9):
    for got, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(got, wanted, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("way", "apart"), ORDERS)
@given(case=layer_cases())
def test_every_way_equals_the_reference(way, apart, case):
    assume(case.arguments["groups"] == 1)
    x = case.input()
    expected = results(case.layer(engine="reference"), x)
    with running(way, apart=apart):
        assert_same(results(case.layer(engine="bags"), x), expected)


@pytest.mark.parametrize("way", OTHERS)
@pytest.mark.parametrize("elements", [0, 2**8])
@given(case=layer_cases(), batch=st.integers(1, 7))
def test_any_grouping_gives_the_same_numbers(way, elements, case, batch):
    assume(case.arguments["groups"] == 1)
    x, layer = case.input(), case.layer(engine="bags")
    batched = torch.stack([(x if x.ndim == layer.ndim + 1 else x[0]) * (image + 1) for image in range(batch)])
    with running("tiles"):
        expected = results(layer, batched)
    with running(way, elements):
        assert_same(results(layer, batched), expected)


@pytest.mark.parametrize(("way", "apart"), ORDERS)
@given(case=layer_cases(), threads=st.integers(2, 3), batch=st.integers(1, 5))
def test_any_number_of_threads_gives_the_same_numbers(on_threads, way, apart, case, threads, batch):
    assume(case.arguments["groups"] == 1)
    x, layer = case.input(), case.layer(engine="bags")
    batched = torch.stack([(x if x.ndim == layer.ndim + 1 else x[0]) * (image + 1) for image in range(batch)])
    with running(way, apart=apart):
        expected = results(layer, batched)
        with on_threads(threads):
            assert_same(results(layer, batched), expected)


@pytest.mark.parametrize("way", OTHERS)
@pytest.mark.parametrize("stride", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_second_derivatives(way, stride):
    layer = LPSConv2d(1, 2, 5, stride, 2, num_levels=1, engine="bags", dtype=torch.float64)
    names = [name for name, _ in layer.named_parameters()]

    def run(x, *parameters):
        return torch.func.functional_call(layer, dict(zip(names, parameters, strict=True)), (x,))

    x = torch.randn(3, 1, 5, 4, dtype=torch.float64, requires_grad=True)
    with running(way):
        assert gradcheck(run, (x, *layer.parameters()))
        assert gradgradcheck(run, (x, *layer.parameters()))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("way", OTHERS)
@pytest.mark.parametrize("layouts", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_types_and_layouts_of_input_and_gradient(dtype, way, layouts):
    of_x, of_gy = ((torch.contiguous_format, torch.channels_last)[layout] for layout in layouts)
    layer = LPSConv2d(3, 8, 5, 2, 2, num_levels=1, engine="bags", dtype=dtype)
    x = torch.randn(6, 3, 12, 10, dtype=dtype).contiguous(memory_format=of_x).requires_grad_()
    found = []
    for run in ("tiles", way):
        with running(run):
            y = layer(x)
            assert y.dtype == dtype
            assert y.is_contiguous(memory_format=of_x)
            gy = torch.sin(torch.arange(y.numel())).view_as(y).to(dtype).contiguous(memory_format=of_gy)
            found.append([y, *torch.autograd.grad(y, [x, *layer.parameters()], gy)])
    assert found[1][1].is_contiguous(memory_format=of_gy)
    assert_same(found[1], found[0], 2e-5 if dtype == torch.float32 else 2e-2)


@pytest.mark.parametrize("way", OTHERS)
def test_three_axes_and_one(way):
    for layer, size in (
        (LPSConv3d(2, 5, 5, 2, 2, num_levels=1, engine="bags"), (7, 6, 9)),
        (LPSConv1d(2, 5, 21, padding=10, engine="bags"), (40,)),
    ):
        x = torch.randn(9, 2, *size)
        expected = layer.to_conv()(x)
        with running(way):
            torch.testing.assert_close(layer(x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("module", "masks"),
    [
        (across_images, ([[0, 3, 1]], [[0, 0, 0]])),
        (side_by_side, ([[0, 3, 1]],)),  # without regions it is never chosen
        (site_by_site, ([[0, 3, 1]],)),
        (whole_images, ([[0, 3, 1]], [[0, 0, 0]])),
    ],
)
def test_regions_without_cells_and_masks_without_regions(module, masks):
    for mask in masks:
        stencil = Stencil.from_mask(mask, num_regions=3)
        window = Window(stencil, False, (1, 1), (1, 1), ((0, 0), (1, 1)))
        x, weight = torch.randn(4, 2, 3, 5), torch.randn(6, 2, 3)
        y = module.conv(x, weight, None, window)
        with running("tiles"):
            torch.testing.assert_close(y, bags.conv(x, weight, None, window, 1))
        grad = module.weight_grad(x, y, window)
        assert grad[:, :, stencil.counts == 0].count_nonzero() == 0
        assert module.input_grad(y, weight, window, (3, 5)).isfinite().all()
