"""Generated solids: equal volumes, exact shapes, the same scene at any spacing, the same in every run."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import ConvexHull
from scipy.spatial.transform import Rotation

from datamodules.sampling import SampleKey
from datamodules.volumes.solid_classes import REACH, SOLIDS
from datamodules.volumes.solids import SolidOptions, SolidsDataModule, SolidVolumes, draw_scene
from datamodules.volumes.voxel_grid import VoxelGrid

SEEDS = st.integers(0, 2**32)
LABELS = st.integers(0, len(SOLIDS) - 1)
NAMES = [solid.name for solid in SOLIDS]


@pytest.fixture(scope="module")
def points():
    return np.random.default_rng(0).uniform(-2.1, 2.1, (3, 1_000_000))


@pytest.mark.parametrize("solid", SOLIDS, ids=NAMES)
def test_solids_have_the_volume_of_the_unit_ball_about_its_middle(solid, points):
    inside = solid.inside(points)
    assert inside.mean() * 4.2**3 == pytest.approx(4 * np.pi / 3, rel=0.02)
    reach = np.sqrt((points[:, inside] ** 2).sum(axis=0).max())
    assert solid.reach - 0.2 < reach <= solid.reach + 1e-9
    assert solid.reach <= REACH


@pytest.mark.parametrize(
    ("name", "turns"),
    [("cube", 24), ("cross", 24), ("tetrahedron", 12), ("ball", 24)],
)
def test_regular_solids_have_their_symmetries(name, turns):
    solid = SOLIDS[NAMES.index(name)]
    points = np.random.default_rng(0).uniform(-1.5, 1.5, (3, 2000))
    group = Rotation.create_group("O").as_matrix()
    kept = sum(np.array_equal(solid.inside(turn @ points), solid.inside(points)) for turn in group)
    assert kept == turns


@pytest.mark.parametrize("name", ["cylinder", "disc", "cone", "torus"])
def test_round_solids_may_turn_about_their_axis(name):
    solid = SOLIDS[NAMES.index(name)]
    points = np.random.default_rng(0).uniform(-1.5, 1.5, (3, 2000))
    turn = Rotation.from_rotvec([0.7, 0, 0]).as_matrix()
    assert np.array_equal(solid.inside(turn @ points), solid.inside(points))
    assert not np.array_equal(solid.inside(points[[1, 0, 2]]), solid.inside(points))


def test_all_but_torus_and_cross_are_convex(points):
    for solid in SOLIDS:
        inside = points[:, solid.inside(points)].T
        filled = ConvexHull(inside).volume / (4 * np.pi / 3)
        assert (filled > 1.2) == (solid.name in ("torus", "cross"))


@given(label=LABELS, seed=SEEDS)
def test_a_scene_holds_one_solid_wholly_inside(label, seed):
    grid = VoxelGrid.of_field(None, 1.0)
    scene = draw_scene(label, grid, 0, np.random.default_rng(seed))
    assert 0.2 < scene.max() <= 1
    part = scene / scene.max()
    assert 4 * np.pi / 3 * 3.9**3 < part.sum() < 4 * np.pi / 3 * 5.6**3  # cubic millimetres
    for axis in range(3):
        assert part.take((0, -1), axis).max() < 0.5


@given(label=LABELS, seed=SEEDS, spacing=st.sampled_from(((2.0, 1.0, 1.0), (1.0, 4.0, 2.0), (4.0, 4.0, 4.0))))
def test_the_same_scene_is_seen_at_any_spacing(label, seed, spacing):
    fine, coarse = (
        draw_scene(label, VoxelGrid.of_field(None, steps), 3, np.random.default_rng(seed)) for steps in (1.0, spacing)
    )
    z, y, x = (int(step) for step in spacing)
    blocks = fine.reshape(28 // z, z, 28 // y, y, 28 // x, x).mean(axis=(1, 3, 5))
    assert coarse.shape == blocks.shape
    assert np.abs(coarse - blocks).mean() < 0.01
    assert np.abs(coarse - blocks).max() < 0.2


@given(seed=SEEDS, part=st.integers(0, 2), index=st.integers(0, 15))
def test_a_volume_follows_from_seed_part_and_index(seed, part, index):
    options = SolidOptions(VoxelGrid.of_field(None, 2.0), 0.1, 2)
    volume, label = SolidVolumes(16, options, seed, part)[index]
    torch.rand(3)
    again, same = SolidVolumes(16, options, seed, part)[index]
    assert np.array_equal(volume, again)
    assert label == same == index % 8
    for other in (SolidVolumes(16, options, seed + 1, part), SolidVolumes(16, options, seed, part + 1)):
        assert not np.array_equal(volume, other[index][0])


def test_noise_does_not_change_the_scene():
    grid = VoxelGrid.of_field(None, 1.0)
    clean, noisy = (SolidVolumes(1, SolidOptions(grid, noise, 2))[0][0].astype(float) for noise in (0.0, 0.05))
    assert (noisy - clean).std() == pytest.approx(0.05 * 255, rel=0.05)
    assert abs((noisy - clean).mean()) < 1


def test_distractors_add_brightness():
    grid = VoxelGrid.of_field(None, 1.0)
    plain, full = (draw_scene(0, grid, count, np.random.default_rng(5)) for count in (0, 8))
    assert (full >= plain - 1e-12).all()
    assert full.sum() > plain.sum()


def test_loaders_give_what_the_task_expects():
    data = SolidsDataModule(batch_size=4, num_train=8, num_val=2, num_test=3, spacing=(3, 1, 1))
    x, target = next(iter(data.train_dataloader()))
    assert x.shape == (4, 1, 9, 28, 28)
    assert x.dtype == torch.float32
    assert -1.2 <= x.min() < x.max() <= 1.2
    assert target.shape == (4,)
    assert target.dtype == torch.int64
    assert [len(list(loader)) for loader in (data.val_dataloader(), data.test_dataloader())] == [1, 1]
    assert data.spacing == (3.0, 1.0, 1.0)
    assert data.num_channels == 1
    assert data.class_names == ("ball", "cube", "cylinder", "disc", "cone", "torus", "tetrahedron", "cross")


def test_classes_are_equally_frequent_and_volumes_are_kept():
    train, val, _ = SolidsDataModule(num_train=24, num_val=8).volumes()
    assert np.bincount([train[index][1] for index in range(24)]).tolist() == 8 * [3]
    assert train[3][0] is train[3][0]
    assert not np.array_equal(train[0][0], val[0][0])
    with pytest.raises(IndexError, match="index must be from 0 to 23, got 24"):
        train[24]


def test_only_training_volumes_are_varied():
    data = SolidsDataModule(num_train=4, num_val=4, num_test=4)
    assert not torch.equal(data.splits.train[SampleKey(0, 1, 0)][0], data.splits.train[SampleKey(0, 1, 1)][0])
    assert torch.equal(data.splits.val[SampleKey(0, 1, 0)][0], data.splits.val[SampleKey(0, 1, 1)][0])
    plain = SolidsDataModule(num_train=4, augment=False)
    volume = torch.from_numpy(plain.volumes()[0][0][0]).float()
    assert torch.allclose(plain.splits.train[0][0][0], volume / 127.5 - 1, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 20}, r"size x spacing must be at least \d+\.\d mm, the largest solid, got \(20\.0, 20\.0, 20\.0\)"),
        ({"spacing": -1}, "spacing must be greater than 0"),
        ({"noise": -0.1}, "noise must be at least 0"),
        ({"distractors": -1}, "distractors must be at least 0"),
        ({"num_train": 0}, "num_train must be at least 1, got 0"),
        ({"num_val": 0}, "num_val must be at least 1, got 0"),
        ({"num_test": 0}, "num_test must be at least 1, got 0"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
        ({"flip_axes": (5,)}, "flip_axes must be different axes"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        SolidsDataModule(**arguments)
