"""Thinning a cloud, choosing points of it, and carrying values back."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lpsc_nd.points import farthest_point_sample, grid_subsample, nearest_upsample

NAN = float("nan")


def cells_by_hand(points, size, batch):
    """Sort points into a dictionary of cells."""
    cells = {}
    for index, (point, cloud) in enumerate(zip(points.tolist(), batch.tolist(), strict=True)):
        cells.setdefault((cloud, *(math.floor(x / size) for x in point)), []).append(index)
    return dict(sorted(cells.items()))


@given(data=st.data(), ndim=st.integers(1, 4), size=st.sampled_from([0.25, 0.5, 0.75, 10.0]))
def test_every_cell_becomes_the_mean_of_its_points(data, ndim, size, quarters, batches):
    points = data.draw(quarters(ndim))
    batch = data.draw(batches(len(points)))
    features = torch.randn(len(points), 2, 3, dtype=torch.float64)
    thin = grid_subsample(points, size, batch=batch, features=features)
    cells = cells_by_hand(points, size, batch)
    assert thin.batch.tolist() == [cell[0] for cell in cells]
    assert len(thin.points) == len(thin.features) == len(cells)
    for row, members in enumerate(cells.values()):
        assert thin.cluster[members].tolist() == [row] * len(members)
        np.testing.assert_allclose(thin.points[row], points[members].mean(axis=0), atol=1e-12)
        np.testing.assert_allclose(thin.features[row], features[members].mean(dim=0), atol=1e-12)


@given(data=st.data(), ndim=st.integers(1, 3))
def test_the_order_of_points_does_not_change_the_cells(data, ndim, quarters):
    points = data.draw(quarters(ndim))
    order = np.array(data.draw(st.permutations(range(len(points)))), dtype=np.int64)
    before, after = grid_subsample(points, 0.75), grid_subsample(points[order], 0.75)
    torch.testing.assert_close(after.points, before.points)
    assert torch.equal(after.cluster, before.cluster[order])


def test_subsampling_keeps_types_and_has_gradients():
    points = torch.tensor([[0.1, 0.2], [0.3, 0.4], [1.5, 0.0]], requires_grad=True)
    features = torch.ones(3, 4, dtype=torch.bfloat16, requires_grad=True)
    thin = grid_subsample(points, (1.0, 2.0), features=features)
    assert (thin.points.dtype, thin.features.dtype) == (torch.float32, torch.bfloat16)
    (thin.points.sum() + thin.features.sum()).backward()
    assert points.grad.tolist() == [[0.5, 0.5], [0.5, 0.5], [1.0, 1.0]]
    assert features.grad[:, 0].tolist() == [0.5, 0.5, 1.0]


def test_subsampling_integers_and_nothing():
    assert grid_subsample(torch.tensor([[0], [1], [2]]), 2.0).points.tolist() == [[0.5], [2.0]]
    empty = grid_subsample(np.zeros((0, 3)), 1.0, features=torch.zeros(0, 5))
    shapes = [tuple(t.shape) for t in (empty.points, empty.features, empty.batch, empty.cluster)]
    assert shapes == [(0, 3), (0, 5), (0,), (0,)]


def farthest_by_hand(points, count, start):
    chosen = [start]
    while len(chosen) < count:
        rest = [i for i in range(len(points)) if i not in chosen]
        gaps = [min(((points[i] - points[j]) ** 2).sum() for j in chosen) for i in rest]
        chosen.append(rest[gaps.index(max(gaps))])
    return chosen


@given(data=st.data(), ndim=st.integers(1, 3), share=st.floats(0.01, 1.0))
def test_each_sample_is_the_farthest_from_those_before(data, ndim, share, quarters, batches):
    points = data.draw(quarters(ndim, max_size=12))
    batch = data.draw(batches(len(points)))
    expected = []
    for cloud in np.unique(batch):
        own = np.flatnonzero(batch == cloud)
        count = math.ceil(share * len(own))
        expected += [int(own[i]) for i in farthest_by_hand(points[own], count, 0)]
    assert farthest_point_sample(points, ratio=share, batch=batch).tolist() == expected
    assert len(set(expected)) == len(expected)


@given(data=st.data(), quarters_count=st.integers(1, 8))
def test_sampling_may_start_anywhere_and_take_all(data, quarters_count, quarters):
    points = np.concatenate([data.draw(quarters(2, max_size=8)), np.zeros((quarters_count, 2))])
    start = data.draw(st.integers(0, len(points) - 1))
    chosen = farthest_point_sample(torch.tensor(points), len(points), start=start)
    assert chosen.tolist() == farthest_by_hand(points, len(points), start)


def test_sampling_nothing():
    assert farthest_point_sample(np.zeros((0, 2)), 3).tolist() == []
    assert farthest_point_sample(np.zeros((0, 2)), ratio=0.5).dtype == torch.int64


@given(data=st.data(), ndim=st.integers(1, 3))
def test_every_fine_point_finds_the_first_nearest_coarse_one(data, ndim, quarters, batches):
    coarse, fine = data.draw(quarters(ndim)), data.draw(quarters(ndim))
    fine_batch = data.draw(batches(len(fine)))
    coarse_batch = np.concatenate([np.arange(4), data.draw(batches(len(coarse)))])
    coarse, order = np.concatenate([np.zeros((4, ndim)), coarse]), np.argsort(coarse_batch, kind="stable")
    coarse, coarse_batch = coarse[order], coarse_batch[order]
    found = nearest_upsample(coarse, fine, coarse_batch=coarse_batch, fine_batch=fine_batch)
    for point, cloud, index in zip(fine, fine_batch.tolist(), found.tolist(), strict=True):
        squared = np.where(coarse_batch == cloud, np.square(coarse - point).sum(axis=1), np.inf)
        assert index == squared.argmin()


def test_upsampling_takes_labels_back_from_a_thinned_cloud():
    points = np.random.default_rng(0).random((200, 3))
    thin = grid_subsample(points, 0.3)
    back = nearest_upsample(thin.points, torch.tensor(points))
    assert back.shape == (200,)
    assert nearest_upsample(thin.points, thin.points).tolist() == list(range(len(thin.points)))
    assert nearest_upsample(np.zeros((0, 3)), np.zeros((0, 3))).tolist() == []


POINTS = np.zeros((3, 2))
BAD = [
    (grid_subsample, (POINTS, 0.0), {}, ValueError, "cell_size must be greater than 0"),
    (grid_subsample, (POINTS, (1.0,)), {}, ValueError, "cell_size must be one number or a sequence of 2"),
    (grid_subsample, (POINTS + 1e9, 1e-9), {}, ValueError, "too small for coordinates of up to"),
    (grid_subsample, (POINTS + 1e9, 1e-308), {}, ValueError, "too small for coordinates of up to"),
    (grid_subsample, (POINTS[0], 1.0), {}, ValueError, r"points must have shape \(n, ndim\)"),
    (grid_subsample, (np.zeros((3, 0)), 1.0), {}, ValueError, r"points must have shape \(n, ndim\)"),
    (grid_subsample, (POINTS * NAN, 1.0), {}, ValueError, "points must be finite"),
    (grid_subsample, (POINTS, 1.0), {"batch": [1, 0, 0]}, ValueError, "batch must be ascending"),
    (grid_subsample, (POINTS, 1.0), {"features": torch.ones(2, 2)}, ValueError, "features must have one row per point"),
    (grid_subsample, (POINTS, 1.0), {"features": [1, 2, 3]}, ValueError, "features must be a floating-point tensor"),
    (farthest_point_sample, (POINTS,), {}, ValueError, "either num_samples or ratio must be given"),
    (farthest_point_sample, (POINTS, 2), {"ratio": 0.5}, ValueError, "either num_samples or ratio must be given"),
    (farthest_point_sample, (POINTS[:0],), {}, ValueError, "either num_samples or ratio must be given"),
    (farthest_point_sample, (POINTS, 4), {}, ValueError, "num_samples must be at most the 3 points of cloud 0, got 4"),
    (farthest_point_sample, (POINTS, 0), {}, ValueError, "num_samples must be at least 1"),
    (farthest_point_sample, (POINTS,), {"ratio": 1.5}, ValueError, "ratio must be at most 1"),
    (farthest_point_sample, (POINTS,), {"ratio": 0.0}, ValueError, "ratio must be greater than 0"),
    (farthest_point_sample, (POINTS, 1), {"start": 3}, ValueError, "start must be below the 3 points of cloud 0"),
    (farthest_point_sample, (POINTS, 1), {"batch": [0, 0]}, ValueError, "batch must have one entry per point"),
    (nearest_upsample, (POINTS[:0], POINTS), {}, ValueError, r"coarse has no points in the clouds \[0\]"),
    (nearest_upsample, (POINTS, np.zeros((1, 3))), {}, ValueError, r"fine must have shape \(n, 2\)"),
    (nearest_upsample, (POINTS, POINTS), {"fine_batch": [0, 0, 0]}, ValueError, "must be given together"),
    (
        nearest_upsample,
        (POINTS, POINTS),
        {"coarse_batch": [0, 0, 2], "fine_batch": [0, 1, 3]},
        ValueError,
        r"coarse has no points in the clouds \[1, 3\], which fine has",
    ),
]


@pytest.mark.parametrize(("operation", "arguments", "options", "error", "words"), BAD)
def test_bad_arguments(operation, arguments, options, error, words):
    with pytest.raises(error, match=words):
        operation(*arguments, **options)
