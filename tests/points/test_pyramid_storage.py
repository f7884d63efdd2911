"""Files of pyramids: round trips, and every way in which a file can be wrong."""

import pickle
import struct
import zlib

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lpsc_nd import _files
from lpsc_nd.points import PointPyramid, PyramidBuilder, pyramid_storage

LINE = PyramidBuilder(1.0, depth=2, num_levels=1, num_directions=2, ndim=1)


def small():
    return LINE(torch.tensor([[0.5], [1.5], [7.0]]))


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "small.pyramid"
    small().save(path)
    return path


def write(path, numbers, sizes, integers, coordinates, version=1):
    """Write a file by hand, its checksum correct."""
    rest = struct.pack("<6q", *numbers) + np.array(sizes, dtype="<i8").tobytes()
    rest += np.array(integers, dtype=f"<i{numbers[4]}").tobytes() + np.array(coordinates, dtype="<f4").tobytes()
    path.write_bytes(b"LPSC_PYR" + struct.pack("<II", version, zlib.crc32(rest)) + rest)


@given(
    sizes=st.lists(st.integers(0, 20), min_size=1, max_size=3),
    depth=st.integers(1, 3),
    dtype=st.sampled_from([np.float32, np.float64]),
    seed=st.integers(0, 99),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_saved_is_loaded(sizes, depth, dtype, seed, tmp_path):
    generator = np.random.default_rng(seed)
    builder = PyramidBuilder(0.3, depth=depth, num_directions=4, ndim=2)
    pyramid = PointPyramid.collate([builder(generator.random((n, 2)).astype(dtype)) for n in sizes])
    pyramid.save(tmp_path / "a.pyramid")
    again = PointPyramid.load(str(tmp_path / "a.pyramid"))
    assert again == pyramid
    assert again.positions[0].dtype == pyramid.positions[0].dtype
    assert [path.name for path in tmp_path.iterdir()] == ["a.pyramid"]


def test_the_number_cut_is_kept(tmp_path):
    with pytest.warns(UserWarning, match="left out"):
        pyramid = PyramidBuilder(0.01, depth=1, reach=1000.0, max_neighbors=1)(torch.rand(9, 3))
    pyramid.save(tmp_path / "cut.pyramid")
    assert PointPyramid.load(tmp_path / "cut.pyramid").neighborhoods[0].num_cut == 9 * 7


def test_integers_take_four_bytes_where_they_fit(saved):
    pyramid = small()
    count = sum(len(t) for one in (*pyramid.neighborhoods, *pyramid.down) for t in (one.indptr, one.indices))
    count += sum(map(len, (*pyramid.batches, *pyramid.up, pyramid.cluster)))
    count += sum(one.num_queries for one in (*pyramid.neighborhoods, *pyramid.down))
    coordinates = sum(map(len, pyramid.positions))
    assert saved.stat().st_size == 16 + 48 + 8 * (2 + 5 * 3) + 4 * count + 4 * coordinates


def test_a_loaded_pyramid_owns_its_memory(saved):
    PointPyramid.load(saved).cluster.zero_()
    assert PointPyramid.load(saved) == small()


def test_a_file_cut_anywhere_is_refused(saved):
    content = saved.read_bytes()
    for length in range(len(content)):
        saved.write_bytes(content[:length])
        with pytest.raises(ValueError, match=f"{saved.name} is (cut short|not a saved pyramid)"):
            PointPyramid.load(saved)


def test_any_changed_byte_is_noticed(saved):
    content = saved.read_bytes()
    for place in range(len(content)):
        saved.write_bytes(content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :])
        with pytest.raises(ValueError, match=saved.name):
            PointPyramid.load(saved)


def test_more_than_the_whole_file_is_refused(saved):
    saved.write_bytes(saved.read_bytes() + b"\0")
    with pytest.raises(ValueError, match="damaged: it should have"):
        PointPyramid.load(saved)


@pytest.mark.parametrize("content", [b"", b"LPSC_NBH something else", pickle.dumps({"up": 1}), b"LPSC"])
def test_foreign_files_are_refused(content, tmp_path):
    path = tmp_path / "foreign.bin"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"foreign\.bin is (not a saved pyramid|cut short)"):
        PointPyramid.load(path)


HAND = ([1, 1, 1, 2, 4, 4], [1, 1, 1, 2, 0, 0], [0, 0, 0, 0, 0, 0, 0], [0.5])
"""One level of one point, made from two; a neighbourhood of two empty regions, the point being its own centre."""


def test_a_file_written_by_hand_is_read(tmp_path):
    write(tmp_path / "hand.pyramid", *HAND)
    pyramid = PointPyramid.load(tmp_path / "hand.pyramid")
    assert (pyramid.positions[0].tolist(), pyramid.cluster.tolist(), pyramid.num_clouds) == ([[0.5]], [0, 0], 1)
    assert pyramid.neighborhoods[0].counts.tolist() == [[0, 0]]
    assert pyramid.neighborhoods[0].centers.tolist() == [0]


def test_a_newer_version_is_refused(tmp_path):
    write(tmp_path / "new.pyramid", *HAND, version=2)
    with pytest.raises(ValueError, match=r"new\.pyramid has version 2, and this program reads version 1"):
        PointPyramid.load(tmp_path / "new.pyramid")


@pytest.mark.parametrize(
    ("which", "place", "value", "words"),
    [
        (0, 0, 0, "is damaged: a number in its header is out of range"),
        (0, 0, 2**40, "is damaged: a number in its header is out of range"),
        (0, 1, 0, "is damaged: a number in its header is out of range"),
        (0, 2, -1, "is damaged: a number in its header is out of range"),
        (0, 5, 2, "is damaged: a number in its header is out of range"),
        (1, 0, -1, "is damaged: a size in its header is negative"),
        (1, 0, 2**62, "is cut short: it should have"),
        (1, 2, 0, "is inconsistent: neighborhoods"),
        (2, 0, 1, "is inconsistent: cluster must be in"),
        (2, 2, 5, "is inconsistent: batches"),
        (2, 4, 3, "is inconsistent: indptr must ascend"),
        (3, 0, float("nan"), r"is inconsistent: positions\[0\] must be finite"),
    ],
)
def test_inconsistent_files_are_refused(which, place, value, words, tmp_path):
    parts = [list(part) for part in HAND]
    parts[which][place] = value
    write(tmp_path / "odd.pyramid", *parts)
    with pytest.raises(ValueError, match=r"odd\.pyramid " + words):
        PointPyramid.load(tmp_path / "odd.pyramid")


def test_a_missing_file_or_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="missing"):
        PointPyramid.load(tmp_path / "missing.pyramid")
    with pytest.raises(FileNotFoundError):
        small().save(tmp_path / "missing" / "a.pyramid")


def test_half_precision_is_not_saved(tmp_path):
    pyramid = small()
    half = PointPyramid(**{**vars(pyramid), "positions": tuple(level.half() for level in pyramid.positions)})
    with pytest.raises(TypeError, match=r"float32 or float64 to be saved, got torch\.float16"):
        half.save(tmp_path / "half.pyramid")


def test_numbers_beyond_four_bytes_are_kept(tmp_path):
    fields = {**vars(small()), "num_clouds": 2**40}
    far = PointPyramid(**{**fields, "batches": tuple(batch + 2**35 for batch in fields["batches"])})
    far.save(tmp_path / "far.pyramid")
    assert PointPyramid.load(tmp_path / "far.pyramid") == far


def test_a_failed_save_leaves_the_old_file_and_nothing_else(saved, monkeypatch):
    def fail(descriptor):
        raise OSError("disk full")

    monkeypatch.setattr(_files.os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        LINE(torch.zeros(5, 1)).save(saved)
    monkeypatch.undo()
    assert PointPyramid.load(saved) == small()
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]
    assert saved.read_bytes()[:8] == pyramid_storage.MAGIC
