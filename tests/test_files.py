"""Files that are there as a whole or not at all."""

import csv

import pytest

from lpsc_nd._files import write_csv, write_whole


def read(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("before", [None, b"old"])
def test_pieces_take_the_place_of_what_was_there(tmp_path, before):
    path = tmp_path / "file.bin"
    if before is not None:
        write_whole(path, [before])
    write_whole(path, [b"one", bytearray(b"two")])
    assert path.read_bytes() == b"onetwo"
    assert [p.name for p in path.parent.iterdir()] == ["file.bin"]


def test_a_table_is_written_with_its_header(tmp_path):
    path = tmp_path / "new" / "table.csv"
    write_csv(path, iter([{"a": 1, "b": "x, y"}, {"a": 2, "b": "z"}]))
    assert read(path) == [{"a": "1", "b": "x, y"}, {"a": "2", "b": "z"}]


def test_no_rows_give_an_empty_file(tmp_path):
    write_csv(tmp_path / "table.csv", iter([]))
    assert (tmp_path / "table.csv").read_text() == ""


def broken_rows():
    yield {"a": 1}
    raise RuntimeError("half way")


@pytest.mark.parametrize("before", [None, "old"])
def test_a_failure_half_way_leaves_what_was_there(tmp_path, before):
    path = tmp_path / "table.csv"
    if before is not None:
        path.write_text(before)
    with pytest.raises(RuntimeError, match="half way"):
        write_csv(path, broken_rows())
    assert [p.name for p in tmp_path.iterdir()] == ([] if before is None else ["table.csv"])
    assert before is None or path.read_text() == before
