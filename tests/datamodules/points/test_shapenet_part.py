"""ShapeNetPart in both published layouts, made small."""

import json
import shutil

import numpy as np
import pytest

from datamodules.data_files import DataFileError
from datamodules.points.shapenet_part import ShapeNetPartDataModule
from datamodules.points.shapenet_parts import CATEGORIES, CLASS_NAMES, CLASS_PARTS, NUM_PARTS

TEXT = "shapenetcore_partanno_segmentation_benchmark_v0_normal"
# Label, name, folder of the text release, one part of the category: known by heart, to check the table.
KNOWN = [(0, "Airplane", "02691156", 3), (10, "Motorbike", "03790512", 30), (15, "Table", "04379243", 49)]


def table(label, part, seed):
    """Five points; the coordinates' sum tells the label."""
    numbers = np.random.default_rng(seed).normal(size=(5, 6))
    numbers[:, 0] = label - numbers[:, 1] - numbers[:, 2]
    return np.column_stack([numbers, np.full(5, float(part))])


@pytest.fixture
def text_root(tmp_path):
    base = tmp_path / TEXT
    (base / "train_test_split").mkdir(parents=True)
    lines = [f"{name}\t{folder}" for name, folder, _ in CATEGORIES]
    (base / "synsetoffset2category.txt").write_text("\n".join(lines) + "\n")
    for number, part in enumerate(("train", "val", "test")):
        listed = []
        for label, _, folder, own in KNOWN:
            (base / folder).mkdir(exist_ok=True)
            np.savetxt(base / folder / f"{part}a1.txt", table(label, own, number), fmt="%.6f")
            listed.append(f"shape_data/{folder}/{part}a1")
        (base / "train_test_split" / f"shuffled_{part}_file_list.json").write_text(json.dumps(listed))
    return tmp_path


@pytest.fixture
def hdf5_root(tmp_path, write_h5):
    for part, files in (("train", 2), ("val", 1), ("test", 1)):
        for number in range(files):
            tables = [table(label, own, number) for label, _, _, own in KNOWN]
            write_h5(
                tmp_path / "hdf5_data" / f"ply_data_{part}{number}.h5",
                data=np.stack([rows[:, :3] for rows in tables]).astype(np.float32),
                label=np.array([[label] for label, *_ in KNOWN], np.uint8),
                pid=np.stack([rows[:, 6] for rows in tables]).astype(np.uint8),
            )
    return tmp_path


def samples(part):
    return [part[index] for index in range(len(part))]


def assert_known(part, count):
    found = samples(part)
    assert [sample.label for sample in found] == [label for label, *_ in KNOWN] * count
    for sample, (label, _, _, own) in zip(found, KNOWN * count, strict=True):
        np.testing.assert_allclose(sample.positions.sum(axis=1), label, atol=1e-5)
        assert sample.parts.tolist() == [own] * 5
        assert own in CLASS_PARTS[label]


def test_the_check_of_known_clouds_can_fail(hdf5_root):
    with pytest.raises(AssertionError):
        assert_known(ShapeNetPartDataModule(hdf5_root).splits.train, 1)


def test_categories_and_parts():
    assert (len(CATEGORIES), NUM_PARTS) == (16, 50)
    assert list(CLASS_NAMES) == sorted(CLASS_NAMES)
    assert [part for parts in CLASS_PARTS for part in parts] == list(range(50))
    for label, name, folder, own in KNOWN:
        assert CATEGORIES[label][:2] == (name, folder)
        assert own in CLASS_PARTS[label]


def test_hdf5_files(hdf5_root):
    data = ShapeNetPartDataModule(hdf5_root, batch_size=2)
    assert_known(data.splits.train, 2)
    assert_known(data.splits.val, 1)
    assert_known(data.splits.test, 1)
    assert (data.class_names, data.class_parts) == (CLASS_NAMES, CLASS_PARTS)
    assert len(data.part_names) == 50
    assert next(iter(data.test_dataloader())).parts.tolist() == [3] * 5 + [30] * 5


def test_text_files(text_root):
    data = ShapeNetPartDataModule(text_root, normals=True)
    for part in (data.splits.train, data.splits.val, data.splits.test):
        assert_known(part, 1)
    sample = data.splits.val[1]
    assert sample.name == "Motorbike/vala1"
    np.testing.assert_allclose(sample.features, table(10, 30, 1)[:, 3:6], atol=1e-6)
    assert sample.has_normals
    assert ShapeNetPartDataModule(text_root).splits.val[1].features is None


def test_both_layouts_together_need_a_choice(text_root, hdf5_root):
    with pytest.raises(ValueError, match=r"source must be one of \['hdf5', 'text'\]"):
        ShapeNetPartDataModule(text_root).setup("fit")
    assert len(ShapeNetPartDataModule(text_root, "hdf5").splits.train) == 6
    assert len(ShapeNetPartDataModule(text_root, "text").splits.train) == 3


@pytest.mark.parametrize("source", [None, "hdf5", "text"])
def test_an_empty_root_shows_the_trees(source, tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        ShapeNetPartDataModule(tmp_path, source).setup("fit")
    message = str(caught.value)
    missing = TEXT if source == "text" else "hdf5_data"
    assert message.startswith(f"{tmp_path / missing} does not exist")
    assert ("pid" in message) == (source != "text")
    assert ("synsetoffset2category.txt" in message) == (source != "hdf5")


@pytest.mark.parametrize(
    "name",
    [
        "synsetoffset2category.txt",
        "train_test_split/shuffled_test_file_list.json",
        "02691156/vala1.txt",
    ],
)
def test_missing_text_files_are_named(name, text_root):
    (text_root / TEXT / name).unlink()
    with pytest.raises(FileNotFoundError) as caught:
        ShapeNetPartDataModule(text_root).setup("fit")
    assert str(caught.value).startswith(f"{text_root / TEXT / name} does not exist")


def test_missing_hdf5_parts_are_named(hdf5_root):
    (hdf5_root / "hdf5_data" / "ply_data_val0.h5").unlink()
    with pytest.raises(FileNotFoundError, match=r"ply_data_val\*.h5 does not exist"):
        ShapeNetPartDataModule(hdf5_root).setup("fit")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("synsetoffset2category.txt", "Airplane\n", "each line must be a category and its folder, got 'Airplane'"),
        ("synsetoffset2category.txt", "Whale\t1\n", "each line must be a category and its folder, got 'Whale"),
        ("synsetoffset2category.txt", "", "must hold at least one line"),
        ("train_test_split/shuffled_train_file_list.json", "[", "must be JSON"),
        ("train_test_split/shuffled_train_file_list.json", "[]", "must be a list of one or more file names"),
        ("train_test_split/shuffled_train_file_list.json", '{"a": 1}', "must be a list of one or more file names"),
        ("train_test_split/shuffled_train_file_list.json", "[3]", "must be a list of one or more file names"),
        ("train_test_split/shuffled_train_file_list.json", '["shape_data/7/a"]', "must list .* got 'shape_data/7/a'"),
        ("train_test_split/shuffled_train_file_list.json", '["a"]', "must list .* got 'a'"),
    ],
)
def test_malformed_lists_are_refused(name, text, message, text_root):
    (text_root / TEXT / name).write_text(text)
    with pytest.raises(DataFileError, match=f"{name}: {message}"):
        ShapeNetPartDataModule(text_root).setup("fit")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must hold at least one line"),
        ("0 0 0 0 0 1 0\n0 0 0", "must be a table of numbers"),
        ("0 0 0 0 0 one 0\n", "must be a table of numbers"),
        ("0 0 0 0 0 0\n", "must have 7 numbers per line, got 6"),
        ("0 0 nan 0 0 1 0\n", "numbers must be finite, got nan"),
        ("0 0 0 0 0 1 0.5\n", "part must be whole numbers, got 0.5"),
        ("0 0 0 0 0 1 0\n0 0 0 0 0 1 4\n", "parts of category Airplane must be from 0 to 3, got 4 at point 1"),
        ("0 0 0 0 0 1 -1\n", "parts of category Airplane must be from 0 to 3, got -1 at point 0"),
    ],
)
def test_malformed_clouds_are_refused_when_they_are_read(text, message, text_root):
    (text_root / TEXT / "02691156" / "testa1.txt").write_text(text)
    data = ShapeNetPartDataModule(text_root)
    assert_known(data.splits.train, 1)
    with pytest.raises(DataFileError, match=f"testa1.txt: {message}"):
        _ = data.splits.test[0]


@pytest.mark.parametrize(
    ("label", "part", "message"),
    [
        (0, 4, r"parts of category Airplane must be from 0 to 3, got 4 at point 2"),
        (16, 0, r"label must be from 0 to 15, got 16 at \[0\]"),
    ],
)
def test_mislabelled_hdf5_clouds_are_refused(label, part, message, hdf5_root, write_h5, clouds):
    pid = np.zeros((1, 5), int)
    pid[0, 2] = part
    write_h5(hdf5_root / "hdf5_data" / "ply_data_val0.h5", **clouds([label]), pid=pid)
    with pytest.raises(DataFileError, match=f"ply_data_val0.h5.*{message}"):
        ShapeNetPartDataModule(hdf5_root).setup("fit")


def test_hdf5_files_have_no_normals(hdf5_root):
    with pytest.raises(ValueError, match="normals=True needs source='text': the HDF5 files have none"):
        ShapeNetPartDataModule(hdf5_root, normals=True).setup("fit")


def test_the_text_release_may_lack_categories_that_no_list_names(text_root):
    base = text_root / TEXT
    kept = [f"{name} {folder}\n" for _, name, folder, _ in KNOWN]
    (base / "synsetoffset2category.txt").write_text("".join(kept))
    shutil.rmtree(base / "03790512")
    for part in ("train", "val", "test"):
        listing = base / "train_test_split" / f"shuffled_{part}_file_list.json"
        listing.write_text(json.dumps([entry for entry in json.loads(listing.read_text()) if "03790512" not in entry]))
    data = ShapeNetPartDataModule(text_root)
    assert [sample.label for sample in samples(data.splits.train)] == [0, 15]
    assert len(data.class_names) == 16
