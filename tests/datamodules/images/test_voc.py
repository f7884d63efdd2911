"""VOC's tree: lists, palettes, void, and what is refused."""

import numpy as np
import pytest
import torch
from PIL import Image

from datamodules.data_files import DataFileError
from datamodules.images.voc import VOC2012DataModule


def save_pair(base, folder, name, size, seed):
    """A photograph whose colours tell the labels, and its label image, with an arbitrary palette and a void rim."""
    labels = np.random.default_rng(seed).integers(0, 21, size).astype(np.uint8)
    labels[0] = 255
    (base / "JPEGImages").mkdir(parents=True, exist_ok=True)
    (base / folder).mkdir(exist_ok=True)
    Image.fromarray(np.repeat(labels[..., None], 3, axis=2)).save(base / "JPEGImages" / f"{name}.jpg", quality=100)
    image = Image.fromarray(labels).convert("P")
    image.putdata(labels.ravel().tolist())
    image.putpalette(np.random.default_rng(seed).integers(0, 256, 768).tolist())
    image.save(base / folder / f"{name}.png")
    return labels


@pytest.fixture
def voc(tmp_path):
    """Four training pairs with extra annotations, one without, two validation pairs, of uneven sizes."""
    base = tmp_path / "VOCdevkit" / "VOC2012"
    lists = base / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    truth = {}
    for number in range(4):
        name = f"2007_{number:06d}"
        truth[name] = save_pair(base, "SegmentationClassAug", name, (10 + number, 12), number)
    for name in ("2008_000001", "2008_000002", "2008_000003"):
        truth[name] = save_pair(base, "SegmentationClass", name, (9, 11 + int(name[-1])), int(name[-1]))
    (lists / "trainaug.txt").write_text("\n".join(sorted(truth)[:4]) + "\n\n")
    (lists / "train.txt").write_text("2008_000003\n")
    (lists / "val.txt").write_text("2008_000001\n2008_000002")
    return tmp_path, truth


def test_pairs_come_as_they_are(voc):
    root, truth = voc
    splits = VOC2012DataModule(root).splits
    for part, names in ((splits.train, sorted(truth)[:4]), (splits.val, sorted(truth)[4:6])):
        assert len(part) == len(names)
        for name, (image, labels) in zip(names, (part[index] for index in range(len(part))), strict=True):
            np.testing.assert_array_equal(labels, truth[name])
            assert image.shape == (3, *labels.shape)
    assert splits.test is splits.val


def test_evaluation_shows_whole_photographs_one_by_one(voc):
    root, truth = voc
    data = VOC2012DataModule(root, batch_size=16)
    for loader in (data.val_dataloader(), data.test_dataloader(), data.predict_dataloader()):
        shapes = [tuple(labels.shape) for _, labels in loader]
        assert shapes == [(1, *truth[name].shape) for name in sorted(truth)[4:6]]


@pytest.mark.parametrize("crop", [8, 32])
def test_training_batches_have_one_size(voc, crop):
    root, _ = voc
    data = VOC2012DataModule(root, batch_size=4, crop=crop)
    images, labels = data.training_batch(next(iter(data.train_dataloader())), 0)
    assert images.shape == (4, 3, crop, crop)
    assert labels.shape == (4, crop, crop)
    assert labels.dtype == torch.int64


@pytest.mark.parametrize("crop", [7, 11, 32])
def test_without_augmentation_the_middle_is_cut_out(voc, crop):
    root, truth = voc
    data = VOC2012DataModule(root, batch_size=4, crop=crop, augment=False)
    samples = [data.splits.train[index] for index in range(4)]
    images, labels = data.plain(*map(list, zip(*samples, strict=True)))
    for image, found, name in zip(images, labels, sorted(truth)[:4], strict=True):
        height, width = truth[name].shape
        canvas = np.full((99, 99), 255)
        top, left = (99 - height) // 2, (99 - width) // 2
        canvas[top : top + height, left : left + width] = truth[name]
        first = [[(99 - crop) // 2 + shift for shift in (-1, 0, 1)]] * 2  # odd margins may fall to either side
        windows = [canvas[row : row + crop, column : column + crop] for row in first[0] for column in first[1]]
        assert any(np.array_equal(found, window) for window in windows)
        known = (found != 255)[None].expand(3, -1, -1)
        assert (image[known] * 255 - found[None].expand(3, -1, -1)[known]).abs().max() < 12  # as far as JPEG goes


def test_lists_may_hold_paths_and_be_named_otherwise(voc):
    root, truth = voc
    lists = root / "VOCdevkit" / "VOC2012" / "ImageSets" / "Segmentation"
    (lists / "trainaug.txt").unlink()
    name = sorted(truth)[2]
    (lists / "train_aug.txt").write_text(f"/JPEGImages/{name}.jpg /SegmentationClassAug/{name}.png\n")
    ((_, labels),) = [VOC2012DataModule(root).splits.train[0]]
    np.testing.assert_array_equal(labels, truth[name])


def test_the_extra_annotations_can_be_left_out(voc):
    root, truth = voc
    part = VOC2012DataModule(root, augmented=False).splits.train
    assert len(part) == 1
    np.testing.assert_array_equal(part[0][1], truth["2008_000003"])


def test_there_are_21_classes(voc):
    assert len(set(VOC2012DataModule(voc[0]).class_names)) == 21


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("ImageSets/Segmentation/val.txt", r"val\.txt does not exist"),
        ("ImageSets/Segmentation/trainaug.txt", r"trainaug\.txt does not exist"),
        ("JPEGImages/2007_000001.jpg", r"2007_000001\.jpg does not exist(.*\n)*.*trainaug\.txt lists 2007_000001"),
        ("SegmentationClassAug/2007_000003.png", r"SegmentationClassAug/2007_000003\.png does not exist"),
        ("SegmentationClass/2008_000002.png", r"SegmentationClass/2008_000002\.png does not exist"),
    ],
)
def test_missing_files_are_named_with_the_tree(voc, missing, message):
    (voc[0] / "VOCdevkit" / "VOC2012" / missing).unlink()
    with pytest.raises(FileNotFoundError, match=rf"{message}"):
        VOC2012DataModule(voc[0]).setup("fit")


def test_an_empty_list_is_named(voc):
    (voc[0] / "VOCdevkit/VOC2012/ImageSets/Segmentation/val.txt").write_text("\n")
    with pytest.raises(DataFileError, match=r"val\.txt: must hold at least one line"):
        VOC2012DataModule(voc[0]).setup("fit")


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (Image.new("RGB", (12, 10)), "must hold class indices, .* got mode RGB"),
        (Image.new("L", (12, 10), 21), "classes must be from 0 to 20, or 255 for void, got 21"),
        (Image.new("L", (10, 12)), r"must have the size \[10, 12\] of 2007_000000\.jpg, got \[12, 10\]"),
    ],
)
def test_labels_that_do_not_fit_are_named(voc, image, message):
    image.save(voc[0] / "VOCdevkit/VOC2012/SegmentationClassAug/2007_000000.png")
    data = VOC2012DataModule(voc[0])
    with pytest.raises(DataFileError, match=rf"2007_000000\.png: {message}"):
        data.splits.train[0]


def test_bad_crops_are_named():
    with pytest.raises(ValueError, match="crop must be at least 1, got 0"):
        VOC2012DataModule("data", crop=0)
