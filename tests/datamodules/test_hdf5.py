"""Clouds in HDF5 files: what is read, and what is refused."""

import sys

import numpy as np
import pytest

from datamodules.data_files import DataFileError
from datamodules.hdf5 import read_arrays, read_clouds


def test_files_are_laid_end_to_end(tmp_path, write_h5, clouds):
    first, second = clouds([0, 2]), clouds([1], seed=1)
    mask = np.array([[0, -1, 2, 3, 4]], np.int64)
    write_h5(tmp_path / "a.h5", **first, normal=first["data"], mask=np.repeat(mask, 2, axis=0))
    write_h5(tmp_path / "b.h5", **second, normal=second["data"], mask=mask.astype(np.float32))
    found = read_clouds([tmp_path / "a.h5", tmp_path / "b.h5"], 3, ["normal"], ["mask", "absent"])
    np.testing.assert_array_equal(found.positions, np.concatenate([first["data"], second["data"]]))
    assert found.labels.tolist() == [0, 2, 1]
    assert found.names == ("a.h5/0", "a.h5/1", "b.h5/0")
    assert sorted(found.extras) == ["mask", "normal"]
    np.testing.assert_array_equal(found.extras["normal"], found.positions)
    np.testing.assert_array_equal(found.extras["mask"], np.repeat(mask, 3, axis=0))
    assert (found.positions.dtype, found.labels.dtype, found.extras["mask"].dtype) == (np.float32, np.int64, np.int64)


def test_labels_may_have_one_axis_and_data_any_numbers(tmp_path, write_h5, clouds):
    arrays = clouds([1, 0])
    write_h5(tmp_path / "a.h5", data=arrays["data"].astype(np.float64), label=np.array([1, 0]))
    found = read_clouds([tmp_path / "a.h5"], 2)
    assert found.positions.dtype == np.float32
    assert found.labels.tolist() == [1, 0]


def test_optional_arrays_that_a_file_lacks_are_left_out(tmp_path, write_h5, clouds):
    write_h5(tmp_path / "a.h5", **clouds([0]), mask=np.zeros((1, 5), int))
    write_h5(tmp_path / "b.h5", **clouds([0]))
    assert read_clouds([tmp_path / "a.h5", tmp_path / "b.h5"], 1, optional=["mask"]).extras == {}


def one_nan(data):
    data[0, 2, 1] = np.nan
    return data


ZEROS = np.zeros((2, 5, 3), np.float32)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": one_nan(ZEROS.copy())}, r"data must be finite, got nan at \[0, 2, 1\]"),
        ({"data": np.full((2, 5, 3), 1e300)}, "data must be finite, got inf"),
        ({"data": ZEROS[0]}, r"data must have shape \[N, n, 3\], got \[5, 3\]"),
        ({"data": ZEROS[:, :, :2]}, r"data must have shape \[N, n, 3\], got \[2, 5, 2\]"),
        ({"data": ZEROS[:0]}, r"data must have shape \[N, n, 3\], got \[0, 5, 3\]"),
        ({"data": np.full((2, 5, 3), b"x")}, "data must be numbers, got"),
        ({"label": np.zeros(3, int)}, r"label must have shape \[2\], got \[3\]"),
        ({"label": np.zeros((2, 2), int)}, r"label must have shape \[2\], got \[2, 2\]"),
        ({"label": np.array([0, 3])}, r"label must be from 0 to 2, got 3 at \[1\]"),
        ({"label": np.array([0, -1])}, r"label must be from 0 to 2, got -1 at \[1\]"),
        ({"label": np.array([0, 0.5])}, "label must be whole numbers, got 0.5"),
        ({"pid": np.zeros((2, 4), int)}, r"pid must have shape \[2, 5\], got \[2, 4\]"),
        ({"pid": np.zeros(2, int)}, r"pid must have shape \[N, n\], got \[2\]"),
        ({"normal": ZEROS[:1]}, r"normal must have shape \[2, 5, 3\], got \[1, 5, 3\]"),
        ({"normal": one_nan(ZEROS.copy())}, "normal must be finite"),
    ],
)
def test_wrong_arrays_are_refused(changes, message, tmp_path, write_h5, clouds):
    path = tmp_path / "wrong.h5"
    whole = {**clouds([0, 1]), "pid": np.zeros((2, 5), int), "normal": ZEROS}
    write_h5(path, **{**whole, **changes})
    with pytest.raises(DataFileError, match=f"wrong.h5: {message}"):
        read_clouds([path], 3, ["pid", "normal"])


def test_files_of_other_sizes_are_refused(tmp_path, write_h5, clouds):
    write_h5(tmp_path / "a.h5", **clouds([0]))
    write_h5(tmp_path / "b.h5", **clouds([0], size=6))
    with pytest.raises(DataFileError, match=r"b.h5: data must have shape \[N, 5, 3\], got \[1, 6, 3\]"):
        read_clouds([tmp_path / "a.h5", tmp_path / "b.h5"], 1)


def test_a_missing_array_is_named_with_those_that_are_there(tmp_path, write_h5, clouds):
    write_h5(tmp_path / "a.h5", **clouds([0]))
    with pytest.raises(DataFileError, match=r"a.h5: must hold .*'normal'.*, got \['data', 'label'\]"):
        read_clouds([tmp_path / "a.h5"], 1, ["normal"])


@pytest.mark.parametrize("left", [0.0, 0.1, 0.5, 0.9])
def test_a_truncated_file_is_refused(left, tmp_path, write_h5, clouds):
    path = tmp_path / "cut.h5"
    write_h5(path, **clouds([0] * 50, size=100))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(left * len(whole))])
    with pytest.raises(DataFileError, match=r"cut.h5: cannot be read as HDF5, is it complete\?"):
        read_clouds([path], 1)


def test_a_file_of_another_kind_is_refused(tmp_path):
    (tmp_path / "text.h5").write_text("OFF\n3 1 0\n")
    with pytest.raises(DataFileError, match=r"text.h5: cannot be read as HDF5"):
        read_arrays(tmp_path / "text.h5", ["data"])


def test_missing_h5py_is_explained(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'lpsc-nd\[points\]'"):
        read_arrays(tmp_path / "a.h5", ["data"])
