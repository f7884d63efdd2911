"""A folder per class: labels, sizes, and what is refused."""

import numpy as np
import pytest
import torch
from PIL import Image

from datamodules.data_files import DataFileError
from datamodules.images.imagenet import ImageNetDataModule

CLASSES = ("n01", "n02", "n10")


def save(path, width, height, colour=(0, 0, 0)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, height), colour).save(path)


@pytest.fixture
def tree(tmp_path):
    """Three classes of one colour each, photographs of uneven sizes; and files that are none of them."""
    for label, name in enumerate(CLASSES):
        colour = tuple(200 * (label == channel) for channel in range(3))
        for index in range(4):
            save(tmp_path / "train" / name / f"{name}_{index}.JPEG", 40 + 7 * index, 36 + 5 * label, colour)
        save(tmp_path / "val" / name / "a.png", 60, 40, colour)
        save(tmp_path / "val" / name / "b.png", 40, 60, colour)
        (tmp_path / "val" / name / ".hidden.png").write_bytes(b"")
        (tmp_path / "val" / name / "notes.txt").write_text("no image")
    (tmp_path / "train" / "list.txt").write_text("no class")
    return tmp_path


def colours(images):
    return images.mean(dim=(2, 3)).argmax(dim=1)


@pytest.mark.parametrize("augment", [True, False])
def test_training_batches_have_one_size_and_their_own_labels(tree, augment):
    data = ImageNetDataModule(tree, batch_size=12, size=32, resize_to=36, augment=augment)
    raw, labels = next(iter(data.train_dataloader()))
    assert data.class_names == CLASSES
    assert sorted(labels.tolist()) == [0] * 4 + [1] * 4 + [2] * 4
    assert len({image.shape for image in raw}) > 3
    images, same = data.training_batch((raw, labels), 0)
    assert images.shape == (12, 3, 32, 32)
    assert torch.equal(same, labels)
    assert torch.equal(colours(images), labels)


def test_evaluation_cuts_the_middle_out(tree):
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[10:30, 20:40] = 255
    Image.fromarray(pixels).save(tree / "val" / "n01" / "a.png")
    data = ImageNetDataModule(tree, size=20, resize_to=40)
    image, label = data.splits.val[0]
    assert image.dtype == torch.uint8
    assert (image == 255).all()
    assert label == 0
    images, labels = next(iter(data.val_dataloader()))
    assert images.shape == (6, 3, 20, 20)
    assert labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert data.splits.test is data.splits.val


def test_classes_must_agree(tree):
    (tree / "val" / "n10").rename(tree / "val" / "n11")
    with pytest.raises(ValueError, match=r"val: its classes must be those of train, got differing \['n10', 'n11'\]"):
        ImageNetDataModule(tree).setup("fit")


def test_missing_parts_are_named_with_the_tree(tree, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent/train does not exist(.*\n)*train/<class>/\*\.JPEG"):
        ImageNetDataModule(tmp_path / "absent").setup("fit")
    for path in (tree / "val" / "n02").iterdir():
        path.unlink()
    with pytest.raises(FileNotFoundError, match="val/n02/<image> does not exist"):
        ImageNetDataModule(tree).setup("fit")
    (tmp_path / "empty" / "val").mkdir(parents=True)
    (tmp_path / "empty" / "train").mkdir()
    with pytest.raises(FileNotFoundError, match="train/<class> does not exist"):
        ImageNetDataModule(tmp_path / "empty").setup("fit")


def test_a_damaged_photograph_is_named(tree):
    path = tree / "train" / "n02" / "n02_1.JPEG"
    path.write_bytes(path.read_bytes()[:150])
    data = ImageNetDataModule(tree, batch_size=12)
    with pytest.raises(DataFileError, match=r"n02_1\.JPEG: cannot be read as an image, is it complete\?"):
        next(iter(data.train_dataloader()))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 0}, "size must be at least 1, got 0"),
        ({"resize_to": 100}, "resize_to must be at least 224, got 100"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        ImageNetDataModule("data", **arguments)
