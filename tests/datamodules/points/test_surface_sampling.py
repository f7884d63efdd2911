"""Density gradients and cuts, on surfaces whose shares are known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamodules.points.surface_patches import SphereZone, TriangleMesh
from datamodules.points.surface_sampling import sample_surface, sample_view

SPHERE = ((SphereZone(1, -1, 1), 0),)


@given(
    count=st.integers(1, 300),
    density_ratio=st.sampled_from([1.0, 3.0, 50.0]),
    missing=st.sampled_from([0.0, 0.3, 0.9]),
    seed=st.integers(0, 2**32),
)
def test_a_view_has_the_points_asked_for_and_follows_its_seed(count, density_ratio, missing, seed):
    views = [
        sample_view(SPHERE, count, np.random.default_rng(seed), np.ones(3), density_ratio, missing) for _ in range(2)
    ]
    assert views[0].positions.shape == (count, 3)
    np.testing.assert_allclose(np.linalg.norm(views[0].positions, axis=1), 1)
    assert np.array_equal(views[0].positions, views[1].positions)


@pytest.mark.parametrize("missing", [0.1, 0.5, 0.8])
@pytest.mark.parametrize("seed", range(3))
def test_a_cut_removes_a_cap_of_the_area_asked_for(missing, seed):
    points = sample_view(SPHERE, 50_000, np.random.default_rng(seed), np.ones(3), 1.0, missing).positions
    pole = -points.mean(axis=0) / np.linalg.norm(points.mean(axis=0))
    # A cap of share f reaches down to height 1 - 2 f (Archimedes).
    assert abs((points @ pole).max() - (1 - 2 * missing)) < 0.06


@pytest.mark.parametrize("ratio", [3.0, 20.0])
@pytest.mark.parametrize("seed", range(3))
def test_density_falls_by_the_ratio_from_end_to_end(ratio, seed):
    points = sample_view(SPHERE, 20_000, np.random.default_rng(seed), np.ones(3), ratio, 0.0).positions
    pole = points.mean(axis=0) / np.linalg.norm(points.mean(axis=0))
    # Heights of a uniform sphere are uniform, so here their density is proportional to ratio ** (height / 2).
    counts, edges = np.histogram(points @ pole, bins=8, range=(-1, 1))
    slope = np.polyfit((edges[1:] + edges[:-1]) / 4, np.log(counts), 1)[0]
    assert abs(slope - np.log(ratio)) < 0.15


def test_without_ratio_and_cut_a_view_is_uniform():
    points = sample_view(SPHERE, 20_000, np.random.default_rng(0), np.ones(3), 1.0, 0.0).positions
    assert np.linalg.norm(points.mean(axis=0)) < 0.03


@given(seed=st.integers(0, 2**32), count=st.integers(1, 50))
def test_triangles_without_area_get_no_points(seed, count):
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [5, 5, 5]], dtype=float)
    mesh = TriangleMesh(vertices, np.array([[3, 3, 3], [0, 1, 2], [3, 3, 0]]))
    surface = sample_surface(((mesh, 0),), count, np.random.default_rng(seed), np.ones(3))
    assert np.all(surface.positions[:, 2] == 0)
    assert surface.positions[:, :2].min() >= 0
    assert surface.positions[:, :2].sum(axis=1).max() <= 1 + 1e-12
    np.testing.assert_allclose(surface.normals, np.tile([0, 0, 1], (count, 1)))
