"""What all readers of files say when something is missing or wrong."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lpsc_nd._checks import shape_text


class DataFileError(ValueError):
    """A file that is damaged or does not hold what it should; the message begins with its path."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason

    def __reduce__(self) -> tuple[type["DataFileError"], tuple[Path, str]]:
        return type(self), (self.path, self.reason)  # worker processes send it to the main process


def missing_data(path: Path, root: Path, tree: str) -> FileNotFoundError:
    """Return the error for a path that is not there, with the tree that is expected below ``root``."""
    return FileNotFoundError(
        f"{path} does not exist; expected below {root}:\n\n{tree}\n"
        "Nothing is downloaded: put the data there, or give another root"
    )


def require(paths: Iterable[Path], root: Path, tree: str) -> None:
    """Raise the error of :func:`missing_data` for the first of ``paths`` that does not exist."""
    for path in paths:
        if not path.exists():
            raise missing_data(path, root, tree)


def require_some(folder: Path, pattern: str, root: Path, tree: str) -> list[Path]:
    """Return the visible files in ``folder`` that match, sorted with numbers by size; an error if there are none."""
    found = [path for path in folder.glob(pattern) if path.is_file() and not path.name.startswith(".")]
    if not found:
        raise missing_data(folder / pattern, root, tree)
    return sorted(found, key=lambda path: (len(path.name), path.name))


def detect_source(root: Path, folders: Mapping[str, str], trees: Mapping[str, str]) -> str:
    """Return the one source whose folder is below ``root``.

    Args:
        root: where to look.
        folders: source -> its folder.
        trees: source -> the tree expected, for the error.

    Raises:
        FileNotFoundError: none is there.
        ValueError: several are there.
    """
    there = [source for source, folder in folders.items() if (root / folder).is_dir()]
    if not there:
        raise missing_data(root / next(iter(folders.values())), root, "\n\nor\n\n".join(trees.values()))
    if len(there) > 1:
        raise ValueError(f"source must be one of {there}, as {root} holds all of these, got None")
    return there[0]


def check_finite(path: Path, name: str, values: NDArray[np.floating[Any]]) -> None:
    """Raise a DataFileError if a value is NaN or infinite."""
    wrong = np.argwhere(~np.isfinite(values))
    if len(wrong):
        raise DataFileError(path, f"{name} must be finite, got {values[tuple(wrong[0])]} at {wrong[0].tolist()}")


def check_range(path: Path, name: str, values: NDArray[np.integer[Any]], limit: int) -> None:
    """Raise a DataFileError unless all values are from 0 to ``limit - 1``."""
    wrong = np.argwhere((values < 0) | (values >= limit))
    if len(wrong):
        got = f"{values[tuple(wrong[0])]} at {wrong[0].tolist()}"
        raise DataFileError(path, f"{name} must be from 0 to {limit - 1}, got {got}")


def check_shape(path: Path, name: str, values: NDArray[Any], expected: tuple[int | str, ...]) -> None:
    """Raise a DataFileError unless the shape is ``expected``; a letter stands for any length but 0."""
    alike = len(values.shape) == len(expected) and all(
        have == want if isinstance(want, int) else have > 0 for have, want in zip(values.shape, expected, strict=True)
    )
    if not alike:
        raise DataFileError(path, f"{name} must have shape {shape_text(expected)}, got {shape_text(values.shape)}")


def whole_numbers(path: Path, name: str, values: NDArray[Any]) -> NDArray[np.int64]:
    """Return ``values`` as int64; a DataFileError if some are not whole numbers."""
    if values.dtype.kind not in "iuf":
        raise DataFileError(path, f"{name} must be whole numbers, got {values.dtype}")
    if values.dtype.kind == "f":
        check_finite(path, name, values)
        wrong = np.argwhere((values != np.floor(values)) | (np.abs(values) >= 2.0**63))
        if len(wrong):
            raise DataFileError(path, f"{name} must be whole numbers, got {values[tuple(wrong[0])]}")
    return values.astype(np.int64)


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text file that are not blank, stripped; a DataFileError if there are none."""
    lines = [line.strip() for line in path.read_text(encoding="utf-8-sig", errors="replace").splitlines()]
    lines = [line for line in lines if line]
    if not lines:
        raise DataFileError(path, "must hold at least one line, got an empty file")
    return lines
