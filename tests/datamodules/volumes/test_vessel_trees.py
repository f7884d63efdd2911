"""Generated vessel trees: connected, tapering, exactly labelled, the same scene at any spacing."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from datamodules.volumes import vessel_trees
from datamodules.volumes.vessel_scenes import Balls, grow_tree, scatter_blobs
from datamodules.volumes.vessel_trees import (
    TreeOptions,
    VesselTreesDataModule,
    VesselTreeVolumes,
    covered,
    draw_scene,
)
from datamodules.volumes.voxel_grid import VoxelGrid

SEEDS = st.integers(0, 2**32)
FIELDS = st.tuples(*3 * (st.floats(5, 40),))
SPACINGS = st.tuples(*3 * (st.sampled_from((0.5, 1.0, 1.5, 3.0)),))


def components(balls):
    """Number of pieces into which balls fall whose middles are within half a step of the next."""
    pairs = cKDTree(balls.centers).query_pairs(0.75, output_type="ndarray")
    graph = np.zeros((len(balls.radii),) * 2, bool)
    graph[tuple(pairs.T)] = True
    return connected_components(graph, directed=False)[0]


def test_pieces_are_counted():
    centers = np.array([[0.0, 0, 0], [0, 0, 0.5], [0, 2, 0], [0, 2, 0.5], [9, 9, 9]])
    assert components(Balls(centers, np.ones(5))) == 3


@given(field=FIELDS, seed=SEEDS)
def test_a_tree_is_one_piece_from_a_face_of_its_box(field, seed):
    balls = grow_tree(field, np.random.default_rng(seed))
    half = np.divide(field, 2)
    assert len(balls.centers) == len(balls.radii) > 0
    assert (np.abs(balls.centers) <= half + 1e-6).all()
    assert (balls.radii >= 0.6 * 0.9 - 1e-9).all()
    assert balls.radii.max() <= 2.4
    assert components(balls) == 1
    root = balls.centers[balls.radii.argmax()]
    assert np.abs(np.abs(root) - half).min() < 1e-6


@given(seed=SEEDS)
def test_vessels_bend_smoothly_along_a_branch(seed):
    balls = grow_tree((28.0, 28.0, 28.0), np.random.default_rng(seed))
    steps = np.diff(balls.centers, axis=0)
    lengths = np.linalg.norm(steps, axis=1)
    along = np.isclose(lengths, 0.5, atol=1e-6)
    headings = steps / np.maximum(lengths, 1e-9)[:, None]
    cosines = (headings[1:] * headings[:-1]).sum(axis=1)[along[1:] & along[:-1]]
    assert np.mean(cosines > 0.9) > 0.8 if len(cosines) > 20 else True


@given(size=st.tuples(*3 * (st.integers(1, 12),)), spacing=SPACINGS, count=st.integers(1, 6), seed=SEEDS)
def test_voxels_are_marked_whose_middle_is_in_a_ball(size, spacing, count, seed):
    grid = VoxelGrid.of_field(size, spacing)
    balls = scatter_blobs(grid.field, count, np.random.default_rng(seed))
    places = np.stack(np.meshgrid(*grid.middles(), indexing="ij"))
    expected = np.zeros(size, bool)
    for center, radius in zip(balls.centers, balls.radii, strict=True):
        expected |= ((places - center[:, None, None, None]) ** 2).sum(axis=0) <= radius**2
    np.testing.assert_array_equal(covered(balls, grid), expected)


def test_many_balls_are_drawn_as_a_few(monkeypatch):
    grid = VoxelGrid.of_field(None, 1.0)
    tree = grow_tree(grid.field, np.random.default_rng(1))
    whole = covered(tree, grid)
    monkeypatch.setattr(vessel_trees, "_BALLS_AT_ONCE", 7)
    np.testing.assert_array_equal(covered(tree, grid), whole)
    assert whole.any()


@given(seed=SEEDS, spacing=st.sampled_from(((3.0, 1.0, 1.0), (1.0, 5.0, 1.0), (3.0, 3.0, 3.0))))
def test_labels_are_the_same_scene_at_any_spacing(seed, spacing):
    z, y, x = (int(step) for step in spacing)
    size = np.array([30, 30, 30])
    fine, coarse = (
        draw_scene(TreeOptions(VoxelGrid.of_field(tuple(count.tolist()), steps), 0.0, 5), np.random.default_rng(seed))
        for count, steps in ((size, 1.0), (size // (z, y, x), spacing))
    )
    np.testing.assert_array_equal(coarse[1], fine[1][z // 2 :: z, y // 2 :: y, x // 2 :: x])
    blocks = fine[0].reshape(30 // z, z, 30 // y, y, 30 // x, x).mean(axis=(1, 3, 5))
    assert np.abs(coarse[0] - blocks).mean() < 0.01


@given(seed=SEEDS)
def test_vessels_are_bright_and_so_are_things_that_are_none(seed):
    options = TreeOptions(VoxelGrid.of_field(None, 1.0), 0.0, 15)
    scene, labels = draw_scene(options, np.random.default_rng(seed))
    assert labels.dtype == np.uint8
    assert set(np.unique(labels)) == {0, 1}
    assert (scene[labels == 1] > 0).all()
    assert scene.max() <= 0.45 + 1e-9
    far = ndimage.distance_transform_edt(labels == 0) > 1.8
    assert scene[far].max() > 0.15  # blobs


def test_without_blobs_all_that_is_bright_is_a_vessel():
    options = TreeOptions(VoxelGrid.of_field(None, 1.0), 0.0, 0)
    scene, labels = draw_scene(options, np.random.default_rng(3))
    assert scene[ndimage.distance_transform_edt(labels == 0) > 1.8].max() == 0


@given(seed=SEEDS, part=st.integers(0, 2), index=st.integers(0, 3))
def test_a_volume_follows_from_seed_part_and_index(seed, part, index):
    options = TreeOptions(VoxelGrid.of_field(12, 1.0), 0.1, 2)
    volume, labels = VesselTreeVolumes(4, options, seed, part)[index]
    torch.rand(3)
    again = VesselTreeVolumes(4, options, seed, part)[index]
    assert np.array_equal(volume, again[0])
    assert np.array_equal(labels, again[1])
    for other in (VesselTreeVolumes(4, options, seed + 1, part), VesselTreeVolumes(4, options, seed, part + 1)):
        assert not np.array_equal(volume, other[index][0])


def test_loaders_give_what_the_task_expects():
    data = VesselTreesDataModule(batch_size=2, num_train=4, num_val=2, num_test=3, spacing=(3, 1, 1))
    for x, target in (next(iter(data.train_dataloader())), next(iter(data.test_dataloader()))):
        assert x.shape == (2, 1, 9, 28, 28)
        assert x.dtype == torch.float32
        assert target.shape == (2, 9, 28, 28)
        assert target.dtype == torch.int64
        assert target.unique().tolist() == [0, 1]
    assert data.spacing == (3.0, 1.0, 1.0)
    assert data.class_names == ("background", "vessel")
    assert data.num_channels == 1


def test_labels_are_mirrored_with_their_volume():
    data = VesselTreesDataModule(num_train=1)
    plain = VesselTreesDataModule(num_train=1, augment=False).splits.train[0]
    varied = data.splits.train[0]
    for axes in [[axis for axis in range(3) if choice >> axis & 1] for choice in range(8)]:
        if torch.equal(plain[1].flip(axes), varied[1]):
            straight = torch.corrcoef(torch.stack([plain[0][0].flip(axes).ravel(), varied[0].ravel()]))
            assert straight[0, 1] > 0.999
            return
    pytest.fail("no mirroring of the labels")


def test_vessels_fill_a_small_part_of_the_volume():
    train = VesselTreesDataModule(num_train=10).volumes()[0]
    shares = [train[index][1].mean() for index in range(10)]
    assert 0.01 < np.mean(shares) < 0.1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 0}, "size must be at least 1|size must be at least 1"),
        ({"spacing": 0}, "spacing must be greater than 0"),
        ({"noise": -0.1}, "noise must be at least 0"),
        ({"distractors": -1}, "distractors must be at least 0"),
        ({"num_train": 0}, "num_train must be at least 1, got 0"),
        ({"num_val": 0}, "num_val must be at least 1, got 0"),
        ({"num_test": 0}, "num_test must be at least 1, got 0"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        VesselTreesDataModule(**arguments)
