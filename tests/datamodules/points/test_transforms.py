"""What transforms change, and what they leave alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from datamodules.points.transforms import (
    Jitter,
    NormalizeToUnitSphere,
    PointDropout,
    RandomRotation,
    RandomScale,
    Subsample,
    random_rotation,
)
from datamodules.points.types import PointSample

TRANSFORMS = {
    "normalize": NormalizeToUnitSphere(),
    "turn": RandomRotation("any"),
    "turn y": RandomRotation("y"),
    "scale": RandomScale(),
    "stretch": RandomScale(anisotropic=True),
    "jitter": Jitter(),
    "dropout": PointDropout(),
    "subsample": Subsample(5, allow_fewer=True),
}


@st.composite
def clouds(draw, least=1):
    count = draw(st.integers(least, 30))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    scale, shift = draw(st.sampled_from([0.01, 1.0, 100.0])), draw(st.sampled_from([0.0, 5.0]))
    normals = generator.normal(size=(count, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return PointSample(
        (shift + scale * generator.normal(size=(count, 3))).astype(np.float32),
        label=3,
        features=np.concatenate([normals, np.arange(count)[:, None]], axis=1).astype(np.float32),
        parts=np.arange(count),
        name="drawn",
        has_normals=True,
    )


def same(one, other):
    arrays = [np.array_equal(getattr(one, n), getattr(other, n)) for n in ("positions", "features", "parts")]
    return all(arrays) and (one.label, one.name) == (other.label, other.name)


@pytest.mark.parametrize("name", TRANSFORMS)
@given(sample=clouds(), seed=st.integers(0, 2**32))
def test_a_transform_depends_on_its_generator_and_changes_no_input(name, sample, seed):
    before = sample.select(np.arange(sample.num_points))
    once, again = (TRANSFORMS[name](sample, np.random.default_rng(seed)) for _ in range(2))
    assert same(once, again)
    assert same(sample, before)
    assert (once.label, once.name, once.has_normals) == (3, "drawn", True)
    assert np.array_equal(once.parts, once.features[:, 3])  # a point keeps its part and its features
    np.testing.assert_allclose(np.linalg.norm(once.features[:, :3], axis=1), 1, atol=1e-5)


def test_the_comparison_of_clouds_can_fail():
    sample = PointSample(np.zeros((2, 3), np.float32), label=0)
    assert same(sample, sample)
    assert not same(sample, PointSample(np.ones((2, 3), np.float32), label=0))
    assert not same(sample, PointSample(np.zeros((2, 3), np.float32), label=1))


@given(sample=clouds(least=2))
def test_normalised_clouds_touch_the_unit_sphere(sample):
    positions = NormalizeToUnitSphere()(sample, np.random.default_rng()).positions
    assert positions.dtype == np.float32
    np.testing.assert_allclose(positions.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(positions, axis=1).max(), 1, atol=1e-5)


@given(place=st.integers(-5, 5), count=st.integers(1, 4))
def test_a_cloud_of_one_place_goes_to_the_origin(place, count):
    sample = PointSample(np.full((count, 3), place, np.float32), label=0)
    assert np.array_equal(NormalizeToUnitSphere()(sample, np.random.default_rng()).positions, np.zeros((count, 3)))


@pytest.mark.parametrize(("axis", "kept"), [("x", 0), ("y", 1), ("z", 2)])
@given(seed=st.integers(0, 2**32))
def test_turns_about_an_axis_are_rotations_that_keep_it(axis, kept, seed):
    matrix = random_rotation(axis, np.random.default_rng(seed))
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(matrix) > 0
    np.testing.assert_allclose(matrix[:, kept], np.eye(3)[kept], atol=1e-12)


@given(sample=clouds(), seed=st.integers(0, 2**32), axis=st.sampled_from(["x", "y", "z", "any"]))
def test_points_and_normals_turn_alike(sample, seed, axis):
    turned = RandomRotation(axis)(sample, np.random.default_rng(seed))
    matrix = random_rotation(axis, np.random.default_rng(seed))
    scale = np.abs(sample.positions).max()
    np.testing.assert_allclose(turned.positions, sample.positions @ matrix.T, atol=1e-5 * scale)
    np.testing.assert_allclose(turned.features[:, :3], sample.features[:, :3] @ matrix.T, atol=1e-5)


def test_features_that_are_no_normals_do_not_turn():
    colours = np.random.default_rng(0).random((4, 3)).astype(np.float32)
    sample = PointSample(np.eye(4, 3, dtype=np.float32), label=0, features=colours)
    for name in ("turn", "stretch"):
        assert np.array_equal(TRANSFORMS[name](sample, np.random.default_rng(0)).features, colours)


def test_any_pose_is_uniform():
    generator = np.random.default_rng(0)
    poses = np.stack([random_rotation("any", generator) for _ in range(2000)])
    for entry in (poses[:, 0, 0], poses[:, 2, 1]):  # coordinates of a uniform point of the sphere are uniform
        assert kstest(entry, "uniform", args=(-1, 2)).pvalue > 0.01


@given(seed=st.integers(0, 2**32))
def test_a_stretched_plane_keeps_its_normal_perpendicular(seed):
    generator = np.random.default_rng(seed)
    normal = generator.normal(size=3)
    normal /= np.linalg.norm(normal)
    raw = generator.normal(size=(10, 3))
    plane = (raw - np.outer(raw @ normal, normal)).astype(np.float32)
    features = np.tile(normal, (10, 1)).astype(np.float32)
    sample = PointSample(plane, label=0, features=features, has_normals=True)
    scaled = RandomScale(0.5, 2.0, anisotropic=True)(sample, generator)
    np.testing.assert_allclose((scaled.positions * scaled.features).sum(axis=1), 0, atol=1e-5)


@given(sample=clouds(), seed=st.integers(0, 2**32), anisotropic=st.booleans())
def test_scales_stay_within_their_limits(sample, seed, anisotropic):
    scaled = RandomScale(0.5, 2.0, anisotropic)(sample, np.random.default_rng(seed))
    ratios = scaled.positions / sample.positions
    assert ratios.min() > 0.4999
    assert ratios.max() < 2.0001
    np.testing.assert_allclose(ratios, np.broadcast_to(ratios[0], ratios.shape), rtol=1e-5)
    if not anisotropic:
        np.testing.assert_allclose(ratios, ratios[0, 0], rtol=1e-5)


def test_jitter_has_its_deviation_and_its_clip():
    sample = PointSample(np.zeros((20_000, 3), np.float32), label=0)
    free = Jitter(0.1, clip=None)(sample, np.random.default_rng(0)).positions
    assert abs(free.std() - 0.1) < 0.002
    assert np.abs(free).max() > 0.3
    assert np.abs(Jitter(0.1, clip=0.05)(sample, np.random.default_rng(0)).positions).max() <= 0.05 + 1e-7


def test_dropout_leaves_between_one_point_and_all():
    sample = PointSample(np.zeros((1000, 3), np.float32), label=0)
    generator = np.random.default_rng(0)
    left = [PointDropout(0.8)(sample, generator).num_points for _ in range(200)]
    assert min(left) < 300
    assert max(left) > 950
    assert min(left) > 100
    single = PointSample(np.zeros((1, 3), np.float32), label=0)
    assert all(PointDropout(0.99)(single, generator).num_points == 1 for _ in range(50))


@given(sample=clouds(least=5), seed=st.integers(0, 2**32))
def test_a_subsample_repeats_no_point(sample, seed):
    part = Subsample(5)(sample, np.random.default_rng(seed))
    assert part.num_points == 5
    assert len(set(part.parts)) == 5


def test_a_cloud_with_too_few_points_is_refused_by_name():
    sample = PointSample(np.zeros((4, 3), np.float32), label=0, name="chair/7")
    with pytest.raises(ValueError, match=r"num_points is 5, but cloud 'chair/7' has 4 points"):
        Subsample(5)(sample, np.random.default_rng(0))
    assert Subsample(5, allow_fewer=True)(sample, np.random.default_rng(0)) is sample


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: RandomRotation("w"), "axis must be one of 'x', 'y', 'z', 'any', got 'w'"),
        (lambda: RandomScale(0), "low must be greater than 0, got 0"),
        (lambda: RandomScale(2, 1), "high must be at least 2, got 1"),
        (lambda: Jitter(-1), "sigma must be at least 0, got -1"),
        (lambda: Jitter(1, -1), "clip must be at least 0, got -1"),
        (lambda: Jitter(float("nan")), "sigma must be finite, got nan"),
        (lambda: PointDropout(1.0), "max_ratio must be less than 1, got 1"),
        (lambda: PointDropout(-0.1), "max_ratio must be at least 0, got -0.1"),
        (lambda: Subsample(0), "num_points must be at least 1, got 0"),
    ],
)
def test_bad_arguments_are_named(build, message):
    with pytest.raises(ValueError, match=message):
        build()
