"""Sets of clouds: keys, order, validation share, loaders."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pytorch_lightning import LightningModule, Trainer

from datamodules.points.datasets import (
    ArrayPoints,
    CloudArrays,
    PointSubset,
    TransformedPoints,
    cut_validation,
)
from datamodules.points.module import PointDataModule, PointSources
from datamodules.points.transforms import Jitter, Subsample
from datamodules.points.types import PointBatch
from datamodules.sampling import KeyedShuffle, SampleKey


def arrays(labels, size=8, **changes):
    count = len(labels)
    positions = np.random.default_rng(0).normal(size=(count, size, 3)).astype(np.float32)
    names = [f"cloud {index}" for index in range(count)]
    return CloudArrays(positions, np.asarray(labels), names, **changes)


class Clouds(PointDataModule):
    """Twenty clouds of each of three classes."""

    def load_sources(self):
        train, val = cut_validation(ArrayPoints(arrays(np.arange(60) % 3)), 0.2)
        return PointSources(train, val, ArrayPoints(arrays([2, 1, 0])), ("a", "b", "c"), ("p",), ((0,),) * 3)


def positions_of(loader):
    return {name: cloud for batch in loader for name, cloud in zip(batch.names, split(batch), strict=True)}


def split(batch):
    return [batch.positions[batch.batch == number].tolist() for number in range(batch.num_samples)]


@given(st.lists(st.tuples(st.integers(0, 2**64), st.integers(0, 99), st.integers(0, 99)), max_size=8, unique=True))
def test_keys_have_random_numbers_of_their_own(keys):
    drawn = [SampleKey(index, seed, epoch).generator().random(4).tolist() for seed, epoch, index in keys]
    again = [SampleKey(index, seed, epoch).generator().random(4).tolist() for seed, epoch, index in keys]
    assert drawn == again
    distinct = {(seed % 2**64, epoch, index) for seed, epoch, index in keys}
    assert len({tuple(numbers) for numbers in drawn}) == len(distinct)


def test_the_shuffle_carries_seed_and_epoch():
    torch.manual_seed(7)
    order = KeyedShuffle(range(20))
    order.set_epoch(3)
    keys = list(order)
    assert len(order) == 20
    assert {(key.seed, key.epoch) for key in keys} == {(7, 3)}
    assert sorted(key.index for key in keys) == list(range(20))
    assert [key.index for key in keys] != list(range(20))
    order.set_epoch(4)
    assert [key.index for key in order] != [key.index for key in keys]


@given(
    sizes=st.lists(st.integers(2, 30), min_size=1, max_size=5),
    fraction=st.floats(0.01, 0.45),
    seed=st.integers(0, 99),
)
def test_the_validation_share_is_disjoint_stratified_and_seeded(sizes, fraction, seed):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    source = ArrayPoints(arrays(labels, size=1))
    rest, share = cut_validation(source, fraction, seed)
    assert sorted([*rest.indices, *share.indices]) == list(range(len(labels)))
    assert np.array_equal(share.labels, labels[share.indices])
    for label, size in enumerate(sizes):
        assert abs((share.labels == label).sum() - max(1, fraction * size)) <= 0.5
    assert np.array_equal(share.indices, cut_validation(source, fraction, seed)[1].indices)


def test_another_seed_cuts_another_share():
    source = ArrayPoints(arrays(np.zeros(50, int)))
    assert not np.array_equal(cut_validation(source, 0.5, 0)[1].indices, cut_validation(source, 0.5, 1)[1].indices)


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.5, float("nan")])
def test_a_share_out_of_range_is_refused(fraction):
    with pytest.raises(ValueError, match=r"val_fraction must be (between 0 and 1|finite), got"):
        cut_validation(ArrayPoints(arrays([0, 0])), fraction)


@pytest.mark.parametrize(("labels", "fraction", "label", "count"), [([0, 0, 0, 1], 0.3, 1, 1), ([0, 0, 0], 0.9, 0, 3)])
def test_a_share_that_leaves_nothing_is_refused(labels, fraction, label, count):
    with pytest.raises(ValueError, match=f"leaves nothing of class {label} to train on: it has {count} sample"):
        cut_validation(ArrayPoints(arrays(labels)), fraction)


def test_arrays_give_their_own_cloud():
    features, parts = np.random.default_rng(1).random((3, 8, 2)).astype(np.float32), np.arange(24).reshape(3, 8)
    kept = parts % 3 == 0
    held = arrays([4, 5, 6], features=features, parts=parts, kept=kept)
    for index in range(3):
        sample = ArrayPoints(held)[index]
        assert (sample.label, sample.name) == (4 + index, f"cloud {index}")
        np.testing.assert_array_equal(sample.positions, held.positions[index][kept[index]])
        np.testing.assert_array_equal(sample.features, features[index][kept[index]])
        np.testing.assert_array_equal(sample.parts, parts[index][kept[index]])


def test_a_subset_gives_the_chosen_clouds():
    source = ArrayPoints(arrays([0, 1, 2, 3]))
    subset = PointSubset(source, np.array([3, 1]))
    assert [subset[index].label for index in range(len(subset))] == [3, 1]
    assert subset.labels.tolist() == [3, 1]


def test_transforms_follow_the_key_and_prepare_comes_last():
    data = TransformedPoints(ArrayPoints(arrays([0, 1])), [Subsample(4), Jitter(0.1)], lambda sample: sample.positions)
    key = SampleKey(1, seed=5, epoch=2)
    assert np.array_equal(data[key], data[SampleKey(1, seed=5, epoch=2)])
    assert np.array_equal(data[1], data[SampleKey(1)])
    for other in (SampleKey(1, 5, 3), SampleKey(1, 6, 2), SampleKey(0, 5, 2)):
        assert not np.array_equal(data[key], data[other])


def test_loaders():
    data = Clouds(batch_size=4, train_transforms=[Subsample(3)])
    data.setup("fit")
    train, val, test = data.train_dataloader(), data.val_dataloader(), data.test_dataloader()
    assert [len(loader.dataset) for loader in (train, val, test)] == [48, 12, 3]
    batch = next(iter(train))
    assert isinstance(batch, PointBatch)
    assert batch.counts.tolist() == [3, 3, 3, 3]
    assert torch.cat([batch.labels for batch in val]).bincount().tolist() == [4, 4, 4]
    assert next(iter(test)).labels.tolist() == [2, 1, 0]
    assert next(iter(data.predict_dataloader())).counts.tolist() == [8, 8, 8]
    assert (data.class_names, data.part_names, data.class_parts) == (("a", "b", "c"), ("p",), ((0,),) * 3)


def test_what_is_loaded_does_not_depend_on_the_workers():
    batches = {}
    for workers in (0, 2):
        torch.manual_seed(1)
        data = Clouds(batch_size=7, num_workers=workers, train_transforms=[Jitter(0.1)], eval_transforms=[Jitter(0.2)])
        loader = data.train_dataloader()
        loader.sampler.set_epoch(1)
        batches[workers] = positions_of(loader), positions_of(data.val_dataloader())
    assert batches[0] == batches[2]


def test_each_epoch_is_transformed_anew_and_each_evaluation_alike():
    data = Clouds(batch_size=7, train_transforms=[Jitter(0.1)], eval_transforms=[Jitter(0.1)])
    loader = data.train_dataloader()
    first = positions_of(loader)
    loader.sampler.set_epoch(1)
    assert all(first[name] != cloud for name, cloud in positions_of(loader).items())
    assert positions_of(data.val_dataloader()) == positions_of(data.val_dataloader())


class Recorder(LightningModule):
    """Learns nothing; keeps the first cloud of each epoch."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen = []

    def training_step(self, batch, batch_idx):
        if batch_idx == 0:
            self.seen.append((batch.names[0], split(batch)[0]))
        return self.weight * batch.positions.sum()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.mark.filterwarnings("ignore:.*does not have many workers", "ignore:.isinstance.treespec, LeafSpec")
def test_the_trainer_tells_the_epoch():
    runs = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        data, task = Clouds(batch_size=48, train_transforms=[Jitter(0.1)]), Recorder()
        Trainer(max_epochs=2, accelerator="cpu", barebones=True).fit(task, data.train_dataloader())
        runs.append(task.seen)
    assert runs[0] == runs[1]
    assert runs[0][0] != runs[0][1]
    assert runs[0][0] != runs[2][0]


def test_prepare_and_collate_replace_the_batch():
    data = Clouds(batch_size=3, prepare=lambda sample: sample.num_points, collate=sum)
    assert list(data.test_dataloader()) == [24]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"num_workers": -1}, "num_workers must be at least"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        Clouds(**arguments)
