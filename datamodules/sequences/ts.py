"""The ``.ts`` format of the UEA archive: a header of ``@`` lines, then a case per line with its label last."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datamodules.data_files import DataFileError
from datamodules.sequences.series import FloatArray, LabelledSeries, line_error, numbered_lines, parse_values

_COMMENTS = ("#", "%")
_LABELS_WANTED = "a line such as '@classLabel true walking running'"


@dataclass(frozen=True)
class _Header:
    """What a header says; None where it does not."""

    class_labels: tuple[str, ...]
    dimensions: int | None
    length: int | None


def read_ts(path: Path) -> LabelledSeries:
    """Read the cases of a ``.ts`` file.

    Dimensions are separated by colons and values by commas; a missing value is ``?`` or NaN. The dimensions of one
    case have one length; cases may differ unless the header says ``@equalLength true``. Lines that begin with # or %
    are comments.

    Args:
        path: a text file with a header that ends in ``@data``.

    Raises:
        DataFileError: the header has no class labels, time stamps or a wrong value, or a case is truncated, empty, or
            does not fit the header.
    """
    lines = [(number, line.strip()) for number, line in numbered_lines(path)]
    lines = [(number, line) for number, line in lines if not line.startswith(_COMMENTS)]
    end = next((index for index, (_, line) in enumerate(lines) if line.lower() == "@data"), None)
    if end is None:
        raise DataFileError(path, "must have a header that ends in a line @data, got none; is the file complete?")
    header = _read_header(path, lines[:end])
    dimensions, length = header.dimensions, header.length
    values, labels, numbers = [], [], []
    for number, line in lines[end + 1 :]:
        *channels, label = line.split(":")
        dimensions = len(channels) if dimensions is None else dimensions
        values.append(_case(path, number, channels, dimensions, length))
        labels.append(_label(path, number, label.strip(), header.class_labels))
        numbers.append(number)
    return LabelledSeries(path, tuple(values), tuple(labels), tuple(numbers))


def _read_header(path: Path, lines: list[tuple[int, str]]) -> _Header:
    tags: dict[str, tuple[int, list[str]]] = {}
    for number, line in lines:
        tag, *words = line.split()
        if not tag.startswith("@"):
            raise line_error(path, number, f"must be a line of the header, which begins with @, got {line[:40]!r}")
        tags[tag.lower()] = number, words
    if _flag(path, tags, "@timestamps"):
        raise line_error(
            path, tags["@timestamps"][0], "must be @timeStamps false; write the values without their times"
        )
    if _flag(path, tags, "@targetlabel"):
        raise line_error(path, tags["@targetlabel"][0], f"must be for classification: {_LABELS_WANTED}")
    univariate = _flag(path, tags, "@univariate")
    return _Header(
        _class_labels(path, tags),
        1 if univariate else _count(path, tags, "@dimensions") or _count(path, tags, "@dimension"),
        _count(path, tags, "@serieslength") if _flag(path, tags, "@equallength") else None,
    )


def _class_labels(path: Path, tags: dict[str, tuple[int, list[str]]]) -> tuple[str, ...]:
    if "@classlabel" not in tags:
        raise DataFileError(path, f"must have class labels in its header: {_LABELS_WANTED}; got no @classLabel")
    number, labels = tags["@classlabel"]
    if not _flag(path, tags, "@classlabel") or len(labels) < 2:
        raise line_error(path, number, f"must name the class labels: {_LABELS_WANTED}; got {' '.join(labels)!r}")
    return tuple(labels[1:])


def _flag(path: Path, tags: dict[str, tuple[int, list[str]]], tag: str) -> bool:
    if tag not in tags:
        return False
    number, words = tags[tag]
    if not words or words[0].lower() not in ("true", "false"):
        raise line_error(path, number, f"{tag} must be true or false, got {' '.join(words)!r}")
    return words[0].lower() == "true"


def _count(path: Path, tags: dict[str, tuple[int, list[str]]], tag: str) -> int | None:
    if tag not in tags:
        return None
    number, words = tags[tag]
    if len(words) != 1 or not words[0].isdecimal() or int(words[0]) == 0:
        raise line_error(path, number, f"{tag} must be a whole number of at least 1, got {' '.join(words)!r}")
    return int(words[0])


def _case(path: Path, number: int, channels: list[str], dimensions: int, length: int | None) -> FloatArray:
    if not channels or len(channels) != dimensions:
        raise line_error(
            path, number, f"must have {max(dimensions, 1)} dimension(s) and a label, got {len(channels)} dimension(s);"
            " is the line complete?",
        )  # fmt: skip
    rows = [_channel(path, number, index, text) for index, text in enumerate(channels, start=1)]
    lengths = [len(row) for row in rows]
    if length is None and len(set(lengths)) > 1:
        raise line_error(path, number, f"all dimensions of a case must have one length, got {lengths}")
    if length is not None and lengths != [length] * dimensions:
        raise line_error(
            path, number, f"must have {length} values in each dimension, as @seriesLength says, got {lengths}; is the"
            " line complete?",
        )  # fmt: skip
    return np.stack(rows)


def _channel(path: Path, number: int, index: int, text: str) -> FloatArray:
    if not text.strip():
        raise line_error(path, number, f"dimension {index} must have values, got an empty series; remove the line")
    if "(" in text:
        raise line_error(path, number, f"dimension {index} must be values without time stamps, got {text[:40]!r}")
    values = parse_values(path, number, text.split(","))
    if np.isnan(values).all():
        raise line_error(path, number, f"dimension {index} must have values, got missing ones only; remove the line")
    return values


def _label(path: Path, number: int, label: str, class_labels: tuple[str, ...]) -> str:
    if label not in class_labels:
        known = ", ".join(class_labels[:10]) + (", ..." if len(class_labels) > 10 else "")
        raise line_error(path, number, f"must end with a label that @classLabel names ({known}), got {label[:40]!r}")
    return label
