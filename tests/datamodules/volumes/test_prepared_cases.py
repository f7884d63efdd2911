"""Prepared volumes are kept: in memory, in a folder, and made anew when their files change."""

import os

import pytest
import torch

from datamodules.volumes import prepared_cases
from datamodules.volumes.decathlon import DecathlonDataModule
from datamodules.volumes.prepared_cases import PreparedCases


@pytest.fixture
def counted(monkeypatch):
    """A list that grows by the name of every case that is prepared."""
    names = []
    prepare = prepared_cases.prepare

    def counting(case, preparation):
        names.append(case.name)
        return prepare(case, preparation)

    monkeypatch.setattr(prepared_cases, "prepare", counting)
    return names


@pytest.fixture
def task(decathlon):
    return DecathlonDataModule(decathlon(spacings=((1.0, 1.0, 3.0),)), patch_size=4)


def kept(task, folder=None, in_memory=False, **changes):
    preparation = prepared_cases.Preparation(**{**vars(task.preparation), **changes})
    return PreparedCases(task.cases.labelled, preparation, in_memory, folder)


def test_memory_keeps_volumes(task, counted):
    volumes = kept(task, in_memory=True)
    assert volumes[1] is volumes[1]
    assert counted == ["box_001"]
    again = kept(task)
    again[1], again[1]
    assert counted == 3 * ["box_001"]


def test_a_folder_keeps_volumes_for_all_runs(task, counted, tmp_path):
    first = kept(task, tmp_path / "cache")[0]
    second = kept(task, tmp_path / "cache")[0]
    assert counted == ["box_000"]
    plain = kept(task)[0]
    for volume in (first, second):
        assert torch.equal(volume.images, plain.images)
        assert torch.equal(volume.labels, plain.labels)
    assert [path.name.partition("-")[0] for path in (tmp_path / "cache").iterdir()] == ["box_000"]


def test_cases_without_labels_are_kept_too(task, counted, tmp_path):
    for _ in range(2):
        assert PreparedCases(task.cases.predicted, task.preparation, False, tmp_path)[0].labels is None
    assert counted == ["box_006"]


def test_other_files_or_another_preparation_are_prepared_anew(task, counted, tmp_path):
    kept(task, tmp_path)[0]
    kept(task, tmp_path, window=(0.0, 1.0))[0]
    kept(task, tmp_path, spacing=(1.0, 1.0, 1.0))[0]
    os.utime(task.cases.labelled[0].labels, ns=(1, 1))
    kept(task, tmp_path)[0]
    assert counted == 4 * ["box_000"]
    assert len(list(tmp_path.glob("*.volume"))) == 4


@pytest.mark.parametrize("content", [b"", b"PK", b"nothing"])
def test_a_damaged_file_is_written_again(content, task, counted, tmp_path):
    good = kept(task)[0]
    kept(task, tmp_path)[0]
    (path,) = tmp_path.glob("*.volume")
    path.write_bytes(content)
    with pytest.warns(UserWarning, match=r"box_000-\w+\.volume is damaged .* it is prepared and written again"):
        again = kept(task, tmp_path)[0]
    assert torch.equal(again.images, good.images)
    kept(task, tmp_path)[0]
    assert counted == 3 * ["box_000"]


def test_a_truncated_file_is_written_again(task, tmp_path):
    kept(task, tmp_path)[0]
    (path,) = tmp_path.glob("*.volume")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.warns(UserWarning, match="is damaged"):
        kept(task, tmp_path)[0]


def test_nothing_is_left_of_a_volume_that_cannot_be_read(task, tmp_path):
    task.cases.labelled[0].image.write_bytes(b"")
    with pytest.raises(ValueError, match="cannot be read as NIfTI"):
        kept(task, tmp_path / "cache")[0]
    assert not (tmp_path / "cache").exists()


def test_the_data_module_hands_its_folder_on(decathlon, tmp_path):
    data = DecathlonDataModule(decathlon(), cache_dir=tmp_path / "kept", patch_size=4, in_memory=False)
    before = [batch[0] for batch in data.train_dataloader()]
    assert len(list((tmp_path / "kept").glob("*.volume"))) == len(data.parts.train)
    assert all(torch.equal(*pair) for pair in zip(before, [b[0] for b in data.train_dataloader()], strict=True))
