"""ScanObjectNN in its published layout, made small."""

import numpy as np
import pytest

from datamodules.data_files import DataFileError
from datamodules.points.scanobjectnn import CLASSES, VARIANTS, ScanObjectNNDataModule

LABELS = [label for label in range(15) for _ in range(2)]


@pytest.fixture
def root(tmp_path, write_h5, clouds):
    """Every cloud has five points; cloud i has its first i % 5 points in the background."""
    for split, suffix in (("main_split", ""), ("main_split", "_augmentedrot_scale75"), ("main_split_nobg", "")):
        for part, labels in (("training", LABELS), ("test", LABELS[::3])):
            count = len(labels)
            background = np.arange(5) < (np.arange(count) % 5)[:, None]
            arrays = clouds(labels, seed=len(suffix))
            path = tmp_path / "h5_files" / split / f"{part}_objectdataset{suffix}.h5"
            write_h5(path, data=arrays["data"], label=arrays["label"][:, 0], mask=np.where(background, -1, 7))
    return tmp_path


def samples(part):
    return [part[index] for index in range(len(part))]


def test_whole_scans(root):
    data = ScanObjectNNDataModule(root, val_fraction=0.5)
    data.setup("fit")
    assert data.class_names == CLASSES
    assert len(set(CLASSES)) == 15
    assert [len(part) for part in (data.splits.train, data.splits.val, data.splits.test)] == [15, 15, 10]
    assert [sample.label for sample in samples(data.splits.train)] == list(range(15))
    assert [sample.label for sample in samples(data.splits.test)] == LABELS[::3]
    assert [sample.num_points for sample in samples(data.splits.test)] == [5] * 10
    assert data.splits.test[3].parts.tolist() == [0, 0, 0, 1, 1]
    assert data.part_names == ("background", "object")
    assert data.class_parts == ((0, 1),) * 15


def test_without_background(root):
    data = ScanObjectNNDataModule(root, drop_background=True, val_fraction=0.5)
    whole = ScanObjectNNDataModule(root, val_fraction=0.5)
    assert [sample.num_points for sample in samples(data.splits.test)] == [5, 4, 3, 2, 1] * 2
    for sample, full in zip(samples(data.splits.test), samples(whole.splits.test), strict=True):
        assert np.array_equal(sample.positions, full.positions[full.parts == 1])
        assert set(sample.parts) == {1}
    assert next(iter(data.test_dataloader())).counts.tolist() == [5, 4, 3, 2, 1] * 2


def test_variants_and_splits_are_files_and_folders(root):
    clouds = [
        ScanObjectNNDataModule(root, variant, split, val_fraction=0.5).splits.test[0].positions.tobytes()
        for variant, split in (("OBJ", "main_split"), ("PB_T50_RS", "main_split"), ("OBJ", "main_split_nobg"))
    ]
    assert clouds[0] != clouds[1]
    assert clouds[0] == clouds[2]  # the same drawn clouds were written into both folders
    assert list(VARIANTS) == ["OBJ", "PB_T25", "PB_T25_R", "PB_T50_R", "PB_T50_RS"]


def test_files_without_mask(root, write_h5, clouds):
    folder = root / "h5_files" / "main_split_nobg"
    for part in ("training", "test"):
        write_h5(folder / f"{part}_objectdataset.h5", **clouds(LABELS))
    data = ScanObjectNNDataModule(root, "OBJ", "main_split_nobg", val_fraction=0.5)
    assert data.splits.train[0].parts is None
    assert data.part_names == ()
    with pytest.raises(DataFileError, match=r"training_objectdataset.h5: must hold .*'mask'"):
        ScanObjectNNDataModule(root, "OBJ", "main_split_nobg", drop_background=True).setup("fit")


def test_a_cloud_of_background_only_is_refused(root, write_h5, clouds):
    path = root / "h5_files" / "main_split" / "test_objectdataset.h5"
    write_h5(path, **clouds([0, 1]), mask=np.array([[0] * 5, [-1] * 5]))
    ScanObjectNNDataModule(root, "OBJ", val_fraction=0.5).setup("fit")
    with pytest.raises(DataFileError, match=r"test_objectdataset.h5: cloud 1 has no point outside the background"):
        ScanObjectNNDataModule(root, "OBJ", drop_background=True, val_fraction=0.5).setup("fit")


def test_a_label_out_of_range_is_refused(root, write_h5, clouds):
    path = root / "h5_files" / "main_split" / "test_objectdataset.h5"
    write_h5(path, **clouds([0, 15]))
    with pytest.raises(DataFileError, match=r"test_objectdataset.h5: label must be from 0 to 14, got 15 at \[1\]"):
        ScanObjectNNDataModule(root, "OBJ", val_fraction=0.5).setup("fit")


@pytest.mark.parametrize(
    ("arguments", "missing"),
    [
        ({"split": "split9"}, "split9"),
        ({"variant": "PB_T25"}, "main_split/training_objectdataset_augmented25_norot.h5"),
        ({"variant": "PB_T25_R"}, "main_split/training_objectdataset_augmented25rot.h5"),
        ({"variant": "PB_T50_R"}, "main_split/training_objectdataset_augmentedrot.h5"),
    ],
)
def test_missing_files_are_named_with_the_tree(arguments, missing, root):
    with pytest.raises(FileNotFoundError) as caught:
        ScanObjectNNDataModule(root, **arguments).setup("fit")
    assert str(caught.value).startswith(f"{root / 'h5_files' / missing} does not exist")
    assert "training_objectdataset*.h5" in str(caught.value)


def test_an_unknown_variant_is_refused(root):
    with pytest.raises(ValueError, match=r"variant must be one of 'OBJ', .* got 'PB'"):
        ScanObjectNNDataModule(root, "PB")
