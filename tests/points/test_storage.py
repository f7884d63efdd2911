"""Files: round trips, and every way in which a file can be wrong."""

import pickle
import stat
import struct
import zlib

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lpsc_nd import LogPolarPartition, Neighborhood, _files

PLANE = LogPolarPartition(2, 1.0, 2, 4, 2.0)


def small():
    return Neighborhood.build(PLANE, [[0.0, 0.0], [0.0, 0.5], [0.5, 0.0]], [[0.0, 0.0], [9.0, 9.0]])


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "small.nbh"
    small().save(path)
    return path


def write(path, numbers, body, version=1):
    """Write a file by hand, its checksum correct."""
    rest = struct.pack("<5q", *numbers) + np.array(body, dtype="<i8").tobytes()
    path.write_bytes(b"LPSC_NBH" + struct.pack("<II", version, zlib.crc32(rest)) + rest)


@given(count=st.integers(0, 30), queries=st.none() | st.integers(0, 10), seed=st.integers(0, 99))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_saved_is_loaded(count, queries, seed, tmp_path):
    generator = np.random.default_rng(seed)
    others = None if queries is None else generator.random((queries, 2))
    found = Neighborhood.build(PLANE, generator.random((count, 2)), others)
    found.save(tmp_path / "a.nbh")
    again = Neighborhood.load(str(tmp_path / "a.nbh"))
    assert again == found
    assert [path.name for path in tmp_path.iterdir()] == ["a.nbh"]


def test_the_number_cut_is_kept(tmp_path):
    with pytest.warns(UserWarning, match="left out"):
        found = Neighborhood.build(PLANE, [[0.0, 0.1], [0.0, 0.2], [0.1, 0.0]], max_neighbors=1)
    found.save(tmp_path / "cut.nbh")
    assert Neighborhood.load(tmp_path / "cut.nbh").num_cut == found.num_cut == 3


def test_a_loaded_neighborhood_owns_its_memory(saved):
    loaded = Neighborhood.load(saved)
    loaded.indices.zero_()
    assert Neighborhood.load(saved) == small()


def test_a_file_cut_anywhere_is_refused(saved):
    content = saved.read_bytes()
    for length in range(len(content)):
        saved.write_bytes(content[:length])
        with pytest.raises(ValueError, match=f"{saved.name} is (cut short|not a saved neighborhood)"):
            Neighborhood.load(saved)


def test_any_changed_byte_is_noticed(saved):
    content = saved.read_bytes()
    for place in range(len(content)):
        saved.write_bytes(content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :])
        with pytest.raises(ValueError, match=saved.name):
            Neighborhood.load(saved)


def test_more_than_the_whole_file_is_refused(saved):
    saved.write_bytes(saved.read_bytes() + b"\0")
    with pytest.raises(ValueError, match="damaged: it should have"):
        Neighborhood.load(saved)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 something else", pickle.dumps({"indptr": 1}), b"LPSC"])
def test_foreign_files_are_refused(content, tmp_path):
    path = tmp_path / "foreign.bin"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"foreign\.bin is (not a saved neighborhood|cut short)"):
        Neighborhood.load(path)


def test_a_newer_version_is_refused(tmp_path):
    write(tmp_path / "new.nbh", [0, 0, 1, 0, 0], [0], version=2)
    with pytest.raises(ValueError, match=r"new\.nbh has version 2, and this program reads version 1"):
        Neighborhood.load(tmp_path / "new.nbh")


@pytest.mark.parametrize(
    ("numbers", "body", "words"),
    [
        ([1, 2, 1, 0, 1], [0, 1, 2, -1], r"is inconsistent: indices must be in 0\.\.1"),
        ([1, 2, 1, 0, 2], [0, 2, 1, 0, -1], "is inconsistent: indices must be ascending"),
        ([1, 2, 1, 0, 1], [0, 0, 0, -1], "is inconsistent: indptr must ascend"),
        ([1, 2, 1, 0, 1], [0, 1, 0, 2], "is inconsistent: centers must be in"),
        ([-1, 2, 1, 0, 1], [0], "is damaged: a size in its header is negative"),
        ([2**40, 2, 2**40, 0, 1], [0], "is cut short: it should have"),
        ([2**62, 2, 2**62, 0, 1], [0], "is cut short: it should have"),
    ],
)
def test_inconsistent_files_are_refused(numbers, body, words, tmp_path):
    write(tmp_path / "odd.nbh", numbers, body)
    with pytest.raises(ValueError, match=r"odd\.nbh " + words):
        Neighborhood.load(tmp_path / "odd.nbh")


def test_a_file_written_by_hand_is_read(tmp_path):
    write(tmp_path / "hand.nbh", [1, 2, 1, 3, 1], [0, 1, 1, -1])
    loaded = Neighborhood.load(tmp_path / "hand.nbh")
    assert (loaded.indptr.tolist(), loaded.indices.tolist(), loaded.centers.tolist()) == ([0, 1], [1], [-1])
    assert (loaded.num_sources, loaded.num_regions, loaded.num_cut) == (2, 1, 3)


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="missing"):
        Neighborhood.load(tmp_path / "missing.nbh")


def test_a_missing_folder(tmp_path):
    with pytest.raises(FileNotFoundError):
        small().save(tmp_path / "missing" / "a.nbh")


def test_a_failed_save_leaves_the_old_file_and_nothing_else(saved, monkeypatch):
    def fail(descriptor):
        raise OSError("disk full")

    monkeypatch.setattr(_files.os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        Neighborhood.build(PLANE, torch.zeros(5, 2)).save(saved)
    monkeypatch.undo()
    assert Neighborhood.load(saved) == small()
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_a_saved_file_has_ordinary_permissions(saved):
    saved.with_name("other").write_bytes(b"")
    assert stat.S_IMODE(saved.stat().st_mode) == stat.S_IMODE(saved.with_name("other").stat().st_mode)
