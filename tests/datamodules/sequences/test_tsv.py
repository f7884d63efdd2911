"""The UCR archive's text files: whatever was written comes back, every damage is an error that names file and line."""

import math
import re
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamodules.data_files import DataFileError
from datamodules.sequences.tsv import read_tsv

values = st.floats(-1e6, 1e6, width=32).map(float)
labels = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=5)


@st.composite
def files(draw):
    """Labels and series with gaps, and the text that a file of them has."""
    cases = draw(st.lists(st.tuples(labels, series()), min_size=1, max_size=5))
    longest = max(len(numbers) for _, numbers in cases)
    missing = st.sampled_from(["NaN", "nan", "?", " NaN"])
    rows = []
    for label, numbers in cases:
        fields = [repr(number) if number is not None else draw(missing) for number in numbers]
        rows.append("\t".join([label, *fields, *[draw(missing)] * (longest - len(numbers))]))
    text = draw(st.sampled_from(["", "\ufeff"])) + draw(st.sampled_from(["\n", "\r\n", "\n\n"])).join(rows)
    return cases, text + draw(st.sampled_from(["", "\n"]))


def series():
    """Values with gaps, the last of which is there."""
    return st.tuples(st.lists(st.none() | values, max_size=6), values).map(lambda parts: [*parts[0], parts[1]])


@given(drawn=files())
def test_series_come_back(drawn, tmp_path_factory):
    cases, text = drawn
    path = tmp_path_factory.getbasetemp() / "drawn.tsv"
    path.write_bytes(text.encode())
    read = read_tsv(path)
    assert read.labels == tuple(label for label, _ in cases)
    for found, (_, numbers) in zip(read.values, cases, strict=True):
        expected = [[math.nan if number is None else number for number in numbers]]
        np.testing.assert_array_equal(found, np.array(expected))
    written = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    assert [written[line - 1].split("\t")[0] for line in read.lines] == list(read.labels)


WHOLE = "1\t0.25\t0.5\t0.75\n2\t1.25\t1.5\t1.75\n"
SECOND = WHOLE.index("2\t1.25")


@given(cut=st.integers(SECOND + 1, len(WHOLE) - 1))
def test_a_truncated_line_is_refused_unless_it_has_all_columns(cut, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "cut.tsv"
    path.write_text(WHOLE[:cut])
    last = WHOLE[SECOND:cut].rstrip("\n").split("\t")
    if len(last) == 4 and last[-1]:
        assert len(read_tsv(path)) == 2
        return
    with pytest.raises(DataFileError, match=r"cut\.tsv: line 2: "):
        read_tsv(path)


@given(text=st.text(max_size=40), keep=st.integers(0, len(WHOLE)))
def test_noise_gives_finite_or_missing_values_or_the_typed_error(text, keep, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "noise.tsv"
    path.write_bytes((WHOLE[:keep] + text + WHOLE[keep:]).encode("utf-8", "replace"))
    with suppress(DataFileError):
        read = read_tsv(path)
        assert len(read.values) == len(read.labels) == len(read.lines) > 0
        for found in read.values:
            assert found.shape[0] == 1 <= found.shape[1]
            assert np.isfinite(found[0, -1])
            assert not np.isinf(found.astype(np.float32)).any()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must hold at least one series, got an empty file"),
        ("\n \n", "must hold at least one series, got an empty file"),
        ("1\t2\t3\n\n1\t2\n", "line 3: must have 3 columns as line 1 has, got 2; the file is truncated"),
        ("1\t2\t3\n1\t2\t3\t4\n", "line 2: must have 3 columns as line 1 has, got 4"),
        ("1\n2\n", "line 1: must be a label and values separated by tabs, got '1' alone"),
        ("1,2,3\n2,3,4\n", "line 1: must be a label and values separated by tabs, got '1,2,3' alone"),
        ("1\t2\n\t3\n", "line 2: must begin with a label"),
        ("1\t2\t3\n2\tNaN\tNaN\n", "line 2: must have a series after its label, got no value"),
        ("1\t2\t3\n2\t?\t?\n", "line 2: must have a series after its label, got no value"),
        ("1\t2\tx\n", "line 1: values must be numbers, or \\? where one is missing: .*'x'"),
        ("1\t2\t\n", "line 1: values must be numbers"),
        ("1\t2\tinf\n", "line 1: values must be finite in single precision, got inf"),
        ("1\t2\n2\t-1e39\n", "line 2: values must be finite in single precision, got -1e39"),
    ],
)
def test_damage_is_named(text, message, tmp_path):
    path = tmp_path / "Some_TRAIN.tsv"
    path.write_text(text)
    with pytest.raises(DataFileError, match=re.escape(f"{path}: ") + message):
        read_tsv(path)


def test_missing_values_stay_and_filling_goes(tmp_path):
    path = tmp_path / "short.tsv"
    path.write_text("a\tNaN\t1\tNaN\t2\nb\t3\tNaN\tNaN\tNaN\n")
    read = read_tsv(path)
    np.testing.assert_array_equal(read.values[0], [[math.nan, 1, math.nan, 2]])
    np.testing.assert_array_equal(read.values[1], [[3]])
    assert read.num_channels == 1
