"""The gather indices of the ways of the bag engine name each cell of each bag once, and no cell of the padding."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lpsc_nd import LPSConv2d
from lpsc_nd.pooling import side_by_side, site_by_site, whole_images
from lpsc_nd.pooling.across_index import adjoint_index, bag_index
from lpsc_nd.pooling.pairs import count_pairs, pairs
from lpsc_nd.testing import layer_cases


def window_of(kernel_size):
    return LPSConv2d(1, 1, kernel_size, padding=kernel_size // 2).window


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


@pytest.mark.parametrize("size", [(8, 8), (80, 70)])
@pytest.mark.parametrize("filters", [1, 3000])
def test_groups_of_images_and_rows_of_sites_are_bounded_and_cover_all(size, filters):
    window, x = window_of(9), torch.randn(11, 20, *size)
    count, number, limits = torch.zeros(11, *size), 0, whole_images.limits_of(window, 20, filters)
    for ((images, part), rows, own_rows, is_last), pooled in whole_images.pooled_rows(x, window, filters):
        count[images, part] += 1
        number += 1
        assert pooled.numel() <= limits.pooled
        assert pooled.shape == (count[images, part].numel(), window.num_bags * 20)
        assert torch.equal(count.view(-1)[rows], count[images, part].flatten())
        assert torch.equal(count[images].view(-1)[own_rows], count[images, part].flatten())
        assert rows.stop - rows.start == own_rows.stop - own_rows.start == len(pooled)
        assert is_last == bool(count[images].all())
    assert torch.equal(count, torch.ones_like(count))
    images = whole_images.images_at_once(window, 20, size, limits)
    assert images == 1 or images * count_pairs(window, size) <= limits.entries
    parts = -(-whole_images.pooled_elements(window, 20, size) // limits.pooled)
    assert number == (11 * parts if images == 1 else -(-11 // images))
    assert (images == 1) == (size == (80, 70))


def test_many_weights_want_many_sites():
    window, usual = window_of(9), whole_images.POOLED_ELEMENTS
    few, many, most = (whole_images.limits_of(window, 64, filters).pooled for filters in (1, 512, 10_000))
    assert few == usual
    assert many == max(usual, whole_images.ELEMENTS_PER_WEIGHT * window.num_bags * 64 * 512)
    assert most == whole_images.WEIGHTED_ELEMENTS > many > usual


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


@pytest.mark.parametrize(("size", "threads", "lanes"), [((6, 5), 1, 1), ((6, 5), 2, 2), ((5, 5), 2, 1), ((5, 5), 5, 5)])
def test_threads_share_the_sites_of_a_part_in_equal_lanes(size, threads, lanes):
    window, sites = LPSConv2d(4, 4, 5, padding=2, num_levels=1).window, math.prod(size)
    ((part, number, index),) = side_by_side.bag_indices(window, size, 1, threads)
    ((_, _, of_one),) = side_by_side.bag_indices(window, size, 1, 1)
    assert (part, number) == (slice(0, sites), lanes)
    by_lane = as_matrix(index, sites).view(lanes, window.num_bags, sites // lanes, sites)
    by_bag = as_matrix(of_one, sites).view(window.num_bags, sites, sites)
    assert torch.equal(by_lane.transpose(0, 1).flatten(1, 2), by_bag)
    expected = as_matrix(whole_images.bag_indices(window, size, 1, 1)[0][1], sites)
    assert torch.equal(by_bag.transpose(0, 1).flatten(0, 1), expected)
