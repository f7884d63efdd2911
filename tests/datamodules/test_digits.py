"""The digits: their split, their scaling, and what is refused."""

import subprocess
import sys

import pytest
import torch
from sklearn.datasets import load_digits

from datamodules.digits import DigitsDataModule


@pytest.fixture(scope="module")
def splits():
    return DigitsDataModule().splits


def images_as_rows(dataset):
    """The images as tuples of ink counts, whatever the scaling was."""
    flat = dataset.tensors[0].flatten(1).double()
    step = flat.unique().diff().min()
    return [tuple(row) for row in ((flat - flat.min()) / step).round().int().tolist()]


def test_the_parts_are_the_whole_set_without_overlap(splits):
    rows = [row for part in (splits.train, splits.val, splits.test) for row in images_as_rows(part)]
    expected = [tuple(row) for row in load_digits().data.astype(int).tolist()]
    assert sorted(rows) == sorted(expected)
    assert len(set(expected)) == 1797  # all images differ, so equal multisets mean no overlap


def test_labels_belong_to_their_images(splits):
    digits = load_digits()
    label_of = dict(zip(map(tuple, digits.data.astype(int).tolist()), digits.target.tolist(), strict=True))
    for part in (splits.train, splits.val, splits.test):
        assert [label_of[row] for row in images_as_rows(part)] == part.tensors[1].tolist()


def test_sizes_and_classes_follow_the_fractions(splits):
    whole = torch.from_numpy(load_digits().target).bincount()
    for part, fraction in ((splits.val, 0.15), (splits.test, 0.25)):
        assert len(part) == round(fraction * 1797)
        assert (part.tensors[1].bincount() - fraction * whole).abs().max() < 2


def test_the_split_does_not_depend_on_the_seed(splits):
    torch.manual_seed(123)
    again = DigitsDataModule(batch_size=7).splits
    for part, other in ((splits.train, again.train), (splits.val, again.val), (splits.test, again.test)):
        assert all(torch.equal(a, b) for a, b in zip(part.tensors, other.tensors, strict=True))


def test_training_images_are_standardised(splits):
    images, labels = splits.train.tensors
    assert images.shape[1:] == (1, 8, 8)
    assert images.dtype == torch.float32
    assert labels.dtype == torch.int64
    assert abs(images.mean()) < 1e-5
    assert abs(images.std() - 1) < 1e-4


def test_loaders():
    data = DigitsDataModule(batch_size=100)
    data.setup("fit")
    assert data.splits is data.splits
    images, labels = next(iter(data.train_dataloader()))
    assert images.shape == (100, 1, 8, 8)
    assert not torch.equal(labels, data.splits.train.tensors[1][:100])
    for loader, part in (
        (data.val_dataloader(), data.splits.val),
        (data.test_dataloader(), data.splits.test),
        (data.predict_dataloader(), data.splits.test),
    ):
        assert torch.equal(torch.cat([labels for _, labels in loader]), part.tensors[1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"num_workers": -1}, "num_workers must be at least 0, got -1"),
        ({"val_fraction": 0.0}, "val_fraction must be at least 0.01 .* got 0 "),
        ({"test_fraction": 1.0}, "test_fraction must be at least 0.01 .* got 1 "),
        ({"val_fraction": float("nan")}, "val_fraction must .* got nan"),
        ({"val_fraction": 0.5, "test_fraction": 0.5}, r"train_fraction must .* got 0 \(val_fraction=0.5"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        DigitsDataModule(**arguments)


def test_the_smallest_parts_allowed():
    splits = DigitsDataModule(val_fraction=0.01, test_fraction=0.98).splits
    assert [len(part) for part in (splits.train, splits.val, splits.test)] == [18, 18, 1761]


def test_missing_scikit_learn_is_explained(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    data = DigitsDataModule()
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'lpsc-nd\[train\]'"):
        data.setup("fit")


def test_import_does_not_load_scikit_learn():
    code = "import sys, datamodules.digits as d; d.DigitsDataModule(); print('sklearn' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"
