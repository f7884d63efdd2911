"""Rows across the images of a batch give what tiles give, and are chosen where they are cheaper."""

from __future__ import annotations

import math
from contextlib import contextmanager

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch.autograd import gradcheck, gradgradcheck

from lpsc_nd import LPSConv1d, LPSConv2d, LPSConv3d, Stencil
from lpsc_nd.pooling import across_costs, across_images, bags
from lpsc_nd.pooling.across_index import adjoint_index, bag_index
from lpsc_nd.pooling.costs import bags_seconds, runs_across
from lpsc_nd.pooling.shapes import PASSES, Shapes
from lpsc_nd.pooling.window import Window
from lpsc_nd.testing import layer_cases


@contextmanager
def rows(*, across, elements=None):
    """Make rows run across the images, or not, whatever it costs; optionally in groups of other sizes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bags, "runs_across", lambda name, window, shapes: across and shapes.groups == 1)
        patch.setattr(bags, "grads_apart", lambda *_: across)
        if elements is not None:
            patch.setattr(across_images, "GROUP_ELEMENTS", elements)
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


@given(case=layer_cases())
def test_rows_across_images_equal_the_reference(case):
    assume(case.arguments["groups"] == 1)
    x = case.input()
    expected = results(case.layer(engine="reference"), x)
    with rows(across=True):
        assert_same(results(case.layer(engine="bags"), x), expected)


@pytest.mark.parametrize("elements", [0, 2**8])
@given(case=layer_cases(), batch=st.integers(1, 7))
def test_any_grouping_gives_the_same_numbers(elements, case, batch):
    assume(case.arguments["groups"] == 1)
    x, layer = case.input(), case.layer(engine="bags")
    batched = torch.stack([(x if x.ndim == layer.ndim + 1 else x[0]) * (image + 1) for image in range(batch)])
    with rows(across=False):
        expected = results(layer, batched)
    with rows(across=True, elements=elements):
        assert_same(results(layer, batched), expected)


@pytest.mark.parametrize("stride", [1, 2])
def test_second_derivatives(stride):
    layer = LPSConv2d(1, 2, 5, stride, 2, num_levels=1, engine="bags", dtype=torch.float64)
    names = [name for name, _ in layer.named_parameters()]

    def run(x, *parameters):
        return torch.func.functional_call(layer, dict(zip(names, parameters, strict=True)), (x,))

    x = torch.randn(3, 1, 5, 4, dtype=torch.float64, requires_grad=True)
    with rows(across=True):
        assert gradcheck(run, (x, *layer.parameters()))
        assert gradgradcheck(run, (x, *layer.parameters()))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("layouts", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_types_and_layouts_of_input_and_gradient(dtype, layouts):
    of_x, of_gy = ((torch.contiguous_format, torch.channels_last)[layout] for layout in layouts)
    layer = LPSConv2d(3, 8, 5, 2, 2, num_levels=1, engine="bags", dtype=dtype)
    x = torch.randn(6, 3, 12, 10, dtype=dtype).contiguous(memory_format=of_x).requires_grad_()
    found = []
    for across in (False, True):
        with rows(across=across):
            y = layer(x)
            assert y.dtype == dtype
            assert y.is_contiguous(memory_format=of_x)
            gy = torch.sin(torch.arange(y.numel())).view_as(y).to(dtype).contiguous(memory_format=of_gy)
            found.append([y, *torch.autograd.grad(y, [x, *layer.parameters()], gy)])
    assert found[1][1].is_contiguous(memory_format=of_gy)
    assert_same(found[1], found[0], 2e-5 if dtype == torch.float32 else 2e-2)


def test_three_axes_and_one():
    for layer, size in (
        (LPSConv3d(2, 5, 5, 2, 2, num_levels=1, engine="bags"), (7, 6, 9)),
        (LPSConv1d(2, 5, 21, padding=10, engine="bags"), (40,)),
    ):
        x = torch.randn(9, 2, *size)
        expected = layer.to_conv()(x)
        with rows(across=True):
            torch.testing.assert_close(layer(x), expected, rtol=1e-4, atol=1e-5)


def test_regions_without_cells_and_masks_without_regions():
    for mask in ([[0, 3, 1]], [[0, 0, 0]]):
        stencil = Stencil.from_mask(mask, num_regions=3)
        window = Window(stencil, False, (1, 1), (1, 1), ((0, 0), (1, 1)))
        x, weight = torch.randn(4, 2, 3, 5), torch.randn(6, 2, 3)
        y = across_images.conv(x, weight, None, window)
        with rows(across=False):
            torch.testing.assert_close(y, bags.conv(x, weight, None, window, 1))
        grad = across_images.weight_grad(x, y, window)
        assert grad[:, :, stencil.counts == 0].count_nonzero() == 0
        assert across_images.input_grad(y, weight, window, (3, 5)).isfinite().all()


def as_matrix(index, columns):
    """Write a gather index as a dense matrix of counts."""
    indices, offsets = (part.long() for part in index)
    matrix = torch.zeros(len(offsets) - 1, columns)
    row = torch.repeat_interleave(torch.arange(len(offsets) - 1), offsets.diff())
    return matrix.index_put((row, indices), torch.ones(len(indices)), accumulate=True)


@given(case=layer_cases(padding_modes=("zeros",)), channels=st.integers(1, 2))
def test_the_adjoint_index_is_the_transpose_without_the_padding(case, channels):
    window, size = case.layer().window, case.input_shape[-case.arguments["ndim"] :]
    padded, sites = window.padded_size(size), window.output_size(size)
    forward = as_matrix(bag_index(window, channels, size, 0), channels * math.prod(padded))
    forward = forward.view(len(forward), channels, *padded)
    for axis, (before, _) in enumerate(window.padding, start=2):
        forward = forward.narrow(axis, before, size[axis - 2])
    adjoint = as_matrix(adjoint_index(window, channels, size), channels * window.num_bags * math.prod(sites))
    assert torch.equal(forward.flatten(1).T, adjoint)


def stem(stride=4):
    return LPSConv2d(3, 64, 11, stride, 5, num_levels=3).window


@pytest.mark.parametrize("name", PASSES)
def test_many_small_images_of_few_channels_are_run_so(name):
    assert runs_across(name, stem(), Shapes(128, 3, 64, 1, (32, 32)))
    assert not runs_across(name, stem(), Shapes(2, 3, 64, 1, (32, 32)))
    assert not runs_across(name, stem(), Shapes(128, 16, 64, 1, (32, 32)))
    assert not runs_across(name, stem(), Shapes(128, 3, 63, 3, (32, 32)))
    assert not runs_across(name, stem(), Shapes(128, 3, 64, 1, (512, 512)))


def test_no_index_is_large(monkeypatch):
    shapes = Shapes(128, 3, 64, 1, (32, 32))
    assert across_costs.suits(stem(), shapes)
    entries = len(adjoint_index(stem(), 3, (32, 32))[0])
    monkeypatch.setattr(across_costs, "MOST_ENTRIES", entries // 2)
    assert not across_costs.suits(stem(), shapes)


def test_the_cost_counts_only_the_passes_that_are_made():
    costs = [bags_seconds(stem(), Shapes(128, 3, 64, 1, (32, 32), kind)) for kind in ("none", "parameters", "all")]
    assert costs[0] < costs[1] < costs[2]
