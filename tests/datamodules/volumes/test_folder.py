"""A folder of one's own volumes: pairs by name, an optional test part, and what is refused."""

import nibabel
import numpy as np
import pytest

from datamodules.data_files import DataFileError
from datamodules.volumes.folder import NiftiFolderDataModule

SHAPE = (6, 5, 4)


@pytest.fixture
def folder(tmp_path, save_nifti):
    """``folder(count, tested=..., labelled=...)`` writes cases and, in ``test/``, more; returns the root."""

    def write(count=5, tested=0, labelled=True, channels=()):
        for part, number in [(".", number) for number in range(count)] + [("test", number) for number in range(tested)]:
            generator = np.random.default_rng(number)
            name = f"case{number}.nii" if number % 2 else f"case{number}.nii.gz"
            save_nifti(tmp_path / part / "images" / name, generator.normal(size=(*SHAPE, *channels)))
            if part == "." or labelled:
                save_nifti(tmp_path / part / "labels" / name, generator.integers(0, 2, SHAPE).astype(np.uint8))
        (tmp_path / "images" / "._case0.nii.gz").write_bytes(b"")
        (tmp_path / "images" / "notes.txt").write_text("")
        return tmp_path

    return write


def test_pairs_go_by_name_without_the_ending(folder):
    root = folder()
    packed = root / "labels" / "case0.nii.gz"
    nibabel.save(nibabel.load(packed), root / "labels" / "case0.nii")
    packed.unlink()
    data = NiftiFolderDataModule(root)
    assert [case.name for case in data.cases.labelled] == [f"case{number}" for number in range(5)]
    assert data.cases.labelled[0].labels == root / "labels" / "case0.nii"
    assert data.class_names == ("background", "foreground")
    assert data.spacing == (1.0, 1.0, 1.0)
    x, target = data.splits.test[0]
    assert x.shape == (1, 4, 5, 6)
    assert target.unique().tolist() == [0, 1]


def test_a_labelled_test_folder_is_the_test_part(folder):
    parts = NiftiFolderDataModule(folder(tested=3)).parts
    assert [case.image.parts[-3] for case in parts.test] == 3 * ["test"]
    assert [len(part) for part in (parts.train, parts.val, parts.test)] == [4, 1, 3]
    assert parts.predict == parts.test


def test_a_test_folder_without_labels_is_predicted(folder):
    data = NiftiFolderDataModule(folder(tested=2, labelled=False))
    assert [len(part) for part in (data.parts.train, data.parts.test, data.parts.predict)] == [3, 1, 2]
    assert [bool((target == 255).all()) for _, target in data.predict_dataloader()] == [True, True]


def test_channels_come_from_the_last_axis(folder):
    data = NiftiFolderDataModule(folder(channels=(2,)), num_channels=2, class_names=["nothing", "something"])
    assert data.splits.val[0][0].shape == (2, 4, 5, 6)
    with pytest.raises(DataFileError, match=r"images/case0\.nii\.gz: must have shape \[x, y, z\], 1 channel"):
        NiftiFolderDataModule(data.root).setup("fit")


@pytest.mark.parametrize("missing", ["labels/case3.nii", "test/labels/case1.nii"])
def test_an_image_without_labels_is_named(missing, folder):
    root = folder(tested=2)
    (root / missing).unlink()
    with pytest.raises(
        FileNotFoundError, match=rf"(?s){missing} does not exist; expected below .*images/<case>\.nii\.gz"
    ):
        NiftiFolderDataModule(root).setup("fit")


def test_an_empty_folder_shows_the_tree(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"(?s)images/\*\.nii\* does not exist.*test/labels/<case>"):
        NiftiFolderDataModule(tmp_path).setup("fit")


def test_a_case_that_is_there_twice_is_refused(folder, save_nifti):
    root = folder()
    save_nifti(root / "images" / "case0.nii", np.zeros(SHAPE))
    with pytest.raises(DataFileError, match=r"images/case0\.nii.*: must be the only file of its case, but case0\.nii"):
        NiftiFolderDataModule(root).setup("fit")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"class_names": ["only"]}, ValueError, "class_names must be from 2 to 255 names, the background first"),
        ({"class_names": "background"}, ValueError, "class_names must be from 2 to 255 names"),
        ({"class_names": [str(n) for n in range(256)]}, ValueError, "class_names must be from 2 to 255 names"),
        ({"num_channels": 0}, ValueError, "num_channels must be at least 1"),
        ({"num_channels": 1.0}, TypeError, "num_channels must be an integer"),
        ({"patch_size": -1}, ValueError, "patch_size must be at least 1"),
    ],
)
def test_bad_arguments_are_named(arguments, error, message, tmp_path):
    with pytest.raises(error, match=message):
        NiftiFolderDataModule(tmp_path, **arguments)
