"""What every pyramid obeys, for drawn clouds and drawn settings; the oracles are plain numpy."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lpsc_nd import LogPolarPartition, Neighborhood
from lpsc_nd.points import PointPyramid, PyramidBuilder

DIRECTIONS = {1: 2, 2: 4, 3: (2, 2)}


@st.composite
def builders(draw, ndim):
    return PyramidBuilder(
        draw(st.sampled_from([0.3, 0.5, 1.1])),
        depth=draw(st.integers(1, 3)),
        num_levels=draw(st.integers(1, 2)),
        num_directions=DIRECTIONS[ndim],
        reach=draw(st.sampled_from([1.5, 2.5])),
        cell_growth=draw(st.sampled_from([1.7, 2.0, 3.0])),
        subsample=draw(st.booleans()),
        ndim=ndim,
    )


@st.composite
def batches(draw, max_clouds=3):
    """Draw a builder, and clouds of any size, empty ones among them."""
    ndim = draw(st.integers(1, 3))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    sizes = draw(st.lists(st.integers(0, 25), min_size=1, max_size=max_clouds))
    coarse = draw(st.booleans())  # quarters: many coincident points and ties
    clouds = [generator.integers(-8, 9, (n, ndim)) / 4 if coarse else generator.normal(size=(n, ndim)) for n in sizes]
    return draw(builders(ndim)), clouds


def joined(builder, clouds):
    batch = np.repeat(np.arange(len(clouds)), list(map(len, clouds)))
    return builder(np.concatenate(clouds), batch, len(clouds))


def means_of_cells(points, batch, cell):
    """Return, for each occupied cell of each cloud, its cloud and the mean of its points, ordered by cloud and cell."""
    groups = {}
    for point, cloud in zip(points, batch, strict=True):
        groups.setdefault((int(cloud), *np.floor(point / cell).astype(int).tolist()), []).append(point)
    ordered = sorted(groups)
    return [key[0] for key in ordered], np.array([np.mean(groups[key], axis=0) for key in ordered])


def assert_means_of_cells(coarse, coarse_batch, fine, fine_batch, cell):
    owners, means = means_of_cells(fine.numpy(), fine_batch.tolist(), cell)
    assert coarse_batch.tolist() == owners
    np.testing.assert_allclose(coarse.numpy().reshape(means.shape), means, rtol=0, atol=1e-12)


def assert_nearest(up, coarse, coarse_batch, fine, fine_batch):
    """Check that no coarse point of the same cloud is nearer than the one that is named."""
    distance = np.linalg.norm(fine.numpy()[:, None] - coarse.numpy()[None], axis=2)
    distance[fine_batch.numpy()[:, None] != coarse_batch.numpy()[None]] = np.inf
    assert len(up) == len(fine)
    for row, chosen in enumerate(up.tolist()):
        assert distance[row, chosen] <= distance[row].min() + 1e-12


@given(batches())
def test_every_coarse_point_is_the_mean_of_its_cell(drawn):
    builder, clouds = drawn
    pyramid = joined(builder, clouds)
    points = torch.from_numpy(np.concatenate(clouds))
    owners = torch.from_numpy(np.repeat(np.arange(len(clouds)), list(map(len, clouds))))
    if builder.subsample:
        assert_means_of_cells(pyramid.positions[0], pyramid.batches[0], points, owners, builder.cell_size)
    else:
        assert torch.equal(pyramid.positions[0], points)
        assert torch.equal(pyramid.batches[0], owners)
    for level in range(1, builder.depth):
        cell = builder.cell_size * builder.cell_growth**level
        assert_means_of_cells(
            pyramid.positions[level], pyramid.batches[level],
            pyramid.positions[level - 1], pyramid.batches[level - 1], cell,
        )  # fmt: skip


@given(batches())
def test_up_is_the_nearest_point_of_the_same_cloud(drawn):
    pyramid = joined(*drawn)
    for level, up in enumerate(pyramid.up):
        assert_nearest(
            up, pyramid.positions[level + 1], pyramid.batches[level + 1], pyramid.positions[level],
            pyramid.batches[level],
        )  # fmt: skip


@given(batches())
def test_cluster_leads_from_each_point_to_the_mean_of_its_cell(drawn):
    builder, clouds = drawn
    pyramid = joined(builder, clouds)
    points = np.concatenate(clouds)
    if not builder.subsample:
        assert pyramid.cluster.tolist() == list(range(len(points)))
        return
    own = pyramid.positions[0][pyramid.cluster].numpy()
    assert (np.abs(own - points) < builder.cell_size + 1e-12).all()
    average = pyramid.average(torch.from_numpy(points))
    torch.testing.assert_close(average, pyramid.positions[0], rtol=0, atol=1e-12)
    assert torch.equal(pyramid.spread(pyramid.batches[0]), torch.repeat_interleave(torch.tensor([*map(len, clouds)])))


@given(batches())
def test_neighborhoods_are_those_of_the_scaled_field(drawn):
    builder, clouds = drawn
    pyramid = joined(builder, clouds)
    for level in range(builder.depth):
        radius = builder.reach * builder.cell_size * builder.cell_growth**level
        assert builder.partition(level).radius == pytest.approx(radius, rel=1e-12)
        radius = builder.partition(level).radius
        field = LogPolarPartition(builder.ndim, radius, builder.num_levels, builder.num_directions, builder.growth)
        points, owners = pyramid.positions[level], pyramid.batches[level]
        assert pyramid.neighborhoods[level] == Neighborhood.build(field, points, source_batch=owners)
        if level + 1 < builder.depth:
            queries, takers = pyramid.positions[level + 1], pyramid.batches[level + 1]
            between = Neighborhood.build(field, points, queries, source_batch=owners, query_batch=takers)
            assert pyramid.down[level] == between


@given(batches())
def test_joining_clouds_is_building_them_together(drawn):
    builder, clouds = drawn
    joined(builder, clouds).validate()
    assert PointPyramid.collate([builder(cloud) for cloud in clouds]) == joined(builder, clouds)


@given(batches())
def test_joining_joined_clouds_is_joining_all(drawn):
    builder, clouds = drawn
    single = [builder(cloud) for cloud in clouds]
    nested = PointPyramid.collate([PointPyramid.collate(single), PointPyramid.collate(single)])
    assert nested == PointPyramid.collate([*single, *single])


@given(batches(max_clouds=1), st.randoms(use_true_random=False))
def test_the_order_of_the_points_does_not_matter(drawn, random):
    builder, (cloud,) = drawn
    if not builder.subsample:
        builder = PyramidBuilder(**{**vars(builder), "subsample": True})
    cloud = np.round(cloud * 4) / 4  # sums of quarters are exact in any order
    order = list(range(len(cloud)))
    random.shuffle(order)
    one, other = builder(cloud), builder(cloud[order])
    assert torch.equal(one.cluster[order], other.cluster)
    assert PointPyramid(**{**vars(one), "cluster": one.cluster[order]}) == other


@given(batches())
def test_pool_is_the_mean_over_those_that_are_nearest(drawn):
    pyramid = joined(*drawn)
    for level, up in enumerate(pyramid.up):
        values = torch.randn(len(up), 2, dtype=torch.float64)
        expected = torch.zeros(len(pyramid.positions[level + 1]), 2, dtype=torch.float64)
        for row in range(len(expected)):
            if (up == row).any():
                expected[row] = values[up == row].mean(0)
        torch.testing.assert_close(pyramid.pool(values, level), expected)


LINE = torch.tensor([[0.0], [1.0], [4.0]], dtype=torch.float64)
ONE = torch.zeros(3, dtype=torch.int64)


def test_the_check_of_means_can_fail():
    assert_means_of_cells(torch.tensor([[0.5], [4.0]]).double(), ONE[:2], LINE, ONE, 2.0)
    with pytest.raises(AssertionError):
        assert_means_of_cells(torch.tensor([[0.6], [4.0]]).double(), ONE[:2], LINE, ONE, 2.0)
    with pytest.raises(AssertionError):
        assert_means_of_cells(torch.tensor([[0.5], [4.0]]).double(), torch.tensor([0, 1]), LINE, ONE, 2.0)


def test_the_check_of_the_nearest_can_fail():
    coarse = torch.tensor([[0.5], [4.0]], dtype=torch.float64)
    assert_nearest(torch.tensor([0, 0, 1]), coarse, ONE[:2], LINE, ONE)
    with pytest.raises(AssertionError):
        assert_nearest(torch.tensor([0, 1, 1]), coarse, ONE[:2], LINE, ONE)
    with pytest.raises(AssertionError):
        assert_nearest(torch.tensor([0, 0, 1]), coarse, torch.tensor([0, 1]), LINE, torch.tensor([1, 1, 1]))
