"""What the readers of series return, and the lines that they read it from."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.data_files import DataFileError

FloatArray = NDArray[np.floating[Any]]

_MISSING = "?"


@dataclass(frozen=True, eq=False)
class LabelledSeries:
    """The series of one file.

    Args:
        path: the file.
        values: for each series, its channels; NaN where a value is missing.
        labels: for each series, its class as the file writes it.
        lines: for each series, the number of its line, from 1.

    Shape:
        values ``(C, L)`` each: C is the same for all, L need not be.
    """

    path: Path
    values: tuple[FloatArray, ...]
    labels: tuple[str, ...]
    lines: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise DataFileError(self.path, "must hold at least one series, got none; is the file complete?")

    def __len__(self) -> int:
        return len(self.values)

    @property
    def num_channels(self) -> int:
        """Channels of every series."""
        return len(self.values[0])

    def error(self, index: int, reason: str) -> DataFileError:
        """Return the error for one series, which names the file and the line."""
        return line_error(self.path, self.lines[index], reason)

    def select(self, indices: Sequence[int]) -> "LabelledSeries":
        """Return some of the series, in the order of ``indices``."""
        values, labels, lines = ([column[index] for index in indices] for column in self._columns)
        return LabelledSeries(self.path, tuple(values), tuple(labels), tuple(lines))

    @property
    def _columns(self) -> tuple[tuple[Any, ...], ...]:
        return self.values, self.labels, self.lines


def numbered_lines(path: Path) -> list[tuple[int, str]]:
    """Return the lines of a text file that are not blank, each with its number from 1."""
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    if not lines:
        raise DataFileError(path, "must hold at least one series, got an empty file")
    return lines


def line_error(path: Path, line: int, reason: str) -> DataFileError:
    """Return the error for a line of a file."""
    return DataFileError(path, f"line {line}: {reason}")


def parse_values(path: Path, line: int, fields: Sequence[str]) -> FloatArray:
    """Return the numbers of one channel, NaN for ``?`` and ``NaN``.

    Raises:
        DataFileError: a field is not a number, or one that single precision does not hold.
    """
    try:
        values = np.array(["nan" if field.strip() == _MISSING else field for field in fields], dtype=np.float64)
    except ValueError as error:
        raise line_error(path, line, f"values must be numbers, or ? where one is missing: {error}") from error
    wrong = np.flatnonzero(np.abs(values) > np.finfo(np.float32).max)
    if len(wrong):
        raise line_error(path, line, f"values must be finite in single precision, got {fields[wrong[0]].strip()}")
    return values
