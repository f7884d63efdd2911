"""The layout of MedMNIST3D: read, written, and refused when it is not it."""

import zipfile

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from datamodules.data_files import DataFileError
from datamodules.volumes.medmnist import CLASS_NAMES, MedMNIST3DDataModule, read_medmnist, write_medmnist
from datamodules.volumes.samples import ArrayVolumes
from datamodules.volumes.solids import SolidsDataModule
from datamodules.volumes.vessel_trees import VesselTreesDataModule


def arrays(size=28, classes=2, counts=(4, 2, 3)):
    """The arrays of a file, in the types of the published ones."""
    generator = np.random.default_rng(0)
    content = {}
    for part, count in zip(("train", "val", "test"), counts, strict=True):
        content[f"{part}_images"] = generator.integers(0, 256, (count, size, size, size)).astype(np.uint8)
        content[f"{part}_labels"] = (np.arange(count) % classes).astype(np.uint8)[:, None]
    return content


@pytest.mark.parametrize("name", CLASS_NAMES)
@pytest.mark.parametrize("size", [28, 64])
def test_the_six_sets_are_read_in_both_sizes(name, size, tmp_path):
    content = arrays(size, len(CLASS_NAMES[name]))
    np.savez(tmp_path / (f"{name}.npz" if size == 28 else f"{name}_64.npz"), **content)
    data = MedMNIST3DDataModule(tmp_path, name, size, batch_size=2)
    assert [len(part) for part in (data.splits.train, data.splits.val, data.splits.test)] == [4, 2, 3]
    assert data.class_names == CLASS_NAMES[name]
    assert data.spacing == (1.0, 1.0, 1.0)
    x, target = next(iter(data.test_dataloader()))
    assert target.tolist() == content["test_labels"][:2, 0].tolist()
    np.testing.assert_allclose(x[:, 0].numpy(), content["test_images"][:2] / 127.5 - 1, atol=1e-6)
    assert target.dtype == torch.int64


def test_classes_are_eleven_two_two_three_two_two():
    names = ("organ", "nodule", "adrenal", "fracture", "vessel", "synapse")
    assert [len(CLASS_NAMES[f"{name}mnist3d"]) for name in names] == [11, 2, 2, 3, 2, 2]
    assert all(len(set(entry)) == len(entry) for entry in CLASS_NAMES.values())


def test_training_volumes_are_varied_when_asked(tmp_path):
    np.savez(tmp_path / "nodulemnist3d.npz", **arrays())
    plain = MedMNIST3DDataModule(tmp_path, "nodulemnist3d")
    varied = MedMNIST3DDataModule(tmp_path, "nodulemnist3d", augment=True, flip_axes=(0, 1, 2))
    assert not all(torch.equal(plain.splits.train[index][0], varied.splits.train[index][0]) for index in range(4))
    assert all(torch.equal(plain.splits.val[index][0], varied.splits.val[index][0]) for index in range(2))


def test_generated_solids_are_written_and_read_back(tmp_path):
    parts = SolidsDataModule(num_train=9, num_val=8, num_test=8, spacing=(3, 1, 1)).volumes()
    write_medmnist(tmp_path / "solids.npz", *parts)
    with np.load(tmp_path / "solids.npz") as file:
        assert sorted(file.files) == sorted(arrays())
        assert file["train_labels"].shape == (9, 1)
        assert file["train_images"].dtype == np.uint8
    names = SolidsDataModule().class_names
    data = MedMNIST3DDataModule(tmp_path, "solids", spacing=(3, 1, 1), class_names=names)
    assert data.class_names == names
    assert data.spacing == (3.0, 1.0, 1.0)
    mine = SolidsDataModule(num_train=9, num_val=8, num_test=8, spacing=(3, 1, 1), augment=False).splits
    for ours, theirs in zip(
        (mine.train, mine.val, mine.test), (data.splits.train, data.splits.val, data.splits.test), strict=True
    ):
        assert len(ours) == len(theirs)
        for index in range(len(ours)):
            assert torch.equal(ours[index][0], theirs[index][0])
            assert ours[index][1] == theirs[index][1]


def test_generated_vessels_are_written_and_read_back(tmp_path):
    parts = VesselTreesDataModule(num_train=2, num_val=1, num_test=1, size=12).volumes()
    write_medmnist(tmp_path / "trees.npz", *parts)
    for ours, theirs in zip(parts, read_medmnist(tmp_path / "trees.npz", 2, segmented=True), strict=True):
        for index in range(len(ours)):
            assert all(np.array_equal(*pair) for pair in zip(ours[index], theirs[index], strict=True))


@given(size=st.tuples(*3 * (st.integers(1, 5),)), counts=st.tuples(*3 * (st.integers(1, 4),)), seed=st.integers(0, 99))
def test_what_is_written_is_read(size, counts, seed, tmp_path_factory):
    generator = np.random.default_rng(seed)
    parts = [
        ArrayVolumes(generator.integers(0, 256, (n, *size)).astype(np.uint8), generator.integers(0, 5, n))
        for n in counts
    ]
    path = tmp_path_factory.mktemp("written") / "set.npz"
    write_medmnist(path, *parts)
    for ours, theirs in zip(parts, read_medmnist(path, 5), strict=True):
        np.testing.assert_array_equal(ours.images, theirs.images)
        np.testing.assert_array_equal(ours.targets, theirs.targets)


def test_flat_labels_are_taken_too(tmp_path):
    content = arrays(3)
    content["val_labels"] = content["val_labels"][:, 0]
    np.savez(tmp_path / "set.npz", **content)
    assert read_medmnist(tmp_path / "set.npz", 2)[1].targets.tolist() == [0, 1]


def changed(**changes):
    content = {**arrays(4), **changes}
    return {name: array for name, array in content.items() if array is not None}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (changed(val_labels=None), r"must hold the arrays \['train_images', .*\], got \['test_images'"),
        (
            changed(train_images=np.zeros((4, 4, 4), np.uint8)),
            r"train_images must have shape \[N, D, H, W\], got \[4, 4, 4\]",
        ),
        (changed(val_images=np.zeros((2, 4, 4, 5), np.uint8)), r"val_images must have shape \[N, 4, 4, 4\]"),
        (changed(test_images=np.zeros((3, 4, 4, 4))), "test_images must be uint8, got float64"),
        (changed(val_images=np.zeros((0, 4, 4, 4), np.uint8)), r"val_images must have shape \[N, 4, 4, 4\], got \[0,"),
        (changed(train_labels=np.zeros((5, 1), np.uint8)), r"train_labels must have shape \[4, 1\], got \[5, 1\]"),
        (changed(train_labels=np.zeros((4, 2), np.uint8)), r"train_labels must have shape \[4, 1\], got \[4, 2\]"),
        (changed(train_labels=np.full((4, 1), 2)), r"train_labels must be from 0 to 1, got 2"),
        (changed(train_labels=np.full((4, 1), -1)), r"train_labels must be from 0 to 1, got -1"),
        (changed(train_labels=np.full((4, 1), 0.5)), r"train_labels must be whole numbers, got 0\.5"),
        (changed(train_labels=np.full((4, 1), "a")), "train_labels must be whole numbers, got <U1"),
        (changed(train_labels=np.full((4, 1), None)), "cannot be read as .npz, is it complete"),
    ],
)
def test_other_files_are_refused(content, message, tmp_path):
    np.savez(tmp_path / "set.npz", **content)
    with pytest.raises(DataFileError, match=rf"set\.npz: {message}"):
        read_medmnist(tmp_path / "set.npz", 2)


def test_volumes_of_another_size_than_the_sets_are_refused(tmp_path):
    np.savez(tmp_path / "organmnist3d.npz", **arrays(64, 11))
    with pytest.raises(DataFileError, match=r"train_images must have shape \[N, 28, 28, 28\], got \[4, 64, 64, 64\]"):
        MedMNIST3DDataModule(tmp_path).setup("fit")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The bytes of a good file."""
    path = tmp_path_factory.mktemp("whole") / "set.npz"
    np.savez_compressed(path, **arrays(3))
    return path.read_bytes()


@given(data=st.data())
def test_a_truncated_file_is_refused_wherever_it_ends(data, whole, tmp_path_factory):
    path = tmp_path_factory.mktemp("cut") / "set.npz"
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(DataFileError, match=r"set\.npz: cannot be read as \.npz, is it complete\?") as caught:
        read_medmnist(path, 2)
    assert caught.value.path == path


@given(data=st.data(), value=st.integers(0, 255))
def test_a_damaged_file_is_refused_or_read(data, value, whole, tmp_path_factory):
    path = tmp_path_factory.mktemp("damaged") / "set.npz"
    content = bytearray(whole)
    content[data.draw(st.integers(0, len(whole) - 1))] = value
    path.write_bytes(content)
    try:
        outcome = [len(part) for part in read_medmnist(path, 2)]
    except DataFileError as error:
        outcome = str(error)
    assert outcome == [4, 2, 3] or outcome.startswith(str(path))


def test_one_array_is_no_set(tmp_path):
    with (tmp_path / "set.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(DataFileError, match=r"must hold the arrays .*, got \[\]"):
        read_medmnist(tmp_path / "set.npz", 2)


def test_an_empty_archive_is_no_set(tmp_path):
    with zipfile.ZipFile(tmp_path / "set.npz", "w"):
        pass
    with pytest.raises(DataFileError, match=r"must hold the arrays .*, got \[\]"):
        read_medmnist(tmp_path / "set.npz", 2)


def test_a_missing_file_shows_what_is_expected(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"(?s)organmnist3d_64\.npz does not exist.*<name>_64\.npz"):
        MedMNIST3DDataModule(tmp_path, size=64).setup("fit")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "pathmnist"}, "name must be one of 'organmnist3d', .*, got 'pathmnist'"),
        ({"size": 32}, r"size must be one of \(28, 64\), got 32"),
        ({"spacing": 0}, "spacing must be greater than 0"),
        ({"flip_axes": (4,), "augment": True}, "flip_axes must be different axes"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
    ],
)
def test_bad_arguments_are_named(arguments, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        MedMNIST3DDataModule(tmp_path, **arguments)
