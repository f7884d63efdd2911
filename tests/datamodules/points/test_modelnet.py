"""ModelNet40 in both published layouts, made small."""

import numpy as np
import pytest

from datamodules.data_files import DataFileError
from datamodules.points.modelnet import ModelNet40DataModule
from datamodules.points.transforms import NormalizeToUnitSphere

CLASSES = ("airplane", "flower_pot", "xbox")


@pytest.fixture
def off_root(tmp_path):
    """Each class is a triangle in a plane of its own: its height is 10 times the label."""
    for label, name in enumerate(CLASSES):
        for part, count in (("train", 4), ("test", 2)):
            folder = tmp_path / "ModelNet40" / name / part
            folder.mkdir(parents=True)
            (folder / "._hidden.off").write_text("not a mesh")
            for number in range(count):
                z = 10 * label
                text = f"OFF3 1 0\n0 0 {z}\n1 0 {z}\n0 {1 + number} {z}\n3 0 1 2\n"
                (folder / f"{name}_{number:04}.off").write_text(text)
    (tmp_path / "ModelNet40" / ".DS_Store").touch()
    return tmp_path


@pytest.fixture
def hdf5_root(tmp_path, write_h5, clouds):
    base = tmp_path / "modelnet40_ply_hdf5_2048"
    for number, labels in enumerate(([0, 1, 2, 0], [2, 1, 1, 2, 0])):
        arrays = clouds(labels, seed=number)
        write_h5(base / f"ply_data_train{number}.h5", **arrays, normal=arrays["data"])
    write_h5(base / "ply_data_test0.h5", **clouds([2, 0], seed=9), normal=clouds([2, 0])["data"])
    (base / "shape_names.txt").write_text("\n".join(CLASSES) + "\n")
    listed = [f"data/modelnet40_ply_hdf5_2048/ply_data_train{number}.h5" for number in (0, 1)]
    (base / "train_files.txt").write_text("\n".join(listed) + "\n")
    (base / "test_files.txt").write_text("D:\\data\\modelnet40_ply_hdf5_2048\\ply_data_test0.h5\r\n")
    return tmp_path


def samples(part):
    return [part[index] for index in range(len(part))]


def test_meshes(off_root):
    data = ModelNet40DataModule(off_root, num_points=20, val_fraction=0.25, normals=True)
    data.setup("fit")
    assert data.class_names == CLASSES
    sizes = [len(part) for part in (data.splits.train, data.splits.val, data.splits.test)]
    assert sizes == [9, 3, 6]
    for part in (data.splits.train, data.splits.val, data.splits.test):
        for sample in samples(part):
            assert sample.positions.shape == (20, 3)
            assert np.all(sample.positions[:, 2] == 10 * sample.label)
            assert np.array_equal(abs(sample.features), np.tile(np.float32([0, 0, 1]), (20, 1)))
            assert sample.name.startswith(CLASSES[sample.label])
    names = [sample.name for part in (data.splits.train, data.splits.val) for sample in samples(part)]
    assert len(set(names)) == 12


def test_stored_clouds(hdf5_root):
    data = ModelNet40DataModule(hdf5_root, val_fraction=0.3, batch_size=3)
    data.setup("fit")
    assert data.class_names == CLASSES
    assert [len(part) for part in (data.splits.train, data.splits.val, data.splits.test)] == [6, 3, 2]
    assert sorted(sample.label for sample in samples(data.splits.val)) == [0, 1, 2]
    assert [sample.label for sample in samples(data.splits.test)] == [2, 0]
    names = {sample.name for part in (data.splits.train, data.splits.val) for sample in samples(part)}
    assert names == {f"ply_data_train0.h5/{i}" for i in range(4)} | {f"ply_data_train1.h5/{i}" for i in range(5)}
    assert next(iter(data.train_dataloader())).counts.tolist() == [5, 5, 5]
    assert data.splits.test[0].features is None


def test_stored_normals_and_transforms(hdf5_root):
    data = ModelNet40DataModule(hdf5_root, normals=True, val_fraction=0.3, eval_transforms=[NormalizeToUnitSphere()])
    sample = data.splits.val[0]
    assert sample.has_normals
    assert sample.features.shape == (5, 3)
    assert abs(np.linalg.norm(sample.positions, axis=1).max() - 1) < 1e-5


def test_both_layouts_together_need_a_choice(off_root, hdf5_root):
    with pytest.raises(ValueError, match=r"source must be one of \['off', 'hdf5'\]"):
        ModelNet40DataModule(off_root).setup("fit")
    assert len(ModelNet40DataModule(off_root, "off").splits.test) == 6
    assert len(ModelNet40DataModule(off_root, "hdf5", val_fraction=0.3).splits.test) == 2


@pytest.mark.parametrize("source", [None, "off", "hdf5"])
def test_an_empty_root_shows_the_trees(source, tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        ModelNet40DataModule(tmp_path, source).setup("fit")
    message = str(caught.value)
    missing = "modelnet40_ply_hdf5_2048" if source == "hdf5" else "ModelNet40"
    assert message.startswith(f"{tmp_path / missing} does not exist")
    assert ("<class>/" in message) == (source != "hdf5")
    assert ("shape_names.txt" in message) == (source != "off")


def remove(path):
    if path.is_dir():
        for inner in path.iterdir():
            remove(inner)
        path.rmdir()
    else:
        path.unlink()


@pytest.mark.parametrize(
    ("removed", "named"),
    [
        (["xbox/test"], "xbox/test/*.off"),
        (["xbox/train/xbox_000" + str(number) + ".off" for number in range(4)], "xbox/train/*.off"),
        (CLASSES, "<class>"),
    ],
)
def test_missing_meshes_are_named(removed, named, off_root):
    base = off_root / "ModelNet40"
    for name in removed:
        remove(base / name)
    with pytest.raises(FileNotFoundError) as caught:
        ModelNet40DataModule(off_root).setup("fit")
    assert str(caught.value).startswith(f"{base / named} does not exist")


@pytest.mark.parametrize("name", ["shape_names.txt", "train_files.txt", "test_files.txt", "ply_data_train1.h5"])
def test_missing_stored_files_are_named(name, hdf5_root):
    path = hdf5_root / "modelnet40_ply_hdf5_2048" / name
    path.unlink()
    with pytest.raises(FileNotFoundError) as caught:
        ModelNet40DataModule(hdf5_root).setup("fit")
    assert str(caught.value).startswith(f"{path} does not exist")


def test_a_damaged_mesh_is_named_when_it_is_read(off_root):
    path = off_root / "ModelNet40" / "airplane" / "test" / "airplane_0001.off"
    path.write_text("OFF\n3 1 0\n0 0 0\n")
    data = ModelNet40DataModule(off_root, num_points=4)
    assert data.splits.test[0].label == 0
    with pytest.raises(DataFileError, match=r"airplane_0001.off: must hold 3 vertices"):
        _ = data.splits.test[1]


def test_a_label_beyond_the_names_is_refused(hdf5_root):
    names = hdf5_root / "modelnet40_ply_hdf5_2048" / "shape_names.txt"
    names.write_text("airplane\nflower_pot\n")
    with pytest.raises(DataFileError, match=r"ply_data_train0.h5: label must be from 0 to 1, got 2 at \[2\]"):
        ModelNet40DataModule(hdf5_root).setup("fit")


def test_a_class_of_one_mesh_cannot_be_split(off_root):
    for number in range(1, 4):
        (off_root / "ModelNet40" / "xbox" / "train" / f"xbox_{number:04}.off").unlink()
    with pytest.raises(ValueError, match=r"leaves nothing of class 2 to train on: it has 1 sample"):
        ModelNet40DataModule(off_root).setup("fit")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"source": "ply"}, "source must be one of 'off', 'hdf5', got 'ply'"),
        ({"num_points": 0}, "num_points must be at least 1, got 0"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
        ({"val_fraction": 1.0}, "val_fraction must be between 0 and 1, got 1"),
    ],
)
def test_bad_arguments_are_named(arguments, message, off_root):
    with pytest.raises(ValueError, match=message):
        ModelNet40DataModule(off_root, **arguments)
