"""DRIVE's tree, in small: targets, parts, missing drawings, and what is refused."""

import numpy as np
import pytest
import torch
from PIL import Image

from datamodules.data_files import DataFileError
from datamodules.images.drive import DRIVEDataModule

HEIGHT, WIDTH = 29, 28


def scene(number):
    """A photograph, the drawing of its vessels, and its field of view."""
    generator = np.random.default_rng(number)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    field = np.hypot(rows - 14, columns - 13.5) < 13
    vessels = np.zeros((HEIGHT, WIDTH), bool)
    vessels[:, number % WIDTH] = True
    return generator.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8), vessels, field


def save_gif(path, mask):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.where(mask, 255, 0).astype(np.uint8)).save(path)


@pytest.fixture
def drive(tmp_path):
    """Training photographs 21 to 25, test photographs 01 to 03."""
    for part, suffix, numbers in (("training", "training", range(21, 26)), ("test", "test", range(1, 4))):
        base = tmp_path / part
        (base / "images").mkdir(parents=True)
        for number in numbers:
            image, vessels, field = scene(number)
            Image.fromarray(image).save(base / "images" / f"{number:02d}_{suffix}.tif")
            save_gif(base / "1st_manual" / f"{number:02d}_manual1.gif", vessels)
            save_gif(base / "mask" / f"{number:02d}_{suffix}_mask.gif", field)
    return tmp_path


def target_of(number):
    _, vessels, field = scene(number)
    return np.where(field, vessels, 255)


def numbers_of(targets, candidates):
    return [number for target in targets for number in candidates if np.array_equal(target, target_of(number))]


def test_targets_are_vessels_inside_the_field_of_view(drive):
    data = DRIVEDataModule(drive, size=16)
    images, targets = data.splits.test.tensors
    assert images.shape == (3, 3, 16, 16)
    assert images.dtype == torch.uint8
    assert targets.dtype == torch.int64
    assert numbers_of(targets, range(1, 4)) == [1, 2, 3]


def test_images_keep_their_colours(drive):
    path = drive / "test" / "images" / "01_test.tif"
    Image.new("RGB", (WIDTH, HEIGHT), (10, 20, 30)).save(path)
    image, _ = DRIVEDataModule(drive, size=16).splits.test[0]
    assert image.flatten(1).unique(dim=1).tolist() == [[10], [20], [30]]


def test_training_labels_are_resized_with_their_images(drive):
    data = DRIVEDataModule(drive, size=3 * HEIGHT, num_val=1)
    images, targets = data.splits.train.tensors
    assert images.shape == (4, 3, 3 * HEIGHT, 3 * HEIGHT)
    assert targets.shape == (4, 3 * HEIGHT, 3 * HEIGHT)
    shrunk = targets[:, 1::3]  # the middles of rows; columns are stretched unevenly
    truth = {number: target_of(number) for number in range(21, 26)}
    columns = ((np.arange(3 * HEIGHT) + 0.5) * WIDTH / (3 * HEIGHT)).astype(int)
    found = [number for target in shrunk for number in truth if np.array_equal(target, truth[number][:, columns])]
    assert len(set(found)) == 4


def test_the_validation_part_is_disjoint_and_always_the_same(drive):
    parts = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        splits = DRIVEDataModule(drive, size=16, num_val=2).splits
        assert [len(part) for part in (splits.train, splits.val, splits.test)] == [3, 2, 3]
        parts.append(numbers_of(splits.val.tensors[1], range(21, 26)))
    assert parts[0] == parts[1]
    whole = DRIVEDataModule(drive, size=16, num_val=0)
    assert len(whole.splits.train) == 5
    assert whole.splits.val is whole.splits.test


def test_batches_reach_the_task(drive):
    data = DRIVEDataModule(drive, batch_size=3, size=16)
    images, target = data.training_batch(data.splits.train[:], 0)
    assert images.shape == (1, 3, 16, 16)
    assert set(target.unique().tolist()) <= {0, 1, 255}
    images, target = data.evaluation_batch(next(iter(data.test_dataloader())))
    assert images.dtype == torch.float32
    assert target.shape == (3, HEIGHT, WIDTH)


def test_without_test_drawings_one_can_train_and_predict_but_not_test(drive):
    for path in (drive / "test" / "1st_manual").iterdir():
        path.unlink()
    (drive / "test" / "1st_manual").rmdir()
    data = DRIVEDataModule(drive, size=16)
    assert len(next(iter(data.train_dataloader()))[0]) == 1
    assert len(next(iter(data.val_dataloader()))[0]) == 4
    _, target = next(iter(data.predict_dataloader()))
    assert (target == 255).all()
    with pytest.raises(FileNotFoundError, match=r"test/1st_manual/01_manual1\.gif does not exist"):
        data.test_dataloader()
    with pytest.raises(FileNotFoundError, match=r"test/1st_manual/01_manual1\.gif does not exist"):
        DRIVEDataModule(drive, size=16, num_val=0).val_dataloader()


@pytest.mark.parametrize(
    "missing",
    ["training/1st_manual/22_manual1.gif", "training/mask/23_training_mask.gif", "test/mask/02_test_mask.gif"],
)
def test_missing_files_are_named_with_the_tree(drive, missing):
    (drive / missing).unlink()
    with pytest.raises(FileNotFoundError, match=rf"{missing} does not exist(.*\n)*.*NN_manual1\.gif"):
        DRIVEDataModule(drive).setup("fit")


def test_missing_folders_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="training/images does not exist"):
        DRIVEDataModule(tmp_path).setup("fit")


def test_damaged_and_misfitting_files_are_named(drive):
    mask = drive / "training" / "mask" / "21_training_mask.gif"
    save_gif(mask, np.ones((WIDTH, HEIGHT), bool))
    with pytest.raises(
        DataFileError, match=r"21_training_mask\.gif: must have the size \[29, 28\] of 21_training\.tif"
    ):
        DRIVEDataModule(drive).setup("fit")
    mask.write_bytes(b"GIF89a")
    with pytest.raises(DataFileError, match=r"21_training_mask\.gif: cannot be read as an image, is it complete\?"):
        DRIVEDataModule(drive).setup("fit")


def test_photographs_of_two_sizes_are_named(drive):
    base = drive / "test"
    Image.new("RGB", (9, 9)).save(base / "images" / "02_test.tif")
    for path in (base / "1st_manual" / "02_manual1.gif", base / "mask" / "02_test_mask.gif"):
        save_gif(path, np.ones((9, 9), bool))
    with pytest.raises(
        DataFileError, match=r"02_test\.tif: must have the size \[29, 28\] of 01_test\.tif, got \[9, 9\]"
    ):
        DRIVEDataModule(drive).setup("fit")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 0}, "size must be at least 1, got 0"),
        ({"num_val": -1}, "num_val must be at least 0, got -1"),
        ({"num_val": 5}, "num_val must be less than the 5 training photographs, got 5"),
    ],
)
def test_bad_arguments_are_named(drive, arguments, message):
    with pytest.raises(ValueError, match=message):
        DRIVEDataModule(drive, **arguments).setup("fit")
