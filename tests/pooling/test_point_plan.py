"""How a neighbourhood is arranged by query and by source, and how long the arrangement is kept."""

import gc
import weakref

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lpsc_nd.pooling import point_plan
from lpsc_nd.pooling.point_plan import Links, Plan, plan


@st.composite
def links(draw):
    """Draw bags with duplicates, empty ones, queries without a centre, no queries, no sources."""
    num_queries, num_regions, num_sources = draw(st.integers(0, 5)), draw(st.integers(0, 4)), draw(st.integers(0, 5))
    generator = np.random.default_rng(draw(st.integers(0, 2**31)))
    counts = generator.integers(0, 4 if num_sources else 1, num_queries * num_regions)
    indices = generator.integers(0, max(num_sources, 1), counts.sum())
    centers = generator.integers(-1, num_sources, num_queries) if num_sources else -np.ones(num_queries, dtype=int)
    tensors = [torch.from_numpy(array) for array in (np.concatenate([[0], np.cumsum(counts)]), indices, centers)]
    return Links(*tensors, num_regions, draw(st.booleans()), draw(st.booleans())), num_sources


def entries(bags):
    """List (result, bag, row of the table, weight) of every entry, in order."""
    bounds = bags.offsets.tolist()
    return [
        (*divmod(bag, bags.num_bags), int(bags.indices[e]), 1.0 if bags.weights is None else float(bags.weights[e]))
        for bag in range(bags.num_rows * bags.num_bags)
        for e in range(bounds[bag], bounds[bag + 1])
    ]


def expected_entries(links):
    """Make the same list by hand: the regions of each query, then its centre."""
    listed, bounds = [], links.indptr.tolist()
    for query, center in enumerate(links.centers.tolist()):
        for region in range(links.num_regions):
            start, stop = bounds[query * links.num_regions + region : query * links.num_regions + region + 2]
            share = 1 / (stop - start) if links.mean and stop > start else 1.0
            listed += [(query, region, source, share) for source in links.indices[start:stop].tolist()]
        if links.center and center >= 0:
            listed.append((query, links.num_regions, center, 1.0))
    return listed


@given(case=links())
def test_by_query_lists_every_neighbour_and_centre(case):
    drawn, num_sources = case
    bags = Plan(drawn, num_sources, torch.float64).by_query
    assert entries(bags) == expected_entries(drawn)
    assert (bags.num_rows, bags.num_bags) == (drawn.num_queries, drawn.num_bags)


@given(case=links())
def test_by_source_is_the_transpose(case):
    drawn, num_sources = case
    bags = Plan(drawn, num_sources, torch.float64).by_source
    swapped = [(source, bag, query, share) for query, bag, source, share in expected_entries(drawn)]
    assert entries(bags) == sorted(swapped, key=lambda entry: entry[:3])
    assert bags.num_rows == num_sources


def test_an_entry_in_the_wrong_place_is_noticed():
    drawn = Links(torch.tensor([0, 1, 2]), torch.tensor([0, 1]), torch.tensor([0]), 2, True, False)
    found = entries(Plan(drawn, 2, torch.float32).by_query)
    assert found == expected_entries(drawn)
    exchanged = drawn._replace(indices=torch.tensor([1, 0]))
    assert found != expected_entries(exchanged)


def make_links():
    return Links(torch.tensor([0, 1, 3]), torch.tensor([0, 0, 1]), torch.tensor([1]), 2, True, True)


def test_one_plan_serves_as_long_as_nothing_changes():
    drawn = make_links()
    first = plan(drawn, 2, torch.float32)
    assert plan(drawn._replace(), 2, torch.float32) is first
    others = [
        plan(drawn._replace(center=False), 2, torch.float32),
        plan(drawn._replace(mean=False), 2, torch.float32),
        plan(drawn, 3, torch.float32),
        plan(drawn, 2, torch.float64),
        plan(drawn._replace(centers=torch.tensor([0])), 2, torch.float32),
    ]
    assert all(other is not first for other in others)


@pytest.mark.parametrize("name", ["indptr", "indices", "centers"])
def test_a_tensor_that_is_changed_in_place_gets_a_new_plan(name):
    drawn = make_links()
    old = plan(drawn, 2, torch.float32)
    old.by_query  # noqa: B018
    getattr(drawn, name)[-1] = {"indptr": 2, "indices": 0, "centers": 0}[name]
    assert plan(drawn, 2, torch.float32) is not old


def test_a_plan_goes_with_its_neighborhood():
    drawn = make_links()
    kept = weakref.ref(plan(drawn, 2, torch.float32))
    before = len(point_plan._plans)
    assert kept() is not None
    assert kept().by_source is plan(drawn, 2, torch.float32).by_source
    del drawn
    gc.collect()
    assert kept() is None
    assert len(point_plan._plans) < before


def test_indices_are_as_short_as_they_can_be():
    bags = plan(make_links(), 2, torch.float32).by_query
    assert {bags.offsets.dtype, bags.indices.dtype} == {torch.int32}
    far = Plan(make_links(), 2**31, torch.float32).by_query
    assert {far.offsets.dtype, far.indices.dtype} == {torch.int64}


def test_a_change_within_inference_mode_is_noticed():
    with torch.inference_mode():
        links = Links(torch.tensor([0, 2, 3]), torch.tensor([0, 1, 2]), torch.tensor([0, 1]), 1, True, False)
        first = plan(links, 3, torch.float32)
        assert plan(links, 3, torch.float32) is first
        links.indices.copy_(torch.tensor([2, 1, 0]))
        second = plan(links, 3, torch.float32)
    assert second is not first
    assert second.by_query.indices.tolist() == [2, 1, 0, 0, 1]
