"""The generated data set: what a cloud depends on, its options, and the data module."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from jsonargparse import ArgumentParser
from scipy.spatial import cKDTree
from scipy.spatial.distance import pdist

from datamodules.base import BaseDataModule
from datamodules.points.shapes import SurfaceOptions, SurfacePoints, SurfacesDataModule
from datamodules.points.surface_classes import CLASS_NAMES, CLASS_PARTS
from datamodules.points.types import PointBatch

options = st.builds(
    SurfaceOptions,
    num_points=st.integers(2, 60),
    rotation=st.sampled_from(["none", "vertical", "any"]),
    stretch=st.floats(1, 2),
    noise=st.sampled_from([0.0, 0.05]),
    density_ratio=st.sampled_from([1.0, 8.0]),
    missing=st.sampled_from([0.0, 0.4]),
    normals=st.booleans(),
)


@given(options=options, seed=st.integers(0, 2**40), part=st.integers(0, 2), index=st.integers(0, 29))
def test_a_cloud_follows_from_seed_part_and_index(options, seed, part, index):
    data, again = (SurfacePoints(30, options, seed, part) for _ in range(2))
    _ = again[(index + 1) % 30]  # what was asked for before does not matter
    one, other = data[index], again[index]
    assert np.array_equal(one.positions, other.positions)
    assert np.array_equal(one.parts, other.parts)
    assert one.label == index % 10 == data.labels[index]
    assert one.name == f"{CLASS_NAMES[one.label]}/{index}"
    assert set(one.parts) <= set(CLASS_PARTS[one.label])
    assert one.positions.shape == (options.num_points, 3)
    assert (one.features is not None) == options.normals == one.has_normals


@given(options=options, index=st.integers(0, 9))
def test_clouds_fill_the_unit_sphere(options, index):
    positions = SurfacePoints(10, options)[index].positions
    np.testing.assert_allclose(positions.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(positions, axis=1).max(), 1, atol=1e-5)


def test_other_seeds_parts_and_indices_give_other_clouds():
    clouds = [SurfacePoints(11, seed=seed, part=part)[index] for seed, part, index in PLACES]
    assert len({cloud.positions.tobytes() for cloud in clouds}) == len(PLACES)


PLACES = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 10)]


@pytest.mark.parametrize("index", range(10))
def test_noise_moves_each_point_of_the_same_surface(index):
    clean = SurfacePoints(10, SurfaceOptions(num_points=2000))[index]
    noisy = SurfacePoints(10, SurfaceOptions(num_points=2000, noise=0.02))[index]
    assert np.array_equal(clean.parts, noisy.parts)
    scale = (noisy.positions * clean.positions).sum() / (clean.positions**2).sum()
    assert 0.85 < scale < 1.15  # the noisy cloud is normalised on its own
    assert abs((noisy.positions / scale - clean.positions).std() - 0.02) < 0.002


@pytest.mark.parametrize("index", range(10))
def test_missing_leaves_a_hole_and_density_makes_neighbours_uneven(index):
    def spacing(**changes):
        positions = SurfacePoints(10, SurfaceOptions(num_points=1500, stretch=1, **changes))[index].positions
        distances = cKDTree(positions).query(positions, k=8)[0][:, -1]
        return np.quantile(distances, 0.9) / np.quantile(distances, 0.1)

    assert spacing(density_ratio=30) > 1.3 * spacing()
    whole = SurfacePoints(10, SurfaceOptions(num_points=1500, rotation="none"))[index]
    cut = SurfacePoints(10, SurfaceOptions(num_points=1500, rotation="none", missing=0.5))[index]
    assert cut.num_points == whole.num_points
    assert not np.array_equal(cut.positions, whole.positions)


def test_poses():
    def cloud(rotation, index):
        return SurfacePoints(10, SurfaceOptions(num_points=400, rotation=rotation), seed=3)[index].positions

    for index in (1, 2, 3):  # the box, cylinder and cone stand on the ground
        upright, turned, any_pose = (cloud(rotation, index) for rotation in ("none", "vertical", "any"))
        np.testing.assert_allclose(turned[:, 2], upright[:, 2], atol=1e-5)
        np.testing.assert_allclose(np.hypot(*turned[:, :2].T), np.hypot(*upright[:, :2].T), atol=1e-5)
        assert not np.allclose(turned, upright, atol=1e-2)
        assert not np.allclose(any_pose[:, 2], upright[:, 2], atol=1e-2)
        np.testing.assert_allclose(pdist(any_pose), pdist(upright), atol=1e-4)


@pytest.mark.parametrize("index", range(10))
def test_normals_turn_with_the_surface(index):
    sample = SurfacePoints(10, SurfaceOptions(num_points=3000, normals=True), seed=1)[index]
    np.testing.assert_allclose(np.linalg.norm(sample.features, axis=1), 1, atol=1e-5)
    near = cKDTree(sample.positions).query(sample.positions[:100], k=6)[1]
    edges = sample.positions[near[:, 1:]] - sample.positions[near[:, :1]]
    edges /= np.linalg.norm(edges, axis=2, keepdims=True)
    slopes = abs(np.einsum("nkx,nx->nk", edges, sample.features[:100]))
    assert np.median(slopes) < 0.15  # neighbours lie in the tangent plane; a random normal would give 0.5


def test_classes_can_be_told_apart_but_not_by_a_glance():
    """Nearest neighbours by the histogram of distances between points, which no pose changes."""
    options = SurfaceOptions(num_points=256)

    def describe(part, size):
        data = SurfacePoints(size, options, part=part)
        rows = [np.histogram(pdist(data[index].positions), bins=40, range=(0, 2))[0] for index in range(size)]
        return np.stack(rows) / len(pdist(data[0].positions)), data.labels

    (train, train_labels), (test, test_labels) = describe(0, 300), describe(2, 150)
    nearest = np.argmin(abs(test[:, None] - train).sum(axis=2), axis=1)
    accuracy = (train_labels[nearest] == test_labels).mean()
    assert 0.6 < accuracy < 0.95


def test_the_three_parts():
    data = SurfacesDataModule(num_train=40, num_val=20, num_test=30, batch_size=10)
    data.setup("fit")
    for part, size in ((data.splits.train, 40), (data.splits.val, 20), (data.splits.test, 30)):
        assert len(part) == size
        assert np.bincount([part[index].label for index in range(size)]).tolist() == [size // 10] * 10
    clouds = {part[0].positions.tobytes() for part in (data.splits.train, data.splits.val, data.splits.test)}
    assert len(clouds) == 3
    batch = next(iter(data.train_dataloader()))
    assert isinstance(batch, PointBatch)
    assert batch.positions.shape == (5120, 3)
    assert batch.parts.max() < len(data.part_names)
    assert data.class_names == CLASS_NAMES
    assert data.class_parts == CLASS_PARTS


def test_the_test_part_alone_can_be_harder():
    easy = SurfacesDataModule(num_train=10, num_val=10, num_test=10)
    hard = SurfacesDataModule(SurfaceOptions(), SurfaceOptions(noise=0.1), num_train=10, num_val=10, num_test=10)
    for name in ("train", "val"):
        one, other = getattr(easy.splits, name)[4], getattr(hard.splits, name)[4]
        assert np.array_equal(one.positions, other.positions)
    one, other = easy.splits.test[4], hard.splits.test[4]
    assert np.array_equal(one.parts, other.parts)
    assert not np.allclose(one.positions, other.positions, atol=0.05)


def test_the_training_seed_does_not_change_the_surfaces():
    clouds = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        clouds.append(SurfacesDataModule(num_train=10).splits.train[3].positions)
    assert np.array_equal(*clouds)


def test_clouds_are_made_once():
    data = SurfacePoints(10)
    assert data[3] is data[3]


def test_the_set_ends():
    assert len(list(SurfacePoints(12))) == 12
    for index in (12, -1):
        with pytest.raises(IndexError, match=f"index must be from 0 to 11, got {index}"):
            _ = SurfacePoints(12)[index]


def test_a_configuration_builds_it():
    parser = ArgumentParser()
    parser.add_subclass_arguments(BaseDataModule, "data")
    config = {
        "class_path": "datamodules.points.shapes.SurfacesDataModule",
        "init_args": {
            "surface": {"num_points": 32, "rotation": "vertical"},
            "test_surface": {"num_points": 16, "missing": 0.2},
            "batch_size": 3,
            "train_transforms": [
                {"class_path": "datamodules.points.transforms.RandomRotation", "init_args": {"axis": "z"}},
                {"class_path": "datamodules.points.transforms.Subsample", "init_args": {"num_points": 8}},
            ],
        },
    }
    data = parser.instantiate(parser.parse_object({"data": config})).data
    assert next(iter(data.train_dataloader())).counts.tolist() == [8, 8, 8]
    assert next(iter(data.val_dataloader())).counts.tolist() == [32, 32, 32]
    assert next(iter(data.test_dataloader())).counts.tolist() == [16, 16, 16]


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: SurfaceOptions(num_points=0), ValueError, "num_points must be at least 1, got 0"),
        (lambda: SurfaceOptions(num_points=1.5), TypeError, "num_points must be an integer, got 1.5"),
        (lambda: SurfaceOptions(rotation="x"), ValueError, "rotation must be one of .* got 'x'"),
        (lambda: SurfaceOptions(stretch=0.9), ValueError, "stretch must be at least 1, got 0.9"),
        (lambda: SurfaceOptions(noise=-1), ValueError, "noise must be at least 0, got -1"),
        (lambda: SurfaceOptions(density_ratio=0.5), ValueError, "density_ratio must be at least 1, got 0.5"),
        (lambda: SurfaceOptions(density_ratio=float("inf")), ValueError, "density_ratio must be finite"),
        (lambda: SurfaceOptions(missing=0.95), ValueError, "missing must be from 0 to 0.9, got 0.95"),
        (lambda: SurfaceOptions(missing=float("nan")), ValueError, "missing must be finite"),
        (lambda: SurfacesDataModule(num_train=0), ValueError, "num_train must be at least 1, got 0"),
        (lambda: SurfacesDataModule(num_val=0), ValueError, "num_val must be at least 1, got 0"),
        (lambda: SurfacesDataModule(num_test=0), ValueError, "num_test must be at least 1, got 0"),
        (lambda: SurfacesDataModule(seed=-1), ValueError, "seed must be at least 0, got -1"),
        (lambda: SurfacesDataModule(batch_size=0), ValueError, "batch_size must be at least 1, got 0"),
        (lambda: SurfacesDataModule(bach_size=1), TypeError, "bach_size"),
    ],
)
def test_bad_arguments_are_named(build, error, message):
    with pytest.raises(error, match=message):
        build()
