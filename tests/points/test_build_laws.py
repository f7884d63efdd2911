"""Neighbourhoods of drawn clouds against brute force, and the laws that need no oracle."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lpsc_nd import CellPartition, LogPolarPartition, Neighborhood, Stencil
from lpsc_nd.points import binning, search

DIRECTIONS = {1: 2, 2: 6, 3: (2, 4), 4: (2, 2, 3)}
seeds = st.integers(0, 2**16)


@st.composite
def partitions(draw, ndim):
    """Draw a partition of any shape and turn, its borders often on quarters."""
    if draw(st.integers(0, 3)) == 0:
        return CellPartition(
            tuple(draw(st.integers(1, 4)) for _ in range(ndim)), spacing=draw(st.sampled_from([0.5, 1]))
        )
    options = {"convention": draw(st.sampled_from(["paper", "literal"]))}
    if draw(st.booleans()):
        options["axes"] = [draw(st.sampled_from([0.25, 0.75, 1.0, 3.0])) for _ in range(ndim)]
    if ndim > 1 and draw(st.booleans()):
        options["angle"] = draw(st.floats(-4.0, 4.0))
    options["min_inner_radius"] = draw(st.sampled_from([0.0, 0.5, 3.0]))
    radius, growth = draw(st.sampled_from([0.25, 1.0, 1.25, 2.0])), draw(st.sampled_from([1.5, 2.0, 3.0]))
    return LogPolarPartition(ndim, radius, draw(st.integers(1, 3)), DIRECTIONS[ndim], growth, **options)


@st.composite
def signed_permutations(draw, ndim):
    """Draw an orthogonal matrix that moves quarters to quarters, so that turning is exact."""
    order = draw(st.permutations(range(ndim)))
    signs = draw(st.lists(st.sampled_from([-1.0, 1.0]), min_size=ndim, max_size=ndim))
    return np.eye(ndim)[list(order)] * signs


def brute_force(partition, sources, queries, source_batch=None, query_batch=None, frames=None):
    """List [query][region - 1] -> sources, and centers, by looking at every pair."""
    bags = [[[] for _ in range(partition.num_regions)] for _ in queries]
    centers = [-1] * len(queries)
    for query, place in enumerate(queries):
        for source, point in enumerate(sources):
            if source_batch is not None and source_batch[source] != query_batch[query]:
                continue
            offset = [a - b for a, b in zip(point, place, strict=True)]
            if not any(offset) and centers[query] < 0:
                centers[query] = source
            if frames is not None:
                offset = [
                    sum(frames[query][k][axis] * offset[k] for k in range(len(offset))) for axis in range(len(offset))
                ]
            region = int(partition.region(offset))
            if region:
                bags[query][region - 1].append(source)
    return bags, centers


def plane_region(dy, dx, radius, num_levels, num_directions, growth):
    """Return the region in the plane, written down from the paper with plain numbers."""
    squared = dy * dy + dx * dx
    if squared == 0 or squared > radius**2 * (1 + 1e-6):
        return 0
    level = 1 + sum(squared > (radius / growth**k) ** 2 * (1 + 1e-6) for k in range(1, num_levels))
    angle = math.atan2(-dy, dx) % (2 * math.pi) + 1e-6
    return (level - 1) * num_directions + int(angle / (2 * math.pi) * num_directions) % num_directions + 1


@given(data=st.data(), ndim=st.integers(1, 4))
def test_bags_are_those_of_brute_force(data, ndim, quarters, as_lists):
    partition, sources = data.draw(partitions(ndim)), data.draw(quarters(ndim))
    queries = data.draw(st.none() | quarters(ndim))
    found = Neighborhood.build(partition, sources, queries)
    bags, centers = brute_force(partition, sources, sources if queries is None else queries)
    assert as_lists(found) == bags
    assert found.centers.tolist() == centers
    assert found.counts.tolist() == [[len(bag) for bag in row] for row in bags]
    assert (found.num_sources, found.num_regions, found.num_cut) == (len(sources), partition.num_regions, 0)
    found.validate()


@given(data=st.data())
def test_the_plane_agrees_with_the_papers_formulas(data, quarters, as_lists):
    sources, queries = data.draw(quarters(2)), data.draw(quarters(2))
    numbers = (2.0, 3, data.draw(st.integers(1, 8)), 2.0)
    bags = [[[] for _ in range(numbers[1] * numbers[2])] for _ in queries]
    for query, (y, x) in enumerate(queries.tolist()):
        for source, (v, u) in enumerate(sources.tolist()):
            region = plane_region(v - y, u - x, *numbers)
            if region:
                bags[query][region - 1].append(source)
    assert as_lists(Neighborhood.build(LogPolarPartition(2, *numbers), sources, queries)) == bags


@given(data=st.data(), ndim=st.integers(1, 3))
def test_pairs_do_not_cross_clouds(data, ndim, quarters, batches, as_lists):
    partition, sources = data.draw(partitions(ndim)), data.draw(quarters(ndim))
    queries = data.draw(st.none() | quarters(ndim))
    batch = data.draw(batches(len(sources)))
    query_batch = None if queries is None else data.draw(batches(len(queries)))
    found = Neighborhood.build(partition, sources, queries, source_batch=batch, query_batch=query_batch)
    targets, own = (sources, batch) if queries is None else (queries, query_batch)
    assert (as_lists(found), found.centers.tolist()) == brute_force(partition, sources, targets, batch, own)


@given(data=st.data(), ndim=st.integers(1, 3))
def test_the_order_of_sources_and_queries_does_not_matter(data, ndim, quarters, as_lists):
    partition, sources, queries = data.draw(partitions(ndim)), data.draw(quarters(ndim)), data.draw(quarters(ndim))
    new_sources = np.array(data.draw(st.permutations(range(len(sources)))), dtype=np.int64)
    new_queries = np.array(data.draw(st.permutations(range(len(queries)))), dtype=np.int64)
    before = as_lists(Neighborhood.build(partition, sources, queries))
    after = as_lists(Neighborhood.build(partition, sources[new_sources], queries[new_queries]))
    renamed = [[sorted(new_sources[bag].tolist()) for bag in row] for row in after]
    assert renamed == [before[query] for query in new_queries]


@given(data=st.data(), ndim=st.integers(1, 3))
def test_translation_of_the_cloud_does_not_matter(data, ndim, quarters):
    partition, sources, queries = data.draw(partitions(ndim)), data.draw(quarters(ndim)), data.draw(quarters(ndim))
    step = data.draw(st.lists(st.integers(-(2**30), 2**30), min_size=ndim, max_size=ndim))
    moved = Neighborhood.build(partition, sources + np.array(step), queries + np.array(step))
    assert moved == Neighborhood.build(partition, sources, queries)


@given(data=st.data(), ndim=st.integers(1, 3))
def test_turning_the_cloud_and_its_frames_changes_nothing(data, ndim, quarters):
    partition, sources, queries = data.draw(partitions(ndim)), data.draw(quarters(ndim)), data.draw(quarters(ndim))
    frames = np.array([data.draw(signed_permutations(ndim)) for _ in queries]).reshape(len(queries), ndim, ndim)
    turn = data.draw(signed_permutations(ndim))
    before = Neighborhood.build(partition, sources, queries, frames=frames)
    after = Neighborhood.build(partition, sources @ turn.T, queries @ turn.T, frames=turn @ frames)
    assert after == before


@given(seed=seeds, ndim=st.integers(2, 4))
def test_any_rotation_of_cloud_and_frames_changes_nothing(seed, ndim):
    generator = np.random.default_rng(seed)
    partition = LogPolarPartition(ndim, 1.5, 2, DIRECTIONS[ndim], 2.0, axes=np.linspace(0.5, 1.5, ndim))
    points, frames = generator.normal(size=(30, ndim)), np.linalg.qr(generator.normal(size=(30, ndim, ndim)))[0]
    turn = np.linalg.qr(generator.normal(size=(ndim, ndim)))[0]
    before = Neighborhood.build(partition, points, frames=frames)
    after = Neighborhood.build(partition, points @ turn.T, frames=turn @ frames)
    assert torch.equal(after.indptr, before.indptr)
    assert torch.equal(after.indices, before.indices)


@given(data=st.data(), ndim=st.integers(1, 3))
def test_frames_are_those_of_brute_force(data, ndim, quarters, as_lists):
    partition, sources = data.draw(partitions(ndim)), data.draw(quarters(ndim))
    frames = np.array([data.draw(signed_permutations(ndim)) for _ in sources]).reshape(len(sources), ndim, ndim)
    found = Neighborhood.build(partition, sources, frames=frames)
    assert (as_lists(found), found.centers.tolist()) == brute_force(partition, sources, sources, frames=frames)


@given(data=st.data(), ndim=st.integers(1, 3))
def test_a_duplicate_point_counts_twice(data, ndim, quarters):
    partition, sources, queries = data.draw(partitions(ndim)), data.draw(quarters(ndim)), data.draw(quarters(ndim))
    once = Neighborhood.build(partition, sources, queries)
    twice = Neighborhood.build(partition, np.concatenate([sources, sources]), queries)
    assert torch.equal(twice.counts, 2 * once.counts)
    assert torch.equal(twice.centers, once.centers)


@given(seed=seeds, angle=st.floats(-4.0, 4.0))
def test_a_turned_ellipse_is_the_straight_one_around_the_cloud_turned_back(seed, angle):
    points = np.random.default_rng(seed).normal(size=(40, 2))
    back = points @ np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    turned = LogPolarPartition(2, 1.5, 2, 6, 2.0, eccentricity=0.3, angle=angle)
    straight = LogPolarPartition(2, 1.5, 2, 6, 2.0, eccentricity=0.3)
    assert Neighborhood.build(turned, points) == Neighborhood.build(straight, back)


@pytest.mark.parametrize("size", [(7,), (5, 7), (4, 6), (3, 5, 3), (5, 5, 5, 5)])
@pytest.mark.parametrize("cells", [False, True])
def test_lattice_points_give_the_bags_of_the_grid_stencil(size, cells, as_lists):
    directions = DIRECTIONS[len(size)]
    partition = CellPartition(size) if cells else LogPolarPartition.for_grid(size, 2, directions, 2.0)
    stencil = Stencil.build(partition, size)
    shape = tuple(k + 2 for k in size)
    lattice = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1).reshape(-1, len(size))
    corner = np.ones(len(size), dtype=np.int64)  # the window from here on lies inside
    query = corner + np.array(stencil.center)
    found = Neighborhood.build(partition, lattice, query[None])
    indptr, cells_of = stencil.bags(center=False)
    places = np.stack(np.unravel_index(cells_of, size), axis=-1) + corner
    sources = np.ravel_multi_index(tuple(places.T), shape)
    assert as_lists(found) == [[sources[a:b].tolist() for a, b in itertools.pairwise(indptr)]]
    assert found.centers.tolist() == [np.ravel_multi_index(tuple(query), shape)]


@given(seed=seeds, ndim=st.integers(1, 4), clouds=st.integers(1, 3), own=st.booleans(), count=st.integers(1, 300))
def test_blocks_of_any_size_give_the_same(seed, ndim, clouds, own, count):
    generator = np.random.default_rng(seed)
    partition = LogPolarPartition(ndim, 1.0, 2, DIRECTIONS[ndim], 2.0)
    points = generator.normal(size=(300, ndim)) * generator.choice([0.1, 3.0], size=(300, 1))
    queries, batch = (None if own else points[:count] + 0.1), generator.integers(0, clouds, 300)
    batches = {"source_batch": np.sort(batch), "query_batch": None if own else np.sort(batch[:count])}
    whole = Neighborhood.build(partition, points, queries, **batches)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "PAIRS_AT_ONCE", 0)
        patch.setattr(search, "PAIRS_PER_BLOCK", 64)
        patch.setattr(binning, "PAIRS_PER_SLICE", 7)
        assert Neighborhood.build(partition, points, queries, **batches) == whole
    assert Neighborhood.build(
        partition, points, points.copy(), source_batch=batches["source_batch"], query_batch=batches["source_batch"]
    ).centers.tolist() == list(range(300))


def test_a_point_on_the_outer_border_is_inside_whatever_its_rounding(as_lists):
    angles = np.linspace(0, 2 * np.pi, 200)
    sources = 1e6 + 0.1 * np.stack([np.sin(angles), np.cos(angles)], axis=1)
    found = Neighborhood.build(LogPolarPartition(2, 0.1, 1, 1, 2.0), sources, [[1e6, 1e6]])
    assert as_lists(found) == [[list(range(200))]]
    beyond = Neighborhood.build(LogPolarPartition(2, 0.1 * (1 - 1e-5), 1, 1, 2.0), sources, [[1e6, 1e6]])
    assert as_lists(beyond) == [[[]]]


@given(seed=seeds, angle=st.floats(-4.0, 4.0), ratio=st.sampled_from([1e-3, 1e-6]))
def test_a_thin_turned_field_far_from_the_origin_misses_nothing(seed, angle, ratio, as_lists):
    partition = LogPolarPartition(2, 1.0, 1, 2, 2.0, axes=(ratio, 1.0), angle=angle)
    along, across = np.array([-math.sin(angle), math.cos(angle)]), np.array([math.cos(angle), math.sin(angle)])
    place = 2.0**30 * (along + across)
    steps = np.random.default_rng(seed).uniform(-1.5, 1.5, (40, 2)) * (1.0, ratio)
    sources = place + steps @ np.stack([along, across])
    found = Neighborhood.build(partition, sources, place[None])
    assert as_lists(found) == brute_force(partition, sources, place[None])[0]


@given(data=st.data())
def test_the_oracle_can_disagree(data, quarters, as_lists):
    sources = np.concatenate([data.draw(quarters(2)), [[0.0, 0.0], [0.0, 1.0]]])
    found = Neighborhood.build(LogPolarPartition(2, 1.0, 1, 4, 2.0), sources)
    smaller, _ = brute_force(LogPolarPartition(2, 0.9, 1, 4, 2.0), sources, sources)
    assert as_lists(found) != smaller
