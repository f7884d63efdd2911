"""Every way of the bag engine gives what tiles give, and is chosen where it is cheaper."""

from __future__ import annotations

import itertools
import math
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch.autograd import gradcheck, gradgradcheck

from lpsc_nd import LPSConv1d, LPSConv2d, LPSConv3d, Stencil
from lpsc_nd.pooling import (
    across_costs,
    across_images,
    bags,
    costs,
    product,
    side_by_side,
    side_costs,
    site_by_site,
    site_costs,
    whole_costs,
    whole_images,
)
from lpsc_nd.pooling.across_index import adjoint_index, bag_index
from lpsc_nd.pooling.costs import bags_seconds, cheapest_way
from lpsc_nd.pooling.pairs import count_pairs, pairs
from lpsc_nd.pooling.rates import AMD, INTEL
from lpsc_nd.pooling.shapes import PASSES, Shapes
from lpsc_nd.pooling.window import Window
from lpsc_nd.testing import layer_cases

OTHERS = ("across images", "side by side", "site by site", "whole images")


def takes(way, name, window, shapes):
    """Tell whether a way can run a pass at all."""
    if shapes.groups > 1 or window.num_bags == 0:
        return way == "tiles"
    return way != "side by side" or name != "input_grad" or all(step == 1 for step in window.stride)


@contextmanager
def running(way, elements=None, apart=True):
    """Make the bag engine run so, whatever it costs; optionally with groups of other sizes, or gradients together."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bags, "cheapest_way", lambda *call: way if takes(way, *call) else "tiles")
        patch.setattr(bags, "grads_apart", lambda *_: apart and way != "tiles")
        if elements is not None:
            patch.setattr(across_images, "GROUP_ELEMENTS", elements)
            patch.setattr(side_by_side, "POOLED_ELEMENTS", elements)
            patch.setattr(site_by_site, "POOLED_ELEMENTS", elements)
            patch.setattr(whole_images, "POOLED_ELEMENTS", elements)
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


@pytest.mark.parametrize(
    ("way", "apart"), [*((way, True) for way in OTHERS), ("side by side", False), ("whole images", False)]
)
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


@pytest.mark.parametrize("way", OTHERS)
@pytest.mark.parametrize("stride", [1, 2])
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
    assert cheapest_way(name, stem(), Shapes(128, 3, 64, 1, (32, 32))) == "across images"
    assert cheapest_way(name, stem(), Shapes(2, 3, 64, 1, (32, 32))) != "across images"
    assert cheapest_way(name, stem(), Shapes(128, 16, 64, 1, (32, 32))) != "across images"
    assert cheapest_way(name, stem(), Shapes(128, 3, 63, 3, (32, 32))) != "across images"
    assert cheapest_way(name, stem(), Shapes(128, 3, 64, 1, (512, 512))) != "across images"


def narrow(stride=1):
    return LPSConv2d(16, 16, 9, stride, 4).window


@pytest.mark.parametrize("name", PASSES)
def test_narrow_layers_on_several_images_can_be_run_side_by_side(name):
    assert side_costs.suits(name, narrow(), Shapes(8, 16, 16, 1, (32, 32)))
    assert not side_costs.suits(name, narrow(), Shapes(1, 16, 16, 1, (32, 32)))
    assert not side_costs.suits(name, narrow(), Shapes(8, 3, 16, 1, (32, 32)))
    assert not side_costs.suits(name, narrow(), Shapes(8, 16, 64, 1, (32, 32)))
    assert not side_costs.suits(name, narrow(), Shapes(8, 16, 16, 4, (32, 32)))
    assert not side_costs.suits(name, narrow(), Shapes(8, 16, 16, 1, (512, 512)))
    assert side_costs.suits(name, narrow(stride=2), Shapes(8, 16, 16, 1, (32, 32))) == (name != "input_grad")


@pytest.mark.parametrize("name", PASSES)
def test_images_side_by_side_are_chosen_where_long_rows_are_cheap(name):
    shapes = Shapes(8, 16, 16, 1, (32, 32))
    assert costs._ways(name, narrow(), shapes, INTEL)["side by side"] < min(
        seconds for way, seconds in costs._ways(name, narrow(), shapes, INTEL).items() if way != "side by side"
    )
    assert min(costs._ways(name, narrow(), shapes, AMD).items(), key=lambda item: item[1])[0] != "side by side"


@given(case=layer_cases(padding_modes=("zeros",)))
def test_runs_of_bags_are_those_that_hold_a_cell(case):
    window, size = case.layer().window, case.input_shape[-case.arguments["ndim"] :]
    listed = pairs(window, size)
    expected = set(zip(listed.sites.tolist(), listed.bags.tolist(), strict=True))
    runs = site_by_site.runs_of_bags(window, size)
    found = [(site, bag) for site, parts in enumerate(runs) for part in parts for bag in range(*part)]
    assert sorted(expected) == found
    assert len(runs) == math.prod(window.output_size(size))
    for parts in runs:
        assert all(before[1] < after[0] for before, after in itertools.pairwise(parts))


@pytest.mark.parametrize("name", PASSES)
def test_small_maps_of_large_batches_are_run_site_by_site_where_products_add_up_in_place(monkeypatch, name):
    window = LPSConv2d(64, 192, 9, padding=4, growth=3.0).window
    small = Shapes(100, 64, 192, 1, (4, 4))
    monkeypatch.setattr(product, "PREFERS_BLAS", True)
    found = costs._ways(name, window, small, INTEL)
    assert min(found, key=found.__getitem__) == "site by site"
    for shapes in (
        Shapes(8, 64, 192, 1, (4, 4)),
        Shapes(100, 16, 192, 1, (4, 4)),
        Shapes(100, 64, 192, 1, (32, 32)),
        Shapes(100, 64, 192, 2, (4, 4)),
    ):
        assert not site_costs.suits(name, window, shapes)
    monkeypatch.setattr(product, "PREFERS_BLAS", False)
    assert not site_costs.suits(name, window, small)


def test_groups_side_by_side_are_about_equal():
    assert [side_by_side.images_at_once(batch, 16) for batch in (1, 7, 8, 9, 100)] == [1, 7, 8, 5, 8]
    assert side_by_side.images_at_once(3, 1000) == 1


def test_no_index_across_images_is_large(monkeypatch):
    shapes = Shapes(128, 3, 64, 1, (32, 32))
    assert across_costs.suits(stem(), shapes)
    entries = len(adjoint_index(stem(), 3, (32, 32))[0])
    monkeypatch.setattr(across_costs, "MOST_ENTRIES", entries // 2)
    assert not across_costs.suits(stem(), shapes)


def test_the_cost_counts_only_the_passes_that_are_made():
    costs = [bags_seconds(stem(), Shapes(128, 3, 64, 1, (32, 32), kind)) for kind in ("none", "parameters", "all")]
    assert costs[0] < costs[1] < costs[2]


@given(case=layer_cases(padding_modes=("zeros",)))
def test_pairs_are_the_cells_that_sites_meet_one_by_one(case):
    window, size = case.layer().window, case.input_shape[-case.arguments["ndim"] :]
    found = pairs(window, size)
    assert count_pairs(window, size) == len(found.cells)
    indptr, cells = window.stencil.bags(center=window.center)
    expected = set()
    for number, site in enumerate(itertools.product(*map(range, window.output_size(size)))):
        for bag in range(window.num_bags):
            for cell in cells[indptr[bag] : indptr[bag + 1]]:
                offsets = np.unravel_index(cell, window.stencil.kernel_size)
                place = [
                    s * step - before + offset * dilation
                    for s, step, (before, _), offset, dilation in zip(
                        site, window.stride, window.padding, offsets, window.dilation, strict=True
                    )
                ]
                if all(0 <= p < n for p, n in zip(place, size, strict=True)):
                    expected.add((number, bag, int(np.ravel_multi_index(place, size))))
    listed = list(zip(found.sites.tolist(), found.bags.tolist(), found.cells.tolist(), strict=True))
    assert len(listed) == len(expected)
    assert set(listed) == expected


def window_of(kernel_size):
    return LPSConv2d(1, 1, kernel_size, padding=kernel_size // 2).window


@pytest.mark.parametrize("name", PASSES)
def test_maps_that_are_small_beside_the_window_are_run_whole(name):
    assert cheapest_way(name, window_of(9), Shapes(16, 64, 192, 1, (4, 4))) == "whole images"
    assert cheapest_way(name, window_of(9), Shapes(1, 64, 64, 1, (224, 224))) == "tiles"
    assert cheapest_way(name, window_of(9), Shapes(100, 64, 192, 2, (4, 4))) == "tiles"


def test_neither_index_nor_mixed_map_of_an_image_is_large(monkeypatch):
    window, shapes = window_of(9), Shapes(1, 64, 64, 1, (32, 32))
    assert all(whole_costs.suits(name, window, shapes) for name in PASSES)
    monkeypatch.setattr(whole_costs, "MOST_MIXED", 32 * 32 * 64 * window.num_bags - 1)
    assert [name for name in PASSES if whole_costs.suits(name, window, shapes)] == ["forward", "weight_grad"]
    monkeypatch.setattr(whole_costs, "MOST_ENTRIES", count_pairs(window, (32, 32)) - 1)
    assert not any(whole_costs.suits(name, window, shapes) for name in PASSES)


@pytest.mark.parametrize("size", [(8, 8), (80, 70)])
def test_groups_of_images_and_rows_of_sites_are_bounded_and_cover_all(size):
    window, x = window_of(9), torch.randn(11, 20, *size)
    count, number = torch.zeros(11, *size), 0
    for ((images, part), rows, own_rows, is_last), pooled in whole_images.pooled_rows(x, window):
        count[images, part] += 1
        number += 1
        assert pooled.numel() <= whole_images.POOLED_ELEMENTS
        assert pooled.shape == (count[images, part].numel(), window.num_bags * 20)
        assert torch.equal(count.view(-1)[rows], count[images, part].flatten())
        assert torch.equal(count[images].view(-1)[own_rows], count[images, part].flatten())
        assert rows.stop - rows.start == own_rows.stop - own_rows.start == len(pooled)
        assert is_last == bool(count[images].all())
    assert torch.equal(count, torch.ones_like(count))
    images = whole_images.images_at_once(window, 20, size)
    assert images == 1 or images * count_pairs(window, size) <= whole_images.GROUP_ENTRIES
    parts = -(-whole_images.pooled_elements(window, 20, size) // whole_images.POOLED_ELEMENTS)
    assert number == (11 * parts if images == 1 else -(-11 // images))
    assert (images == 1) == (size == (80, 70))


def test_a_row_across_images_has_a_bounded_table():
    patches = LPSConv2d(3, 64, 31, 32, 15, num_levels=3).window
    images = across_images.images_at_once(patches, 3, (224, 224))
    assert 1 < images < across_images.MOST_IMAGES
    assert images * 3 * math.prod(patches.padded_size((224, 224))) <= across_images.TABLE_ELEMENTS


@pytest.mark.parametrize("parts", [1, 3])
def test_an_index_is_the_same_however_many_pairs_are_listed_at_once(monkeypatch, parts):
    window, made = LPSConv2d(4, 4, 5, padding=2, num_levels=1).window, []
    for pairs_at_once in (2**18, 100, 1):
        monkeypatch.setattr(whole_images, "LISTED_PAIRS", pairs_at_once)
        made.append(whole_images.bag_indices.__wrapped__(window, (11, 7), 2, parts))
    for other in made[1:]:
        assert [part for part, _ in other] == [part for part, _ in made[0]]
        for (_, index), (_, expected) in zip(other, made[0], strict=True):
            for got, wanted in zip(index, expected, strict=True):
                assert torch.equal(got, wanted)
