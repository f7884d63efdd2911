"""The UCR archive's text format: a series per line, its label first, columns separated by tabs."""

from pathlib import Path

import numpy as np

from datamodules.sequences.series import FloatArray, LabelledSeries, line_error, numbered_lines, parse_values


def read_tsv(path: Path) -> LabelledSeries:
    """Read the series of a ``.tsv`` file, which have one channel.

    Every line has the same number of columns. A series that is shorter than others is filled up with NaN, which is
    cut off here; NaN before its last value stays, as a missing value.

    Args:
        path: a text file without a header.

    Raises:
        DataFileError: the file is empty or truncated, or a line has no label, no value, or something else.
    """
    rows = [(number, line.rstrip("\r").split("\t")) for number, line in numbered_lines(path)]
    columns = len(rows[0][1])
    for number, fields in rows:
        if len(fields) != columns:
            raise line_error(
                path,
                number,
                f"must have {columns} columns as line {rows[0][0]} has, got {len(fields)}; the file is truncated, or a"
                " shorter series is not filled up with NaN",
            )
    values = tuple(_series(path, number, fields) for number, fields in rows)
    return LabelledSeries(
        path, values, tuple(fields[0].strip() for _, fields in rows), tuple(number for number, _ in rows)
    )


def _series(path: Path, number: int, fields: list[str]) -> FloatArray:
    label, *rest = fields
    if not label.strip():
        raise line_error(path, number, "must begin with a label, got an empty first column")
    if not rest:
        raise line_error(path, number, f"must be a label and values separated by tabs, got {label[:40]!r} alone")
    values = parse_values(path, number, rest)
    present = np.flatnonzero(~np.isnan(values))
    if len(present) == 0:
        raise line_error(path, number, "must have a series after its label, got no value; remove the line")
    return values[None, : present[-1] + 1]
