"""CIFAR's files, tiny ones of the true layout."""

import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from datamodules.data_files import DataFileError
from datamodules.images.cifar import CIFAR10DataModule, CIFAR100DataModule


def table(count, num_classes, key, seed):
    generator = np.random.default_rng(seed)
    data = generator.integers(0, 256, (count, 3072), np.uint8)
    return {b"data": data, key: [index % num_classes for index in range(count)], b"filenames": [b"x"] * count}


def save(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(content, 2))


@pytest.fixture
def cifar10(tmp_path):
    """The folder above a small CIFAR-10: 3 classes, 12 images in each of the six files."""
    base = tmp_path / "cifar-10-batches-py"
    for number, name in enumerate([*(f"data_batch_{index}" for index in range(1, 6)), "test_batch"]):
        save(base / name, table(12, 3, b"labels", number))
    save(base / "batches.meta", {b"label_names": [b"cat", b"dog", b"frog"]})
    return tmp_path


@pytest.fixture
def cifar100(tmp_path):
    base = tmp_path / "cifar-100-python"
    for number, name in enumerate(("train", "test")):
        save(base / name, table(30, 5, b"fine_labels", number) | {b"coarse_labels": [0] * 30})
    save(base / "meta", {b"fine_label_names": [b"a", b"b", b"c", b"d", b"e"], b"coarse_label_names": [b"z"]})
    return tmp_path


def test_planes_are_red_green_and_blue_by_rows(cifar10):
    path = cifar10 / "cifar-10-batches-py" / "test_batch"
    data = np.zeros((1, 3072), np.uint8)
    data[0, 1024 + 32 * 5 + 7] = 9
    save(path, {b"data": data, b"labels": [2]})
    image, label = CIFAR10DataModule(cifar10).splits.test[0]
    assert image.dtype == torch.uint8
    assert image.nonzero().tolist() == [[1, 5, 7]]
    assert label == 2


def test_all_images_are_read_with_their_labels(cifar10):
    data = CIFAR10DataModule(cifar10, val_fraction=0)
    assert data.class_names == ("cat", "dog", "frog")
    whole = np.concatenate([table(12, 3, b"labels", number)[b"data"] for number in range(5)])
    images, labels = data.splits.train.tensors
    np.testing.assert_array_equal(images.flatten(1), whole)
    assert labels.tolist() == [index % 3 for _ in range(5) for index in range(12)]
    np.testing.assert_array_equal(data.splits.test.tensors[0].flatten(1), table(12, 3, b"labels", 5)[b"data"])
    assert data.splits.val is data.splits.test


def test_cifar_100_has_the_fine_labels(cifar100):
    data = CIFAR100DataModule(cifar100, val_fraction=1 / 6)
    assert data.class_names == ("a", "b", "c", "d", "e")
    assert [len(part) for part in (data.splits.train, data.splits.val, data.splits.test)] == [25, 5, 30]
    assert data.splits.test.tensors[1].tolist() == [index % 5 for index in range(30)]


@pytest.mark.parametrize("fraction", [0.05, 0.25, 0.9])
def test_the_validation_part_is_disjoint_even_and_always_the_same(cifar10, fraction):
    torch.manual_seed(int(100 * fraction))
    splits = CIFAR10DataModule(cifar10, val_fraction=fraction).splits
    rows = [[tuple(image.flatten().tolist()) for image in part.tensors[0]] for part in (splits.train, splits.val)]
    assert len({*rows[0], *rows[1]}) == 60
    assert (splits.val.tensors[1].bincount(minlength=3) - 20 * fraction).abs().max() < 1
    again = CIFAR10DataModule(cifar10, val_fraction=fraction).splits
    assert torch.equal(splits.val.tensors[0], again.val.tensors[0])


def test_batches_reach_the_task_standardised(cifar10):
    data = CIFAR10DataModule(cifar10, batch_size=12)
    images, labels = data.evaluation_batch(next(iter(data.test_dataloader())))
    raw = torch.from_numpy(table(12, 3, b"labels", 5)[b"data"]).view(12, 3, 32, 32) / 255
    mean, std = torch.tensor([0.4914, 0.4822, 0.4465]), torch.tensor([0.2023, 0.1994, 0.2010])
    torch.testing.assert_close(images, (raw - mean.view(3, 1, 1)) / std.view(3, 1, 1))
    assert labels.tolist() == [0, 1, 2] * 4
    varied, _ = data.training_batch(next(iter(data.train_dataloader())), 0)
    assert varied.shape == images.shape


@pytest.mark.parametrize("name", ["batches.meta", "data_batch_3", "test_batch"])
def test_a_missing_file_is_named_with_the_tree(cifar10, name):
    (cifar10 / "cifar-10-batches-py" / name).unlink()
    with pytest.raises(FileNotFoundError, match=rf"{name} does not exist; .*(\n.*)*data_batch_1 \.\.\. data_batch_5"):
        CIFAR10DataModule(cifar10).setup("fit")


GOOD = table(4, 3, b"labels", 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({b"data": GOOD[b"data"][:3]}, r"labels must have shape \[3\], got \[4\]"),
        ({b"data": GOOD[b"data"][:, :-1]}, r"data must have shape \[N, 3072\], got \[4, 3071\]"),
        ({b"data": GOOD[b"data"].astype(float)}, "arrays must be of uint8"),
        ({b"data": [1, 2]}, "data must be an array, got list"),
        ({b"data": GOOD[b"data"][:0], b"labels": []}, r"data must have shape \[N, 3072\], got \[0, 3072\]"),
        ({b"labels": [0, 1, 3, 0]}, r"labels must be from 0 to 2, got 3 at \[2\]"),
        ({b"labels": [0, 1, -1, 0]}, r"labels must be from 0 to 2, got -1 at \[2\]"),
        ({b"labels": [0, 1, 1.5, 0]}, "labels must be a list of integers"),
        ({b"labels": b"0120"}, "labels must be a list of integers"),
    ],
)
def test_wrong_contents_are_named(cifar10, change, message):
    save(cifar10 / "cifar-10-batches-py" / "data_batch_2", GOOD | change)
    with pytest.raises(DataFileError, match=rf"data_batch_2: .*{message}"):
        CIFAR10DataModule(cifar10).setup("fit")


def test_other_wrong_files_are_named(cifar10):
    base = cifar10 / "cifar-10-batches-py"
    save(base / "test_batch", {b"data": GOOD[b"data"]})
    with pytest.raises(DataFileError, match=r"test_batch: must hold 'labels', got \['data'\]"):
        CIFAR10DataModule(cifar10).setup("fit")
    for names in ([], "cat", [1]):
        save(base / "batches.meta", {b"label_names": names})
        with pytest.raises(DataFileError, match=r"batches\.meta: label_names must be a list of names"):
            CIFAR10DataModule(cifar10).setup("fit")


@given(share=st.floats(0, 0.999))
def test_a_truncated_file_is_named(tmp_path_factory, share):
    base = tmp_path_factory.mktemp("cifar") / "cifar-100-python"
    save(base / "meta", {b"fine_label_names": [b"a"]})
    save(base / "test", table(2, 1, b"fine_labels", 0))
    content = (base / "test").read_bytes()
    (base / "train").write_bytes(content[: int(share * len(content))])
    with pytest.raises(DataFileError, match=r"train: cannot be read as a pickled table, is it complete\?"):
        CIFAR100DataModule(base.parent).setup("fit")


@pytest.mark.parametrize(
    ("fraction", "message"),
    [
        (-0.1, "val_fraction must be at least 0 and less than 1, got -0.1"),
        (1.0, "val_fraction must be at least 0 and less than 1, got 1"),
        (float("nan"), "val_fraction must be at least 0 and less than 1, got nan"),
        (0.01, "val_fraction=0.01 makes 1 of 60 images the validation part"),
        (0.99, "val_fraction=0.99 makes 59 of 60 images the validation part"),
    ],
)
def test_bad_fractions_are_named(cifar10, fraction, message):
    with pytest.raises(ValueError, match=message):
        CIFAR10DataModule(cifar10, val_fraction=fraction).setup("fit")
