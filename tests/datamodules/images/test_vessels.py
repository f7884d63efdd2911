"""Generated vessels: exact labels, real background, the same in every run."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from datamodules.images import vessel_scenes
from datamodules.images.vessel_scenes import FUNDUS_SIZE, draw_scene, fundus
from datamodules.images.vessel_trees import Discs, grow_trees, scatter_spots
from datamodules.images.vessels import VesselScenes, VesselsDataModule

SIZES = st.tuples(st.integers(8, 100), st.integers(8, 100))
SEEDS = st.integers(0, 2**32)


@given(size=SIZES, count=st.integers(0, 4), seed=SEEDS)
def test_trees_are_connected_discs_inside_their_frame(size, count, seed):
    discs = grow_trees(size, count, np.random.default_rng(seed))
    assert len(discs.centers) == len(discs.radii) == len(discs.contrast)
    assert (discs.centers >= 0).all()
    assert (discs.centers <= np.array(size) - 1).all()
    assert (discs.radii > 0.5).all()
    assert ((discs.contrast > 0) & (discs.contrast <= 1)).all()
    if len(discs.radii) > 1:
        gaps = cKDTree(discs.centers).query(discs.centers, k=2)[0][:, 1]
        assert (gaps > 0.5 + 1e-9).sum() <= count  # trees of one disc, which left the frame at once


def components(discs):
    """Number of pieces into which discs fall that touch within half a pixel."""
    pairs = cKDTree(discs.centers).query_pairs(0.75, output_type="ndarray")
    graph = np.zeros((len(discs.radii),) * 2, bool)
    graph[tuple(pairs.T)] = True
    return connected_components(graph, directed=False)[0]


def test_pieces_are_counted():
    centers = np.array([[0.0, 0.0], [0.0, 0.5], [0.0, 2.0], [0.5, 2.0], [9.0, 9.0]])
    assert components(Discs(centers, np.ones(5), np.ones(5))) == 3


@given(seed=SEEDS)
def test_one_tree_is_one_piece_whose_thickest_end_is_on_the_border(seed):
    discs = grow_trees((60, 60), 1, np.random.default_rng(seed))
    assert components(discs) == 1
    root = discs.centers[discs.radii.argmax()]
    assert min(*root, *(59 - root)) < 1e-9


@given(size=SIZES, seed=SEEDS)
def test_pixels_are_labelled_whose_middle_is_in_a_disc(size, seed):
    generator = np.random.default_rng(seed)
    discs = scatter_spots(size, int(generator.integers(0, 9)), generator)
    inside, dark = vessel_scenes._stamp(discs, size)
    rows, columns = np.mgrid[: size[0], : size[1]]
    expected = np.zeros(size, bool)
    for (row, column), radius in zip(discs.centers, discs.radii, strict=True):
        expected |= (rows - row) ** 2 + (columns - column) ** 2 <= radius**2
    np.testing.assert_array_equal(inside, expected)
    assert (dark[expected] > 0).all()
    assert dark[ndimage.distance_transform_edt(~expected) > 1.5].max(initial=0) == 0
    assert dark.max() <= 1


def test_many_discs_are_drawn_as_a_few(monkeypatch):
    generator = np.random.default_rng(0)
    discs = grow_trees((64, 64), 3, generator)
    whole = vessel_scenes._stamp(discs, (64, 64))
    monkeypatch.setattr(vessel_scenes, "_DISCS_AT_ONCE", 7)
    parts = vessel_scenes._stamp(discs, (64, 64))
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(one, other)


def test_no_discs_leave_the_image_as_it_is():
    inside, dark = vessel_scenes._stamp(Discs(np.zeros((0, 2)), np.zeros(0), np.zeros(0)), (4, 5))
    assert not inside.any()
    assert not dark.any()


def test_the_background_is_a_retina_in_the_shape_of_drive_without_vessels():
    background = fundus()
    assert background.image.shape == (*FUNDUS_SIZE, 3)
    assert ndimage.label(background.field)[1] == 1
    height, width = (extent.stop - extent.start for extent in ndimage.find_objects(background.field.astype(int))[0])
    assert 530 <= height <= 548
    assert 530 <= width <= 548
    assert background.image[~background.field].max() == 0
    red, green, blue = background.image[background.field].mean(axis=0)
    assert red > 2 * green > 2 * blue > 40
    inner = ndimage.binary_erosion(background.field, iterations=12)
    lines = ndimage.grey_closing(background.image[..., 1], size=15) - background.image[..., 1]
    assert lines[inner].max() < 6  # grey values; its own vessels are 40 to 60 darker than what surrounds them


@given(size=SIZES, seed=SEEDS)
def test_scenes_have_labels_inside_the_field_of_view_and_are_black_outside(size, seed):
    image, target = draw_scene(size, np.random.default_rng(seed))
    assert image.shape == (3, *size)
    assert image.dtype == np.uint8
    assert target.shape == size
    assert set(np.unique(target)) <= {0, 1, 255}
    assert (target != 255).mean() >= 0.6
    far = ndimage.binary_erosion(target == 255, iterations=4, border_value=1)
    assert image[:, far].max(initial=0) == 0


def test_vessels_are_darker_than_what_surrounds_them():
    differences = []
    for index in range(20):
        image, target = draw_scene((96, 96), np.random.default_rng(index))
        near = ndimage.binary_dilation(target == 1, iterations=6) & (target == 0)
        differences.append(image[1, near].mean() - image[1, target == 1].mean())
    assert min(differences) > 0
    assert np.mean(differences) > 8


@given(seed=SEEDS, index=st.integers(0, 5), part=st.integers(0, 2))
def test_a_scene_follows_from_seed_part_and_index(seed, index, part):
    scenes = VesselScenes(6, (24, 24), seed, part)
    image, target = scenes[index]
    torch.rand(3)
    again = VesselScenes(6, (24, 24), seed, part)[index]
    assert torch.equal(image, again[0])
    assert torch.equal(target, again[1])
    for other in (VesselScenes(6, (24, 24), seed + 1, part)[index], VesselScenes(6, (24, 24), seed, part + 1)[index]):
        assert not torch.equal(image, other[0])


def test_an_index_out_of_range_is_refused():
    for index in (-1, 3):
        with pytest.raises(IndexError, match=f"index must be from 0 to 2, got {index}"):
            VesselScenes(3, (8, 8))[index]


def test_loaders_give_what_the_task_expects():
    data = VesselsDataModule(batch_size=4, size=(32, 40), num_train=8, num_val=2, num_test=3)
    assert [len(part) for part in (data.splits.train, data.splits.val, data.splits.test)] == [8, 2, 3]
    images, target = data.training_batch(next(iter(data.train_dataloader())), 0)
    assert images.shape == (4, 3, 32, 40)
    assert images.dtype == torch.float32
    assert target.shape == (4, 32, 40)
    assert target.dtype == torch.int64
    assert len(list(data.predict_dataloader())) == 1
    assert data.class_names == ("background", "vessel")


def test_defaults_are_small():
    data = VesselsDataModule()
    assert [len(part) for part in (data.splits.train, data.splits.val, data.splits.test)] == [40, 10, 20]
    assert data.splits.train[0][0].shape == (3, 96, 96)


def test_whole_photographs_can_be_made():
    image, target = VesselsDataModule(size=FUNDUS_SIZE).splits.test[0]
    assert image.shape == (3, 584, 565)
    assert 0.65 < (target != 255).double().mean() < 0.75
    assert 0.03 < (target == 1).sum() / (target != 255).sum() < 0.3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 7}, r"size\[0\] must be at least 8, got 7|size must be at least 8, got 7"),
        ({"size": 585}, r"size must be at most \(584, 565\), got \(585, 585\)"),
        ({"size": (8, 8, 8)}, r"size must be one integer or a tuple of 2"),
        ({"num_train": 0}, "num_train must be at least 1, got 0"),
        ({"num_val": 0}, "num_val must be at least 1, got 0"),
        ({"num_test": 0}, "num_test must be at least 1, got 0"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        VesselsDataModule(**arguments)


def test_a_missing_photograph_is_explained(monkeypatch, tmp_path):
    monkeypatch.setattr(vessel_scenes, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"scikit-image.*pip install 'lpsc-nd\[images\]'"):
        vessel_scenes._photograph()
    spec = type("Spec", (), {"origin": str(tmp_path / "__init__.py")})
    monkeypatch.setattr(vessel_scenes, "find_spec", lambda name: spec)
    with pytest.raises(FileNotFoundError, match=r"data/retina\.jpg does not exist: this scikit-image comes without it"):
        vessel_scenes._photograph()
