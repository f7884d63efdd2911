"""What is said about files that are missing or wrong."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from datamodules.data_files import (
    DataFileError,
    check_finite,
    check_range,
    check_shape,
    detect_source,
    read_lines,
    require,
    require_some,
    whole_numbers,
)

PATH = Path("folder/file.h5")


def test_an_error_names_its_file_and_survives_the_way_from_a_worker():
    error = pickle.loads(pickle.dumps(DataFileError(PATH, "is empty")))
    assert isinstance(error, ValueError)
    assert (str(error), error.path, error.reason) == (f"{PATH}: is empty", PATH, "is empty")


def test_the_first_missing_path_is_named_with_the_tree(tmp_path):
    (tmp_path / "a").touch()
    require([tmp_path / "a"], tmp_path, "tree")
    with pytest.raises(FileNotFoundError) as caught:
        require([tmp_path / name for name in "abc"], tmp_path, "a\nb\nc")
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'b'} does not exist; expected below {tmp_path}:\n\na\nb\nc\n")
    assert "Nothing is downloaded" in message


def test_files_come_in_the_order_of_their_numbers(tmp_path):
    for name in ("part10.h5", "part2.h5", "part1.h5", ".part0.h5", "other.txt"):
        (tmp_path / name).touch()
    (tmp_path / "part3.h5").mkdir()
    found = [path.name for path in require_some(tmp_path, "part*.h5", tmp_path, "tree")]
    assert found == ["part1.h5", "part2.h5", "part10.h5"]
    with pytest.raises(FileNotFoundError, match=r"val\*.h5 does not exist; expected below"):
        require_some(tmp_path, "val*.h5", tmp_path, "tree")


def test_sources_are_found_by_their_folder(tmp_path):
    folders, trees = {"one": "a", "two": "b"}, {"one": "tree of a", "two": "tree of b"}
    with pytest.raises(FileNotFoundError, match=r"a does not exist[^$]*tree of a\s*or\s*tree of b"):
        detect_source(tmp_path, folders, trees)
    (tmp_path / "b").mkdir()
    assert detect_source(tmp_path, folders, trees) == "two"
    (tmp_path / "a").mkdir()
    with pytest.raises(ValueError, match=r"source must be one of \['one', 'two'\]"):
        detect_source(tmp_path, folders, trees)


def test_lines_are_stripped_and_blank_ones_left_out(tmp_path):
    path = tmp_path / "list.txt"
    path.write_bytes("\ufeffone\r\n\r\n  two \n".encode())
    assert read_lines(path) == ["one", "two"]
    path.write_text(" \n")
    with pytest.raises(DataFileError, match="must hold at least one line"):
        read_lines(path)


def test_good_values_pass():
    check_finite(PATH, "data", np.zeros((2, 3)))
    check_range(PATH, "label", np.array([0, 4]), 5)
    check_shape(PATH, "data", np.zeros((2, 7, 3)), ("N", "n", 3))
    for values in (np.array([1, 2], np.uint8), np.array([1.0, 2.0], np.float32)):
        whole = whole_numbers(PATH, "label", values)
        assert whole.dtype == np.int64
        assert whole.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (lambda: check_finite(PATH, "data", np.array([[0, np.nan]])), r"data must be finite, got nan at \[0, 1\]"),
        (lambda: check_finite(PATH, "data", np.array([np.inf])), r"data must be finite, got inf at \[0\]"),
        (lambda: check_range(PATH, "label", np.array([0, 5]), 5), r"label must be from 0 to 4, got 5 at \[1\]"),
        (lambda: check_range(PATH, "label", np.array([-1]), 5), r"label must be from 0 to 4, got -1 at \[0\]"),
        (lambda: check_shape(PATH, "data", np.zeros((2, 4)), ("N", 3)), r"shape \[N, 3\], got \[2, 4\]"),
        (lambda: check_shape(PATH, "data", np.zeros((0, 3)), ("N", 3)), r"shape \[N, 3\], got \[0, 3\]"),
        (lambda: check_shape(PATH, "data", np.zeros(3), ("N", 3)), r"shape \[N, 3\], got \[3\]"),
        (lambda: whole_numbers(PATH, "label", np.array([1.5])), "label must be whole numbers, got 1.5"),
        (lambda: whole_numbers(PATH, "label", np.array([1e300])), "label must be whole numbers, got 1e[+]300"),
        (lambda: whole_numbers(PATH, "label", np.array([np.nan])), "label must be finite, got nan"),
        (lambda: whole_numbers(PATH, "label", np.array(["a"])), "label must be whole numbers, got <U1"),
    ],
)
def test_wrong_values_are_refused_by_the_files_name(check, message):
    with pytest.raises(DataFileError, match=f"^{PATH}: .*{message}"):
        check()
