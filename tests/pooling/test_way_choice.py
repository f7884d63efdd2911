"""Each way of the bag engine is chosen where it is cheaper, and not where its index or table would be large."""

from __future__ import annotations

import math

import pytest

from lpsc_nd import LPSConv2d
from lpsc_nd.pooling import (
    across_costs,
    across_images,
    costs,
    product,
    side_by_side,
    side_costs,
    site_costs,
    whole_costs,
)
from lpsc_nd.pooling.across_index import adjoint_index
from lpsc_nd.pooling.costs import bags_seconds, cheapest_way, expand_seconds
from lpsc_nd.pooling.pairs import count_pairs
from lpsc_nd.pooling.rates import AMD, INTEL, Rates
from lpsc_nd.pooling.shapes import PASSES, Shapes

pytestmark = pytest.mark.usefixtures("without_kernels")


def stem(stride=4):
    return LPSConv2d(3, 64, 11, stride, 5, num_levels=3).window


def narrow(stride=1):
    return LPSConv2d(16, 16, 9, stride, 4).window


def window_of(kernel_size):
    return LPSConv2d(1, 1, kernel_size, padding=kernel_size // 2).window


@pytest.mark.parametrize("name", PASSES)
def test_many_small_images_of_few_channels_are_run_so(name):
    assert cheapest_way(name, stem(), Shapes(128, 3, 64, 1, (32, 32))) == "across images"
    assert cheapest_way(name, stem(), Shapes(2, 3, 64, 1, (32, 32))) != "across images"
    assert cheapest_way(name, stem(), Shapes(128, 16, 64, 1, (32, 32))) != "across images"
    assert cheapest_way(name, stem(), Shapes(128, 3, 63, 3, (32, 32))) != "across images"
    assert cheapest_way(name, stem(), Shapes(128, 3, 64, 1, (512, 512))) != "across images"


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
    assert costs.seconds_by_way(name, narrow(), shapes, INTEL)["side by side"] < min(
        seconds for way, seconds in costs.seconds_by_way(name, narrow(), shapes, INTEL).items() if way != "side by side"
    )
    assert min(costs.seconds_by_way(name, narrow(), shapes, AMD).items(), key=lambda item: item[1])[0] != "side by side"


@pytest.mark.parametrize("name", PASSES)
def test_small_maps_of_large_batches_are_run_site_by_site_where_products_add_up_in_place(monkeypatch, name):
    window = LPSConv2d(64, 192, 9, padding=4, growth=3.0).window
    small = Shapes(100, 64, 192, 1, (4, 4))
    monkeypatch.setattr(product, "PREFERS_BLAS", True)
    found = costs.seconds_by_way(name, window, small, INTEL)
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


def test_no_index_across_images_is_large(monkeypatch):
    shapes = Shapes(128, 3, 64, 1, (32, 32))
    assert across_costs.suits(stem(), shapes)
    entries = len(adjoint_index(stem(), 3, (32, 32))[0])
    monkeypatch.setattr(across_costs, "MOST_ENTRIES", entries // 2)
    assert not across_costs.suits(stem(), shapes)


@pytest.mark.parametrize("kind", ["none", "parameters", "all"])
def test_what_threads_cannot_share_costs_more_with_several(kind):
    def seconds(cost, threads, **rates):
        return cost(stem(), Shapes(128, 3, 64, 1, (32, 32), kind, threads), Rates(**rates))

    passes = 1 + ["none", "parameters", "all"].index(kind)
    calls = passes if kind == "none" else 2 * passes  # a kernel is written, or its gradient read, beside each
    more = seconds(expand_seconds, 8) - seconds(expand_seconds, 1)
    assert more == pytest.approx(7 * calls * Rates().dense_call)
    one, two, eight, sixteen = (seconds(bags_seconds, threads) for threads in (1, 2, 8, 16))
    assert one < two < eight
    assert sixteen - eight == pytest.approx(8 * passes * Rates().call)  # as transposing is shared by then
    assert seconds(bags_seconds, 8, elementwise=100.0) > eight


def test_the_cost_counts_only_the_passes_that_are_made():
    costs = [bags_seconds(stem(), Shapes(128, 3, 64, 1, (32, 32), kind)) for kind in ("none", "parameters", "all")]
    assert costs[0] < costs[1] < costs[2]


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


def test_a_row_across_images_has_a_bounded_table():
    patches = LPSConv2d(3, 64, 31, 32, 15, num_levels=3).window
    images = across_images.images_at_once(patches, 3, (224, 224))
    assert 1 < images < across_images.MOST_IMAGES
    assert images * 3 * math.prod(patches.padded_size((224, 224))) <= across_images.TABLE_ELEMENTS


def test_groups_side_by_side_are_about_equal():
    assert [side_by_side.images_at_once(batch, 16) for batch in (1, 7, 8, 9, 100)] == [1, 7, 8, 5, 8]
    assert side_by_side.images_at_once(3, 1000) == 1
