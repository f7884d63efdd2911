"""The UEA archive's files: whatever was written comes back, every damage is an error that names file and line."""

import math
import re
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamodules.data_files import DataFileError
from datamodules.sequences.ts import read_ts

values = st.floats(-1e6, 1e6, width=32).map(float)
labels = st.text("abcXYZ019_-.", min_size=1, max_size=4)


@st.composite
def files(draw):
    """Labels and cases with gaps, and a text of them with whatever the header may say or leave out."""
    names = draw(st.lists(labels, min_size=1, max_size=3, unique=True))
    channels = draw(st.integers(1, 3))
    length = draw(st.none() | st.integers(1, 4))
    cases = draw(st.lists(case(names, channels, length), min_size=1, max_size=4))
    header = [f"@classLabel true {' '.join(names)}"]
    optional = [
        "@problemName drawn",
        "@timeStamps false",
        "@missing true",
        "# a comment",
        "%# another",
        "@targetLabel false",
        f"@dimensions {channels}",
    ]
    optional += [f"@univariate {'true' if channels == 1 else 'false'}"]
    header += [line for line in optional if draw(st.booleans())]
    if length is not None and draw(st.booleans()):
        header += ["@equalLength true", f"@seriesLength {length}"]
    header = draw(st.permutations(header))
    upper = draw(st.booleans())
    lines = [line.replace("@dim", "@DIM") if upper else line for line in header] + ["@DATA" if upper else "@data"]
    for label, rows in cases:
        fields = [",".join("?" if value is None else repr(value) for value in row) for row in rows]
        lines.append(draw(st.sampled_from([":", " : "])).join([*fields, label]))
    return cases, draw(st.sampled_from(["\n", "\r\n", "\n\n"])).join(lines)


@st.composite
def case(draw, names, channels, length):
    size = length or draw(st.integers(1, 4))
    rows = [[*draw(st.lists(st.none() | values, min_size=size - 1, max_size=size - 1))] for _ in range(channels)]
    for row in rows:
        row.insert(draw(st.integers(0, size - 1)), draw(values))  # one value at least is there
    return draw(st.sampled_from(names)), rows


@given(drawn=files())
def test_cases_come_back(drawn, tmp_path_factory):
    cases, text = drawn
    path = tmp_path_factory.getbasetemp() / "drawn.ts"
    path.write_bytes(text.encode())
    read = read_ts(path)
    assert read.labels == tuple(label for label, _ in cases)
    for found, (_, rows) in zip(read.values, cases, strict=True):
        expected = [[math.nan if value is None else value for value in row] for row in rows]
        np.testing.assert_array_equal(found, np.array(expected))
    written = text.replace("\r\n", "\n").split("\n")
    assert [written[line - 1].split(":")[-1].strip() for line in read.lines] == list(read.labels)


HEADER = "@problemName Two\n@univariate false\n@dimensions 2\n@equalLength true\n@seriesLength 3\n"
HEADER += "@classLabel true walk run\n@data\n"
WHOLE = HEADER + "1.5,2.5,3.5:4.5,5.5,6.5:walk\n1.5,2.5,3.5:4.5,5.5,6.5:run\n"


@given(cut=st.integers(0, len(WHOLE) - 2))
def test_a_truncated_file_is_refused_or_ends_with_a_whole_case(cut, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "cut.ts"
    path.write_text(WHOLE[:cut])
    if WHOLE[:cut].rstrip("\n").endswith(":walk"):
        assert len(read_ts(path)) == 1
        return
    with pytest.raises(DataFileError, match=r"cut\.ts: "):
        read_ts(path)


@given(text=st.text(max_size=40), keep=st.integers(0, len(WHOLE)))
def test_noise_gives_cases_or_the_typed_error(text, keep, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "noise.ts"
    path.write_bytes((WHOLE[:keep] + text + WHOLE[keep:]).encode("utf-8", "replace"))
    with suppress(DataFileError):
        read = read_ts(path)
        assert len(read.values) == len(read.labels) == len(read.lines) > 0
        for found in read.values:
            assert found.ndim == 2
            assert (~np.isnan(found)).any(axis=1).all()
            assert not np.isinf(found.astype(np.float32)).any()


LABELS = "@classLabel true a b\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must hold at least one series, got an empty file"),
        ("1,2:a\n", "must have a header that ends in a line @data, got none"),
        (LABELS, "must have a header that ends in a line @data, got none"),
        ("@data\n1,2:a\n", "must have class labels in its header: .*got no @classLabel"),
        ("@classLabel false\n@data\n1,2:a\n", "line 1: must name the class labels: .* got 'false'"),
        ("@classLabel true\n@data\n1,2:a\n", "line 1: must name the class labels: .* got 'true'"),
        ("@classLabel a b\n@data\n1,2:a\n", "line 1: @classlabel must be true or false, got 'a b'"),
        ("@targetLabel true\n@data\n1,2:0.5\n", "line 1: must be for classification"),
        (f"{LABELS}stray\n@data\n1,2:a\n", "line 2: must be a line of the header, which begins with @, got 'stray'"),
        (f"{LABELS}@timeStamps true\n@data\n(0,1):a\n", "line 2: must be @timeStamps false"),
        (f"{LABELS}@data\n(0,1),(1,2):a\n", "line 3: dimension 1 must be values without time stamps"),
        (f"{LABELS}@dimensions two\n@data\n1,2:a\n", "line 2: @dimensions must be a whole number of at least 1"),
        (f"{LABELS}@dimensions 0\n@data\n1,2:a\n", "line 2: @dimensions must be a whole number .* got '0'"),
        (f"{LABELS}@data\n", "must hold at least one series, got none"),
        (f"{LABELS}@data\n\na\n", "line 4: must have 1 dimension.* got 0"),
        (f"{LABELS}@data\n1,2:a\n1,2:3,4:b\n", r"line 4: must have 1 dimension\(s\) and a label, got 2"),
        (f"{LABELS}@dimensions 2\n@data\n1,2:a\n", r"line 4: must have 2 dimension\(s\) and a label, got 1"),
        (f"{LABELS}@univariate true\n@data\n1,2:3,4:a\n", r"line 4: must have 1 dimension\(s\) and a label, got 2"),
        (f"{LABELS}@data\n1,2:3:a\n", r"line 3: all dimensions of a case must have one length, got \[2, 1\]"),
        (f"{LABELS}@equalLength true\n@seriesLength 3\n@data\n1,2:a\n", "line 5: must have 3 values in each dimension"),
        (f"{LABELS}@data\n:a\n", "line 3: dimension 1 must have values, got an empty series"),
        (f"{LABELS}@data\n1,2: :a\n", "line 3: dimension 2 must have values, got an empty series"),
        (f"{LABELS}@data\n?,NaN:a\n", "line 3: dimension 1 must have values, got missing ones only"),
        (f"{LABELS}@data\n1,,2:a\n", "line 3: values must be numbers, or \\?"),
        (f"{LABELS}@data\n1,1e400:a\n", "line 3: values must be finite in single precision, got 1e400"),
        (f"{LABELS}@data\n1,2:\n", r"line 3: must end with a label that @classLabel names \(a, b\), got ''"),
        (f"{LABELS}@data\n1,2:c\n", r"line 3: must end with a label that @classLabel names \(a, b\), got 'c'"),
    ],
)
def test_damage_is_named(text, message, tmp_path):
    path = tmp_path / "Some_TRAIN.ts"
    path.write_text(text)
    with pytest.raises(DataFileError, match=re.escape(f"{path}: ") + message):
        read_ts(path)
