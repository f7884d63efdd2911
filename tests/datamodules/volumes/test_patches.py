"""Patches: inside their volumes, about foreground as often as asked, the same for the same key."""

import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from datamodules.base import SizedDataset
from datamodules.sampling import KeyedShuffle, SampleKey
from datamodules.volumes.augmentation import VolumeAugmentation
from datamodules.volumes.decathlon import DecathlonDataModule
from datamodules.volumes.patches import VolumePatches, WholeVolumes, class_weights
from datamodules.volumes.prepared import Preparation, PreparedVolume


class Volumes(SizedDataset):
    """Prepared volumes in memory, whose voxels tell their own place: 1000 z + 100 y + 10 x + 1."""

    def __init__(self, *labels):
        self.labels = [torch.as_tensor(entry, dtype=torch.uint8) for entry in labels]
        self.preparation = Preparation((1.0, 1.0, 1.0), 1, 4)

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        shape = self.labels[index].shape
        z, y, x = torch.meshgrid(*(torch.arange(count) for count in shape), indexing="ij")
        return PreparedVolume((1000 * z + 100 * y + 10 * x + 1.0)[None], self.labels[index])


SHAPES = st.tuples(*3 * (st.integers(1, 9),))


@given(shape=SHAPES, size=SHAPES, foreground=st.floats(0, 1), seed=st.integers(-5, 2**40), data=st.data())
def test_a_patch_is_a_window_of_its_volume_and_of_its_labels(shape, size, foreground, seed, data):
    labels = np.random.default_rng(data.draw(st.integers(0, 99))).integers(0, 4, shape)
    volumes = Volumes(labels)
    patches = VolumePatches(volumes, size, 3, foreground, None)
    x, target = patches[SampleKey(data.draw(st.integers(0, 2)), seed, data.draw(st.integers(0, 5)))]
    assert type(x) is type(target) is torch.Tensor
    assert x.shape == (1, *size)
    assert target.shape == size
    assert target.dtype == torch.int64
    held = x[0] > 0
    assert held.sum() == np.minimum(shape, size).prod()
    places = (x[0][held] - 1).long()
    where = torch.stack([places // 1000, places // 100 % 10, places // 10 % 10])
    assert torch.equal(target[held], torch.as_tensor(labels)[tuple(where)])
    assert (target[~held] == 0).all()
    low, high = where.amin(dim=1), where.amax(dim=1)
    assert (high - low + 1).tolist() == np.minimum(shape, size).tolist()


def test_patches_are_about_foreground_as_often_as_asked():
    labels = np.zeros((20, 20, 20), int)
    labels[3, 4, 5] = 1
    labels[10:13, 10:13, 10:13] = 2
    patches = VolumePatches(Volumes(labels), (1, 1, 1), 400, 0.6, None)
    found = np.bincount([int(patches[index][1]) for index in range(400)], minlength=4)
    np.testing.assert_allclose(found, [160, 120, 120, 0], atol=40)
    always = VolumePatches(Volumes(labels), (3, 3, 3), 50, 1.0, None)
    assert all((always[index][1] > 0).any() for index in range(50))


@pytest.mark.parametrize(("level", "foreground"), [(0, 1.0), (3, 0.0)])
def test_a_volume_of_one_class_gives_patches_too(level, foreground):
    patches = VolumePatches(Volumes(np.full((4, 4, 4), level)), (2, 2, 2), 4, foreground, None)
    assert patches[0][1].unique().tolist() == [level]


@given(counts=st.lists(st.integers(0, 3), min_size=1, max_size=5).filter(any), foreground=st.floats(0, 1))
def test_weights_are_probabilities_of_classes_that_occur(counts, foreground):
    weights = class_weights(counts, foreground)
    assert abs(sum(weights) - 1) < 1e-9
    assert all(weight >= 0 for weight in weights)
    assert all(weight == 0 for weight, count in zip(weights, counts, strict=True) if count == 0)
    if counts[0] and any(counts[1:]):
        assert abs(sum(weights[1:]) - foreground) < 1e-9


def batches(workers, seed=3, epoch=2):
    torch.manual_seed(seed)
    labels = np.random.default_rng(0).integers(0, 3, (2, 8, 9, 10))
    patches = VolumePatches(Volumes(*labels), (4, 5, 6), 4, 0.5, VolumeAugmentation())
    sampler = KeyedShuffle(patches)
    sampler.set_epoch(epoch)
    torch.rand(17)
    return list(DataLoader(patches, batch_size=2, sampler=sampler, num_workers=workers))


def same(one, other):
    return all(
        torch.equal(a, b) for left, right in zip(one, other, strict=True) for a, b in zip(left, right, strict=True)
    )


def test_patches_depend_on_seed_and_epoch_alone():
    first = batches(0)
    assert same(first, batches(0))
    assert same(first, batches(2))
    assert not same(first, batches(0, seed=4))
    assert not same(first, batches(0, epoch=3))


def test_global_random_numbers_are_left_alone():
    patches = VolumePatches(Volumes(np.eye(4, dtype=int)[None].repeat(4, 0)), (2, 2, 2), 1, 0.5, VolumeAugmentation())
    np.random.seed(0)  # noqa: NPY002  (MONAI's own generators are of this kind)
    torch.manual_seed(0)
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    other = torch.get_rng_state()
    patches[SampleKey(0, 1, 1)]
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), other)


def test_patches_need_labels():
    volumes = Volumes(np.zeros((2, 2, 2)))
    volumes.cases = [type("Case", (), {"name": "first"})]
    volumes.labels[0] = volumes.labels[0]
    bare = PreparedVolume(volumes[0].images, None)
    patches = VolumePatches(volumes, (1, 1, 1), 1, 0.5, None)
    patches.source = type("Source", (), {"__getitem__": lambda self, index: bare, "cases": volumes.cases})()
    with pytest.raises(ValueError, match="source must have labels, got none for first"):
        patches[0]


def test_whole_volumes_without_labels_have_void_targets():
    volumes = Volumes(np.ones((2, 3, 4)))
    x, target = WholeVolumes(volumes)[0]
    assert x.shape == (1, 2, 3, 4)
    assert target.dtype == torch.int64
    assert (target == 1).all()
    bare = type("Source", (), {"__getitem__": lambda self, index: PreparedVolume(x, None)})()
    assert (WholeVolumes(bare)[0][1] == torch.full((2, 3, 4), 255)).all()


def test_patches_can_be_sent_to_another_process(decathlon):
    data = DecathlonDataModule(decathlon(), patch_size=4)
    patches = data.splits.train
    before = patches[3]
    again = pickle.loads(pickle.dumps(patches))[3]
    assert all(torch.equal(*pair) for pair in zip(before, again, strict=True))
