"""Point clouds in HDF5 files: arrays of equally many points per cloud."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.data_files import DataFileError, check_finite, check_range, check_shape, whole_numbers
from datamodules.points.types import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class CloudFile:
    """What one or several files hold.

    Shape:
        positions ``(N, n, 3)``, labels ``(N,)``; extras, by name, ``(N, n)`` or ``(N, n, 3)``.
    """

    positions: FloatArray
    labels: IntArray
    names: tuple[str, ...]
    extras: dict[str, NDArray[Any]]


def read_clouds(
    paths: Sequence[Path], num_classes: int, extras: Sequence[str] = (), optional: Sequence[str] = ()
) -> CloudFile:
    """Read ``data``, ``label`` and further arrays of files, and lay their clouds end to end.

    Args:
        paths: the files; all must have the same number of points per cloud.
        num_classes: labels are from 0 to one less.
        extras: further arrays; "normal" is read as ``(N, n, 3)`` numbers, others as ``(N, n)`` whole numbers.
        optional: further arrays that are read from files that all have them.

    Raises:
        ModuleNotFoundError: h5py is not installed.
        DataFileError: a file is truncated, lacks an array, or an array has a wrong shape or wrong values.
    """
    files = [_read(path, num_classes, extras, optional) for path in paths]
    for path, file in zip(paths, files, strict=True):
        check_shape(path, "data", file.positions, ("N", files[0].positions.shape[1], 3))
    shared = set.intersection(*(set(file.extras) for file in files))
    return CloudFile(
        np.concatenate([file.positions for file in files]),
        np.concatenate([file.labels for file in files]),
        tuple(name for file in files for name in file.names),
        {key: np.concatenate([file.extras[key] for file in files]) for key in sorted(shared)},
    )


def read_arrays(path: Path, required: Sequence[str], optional: Sequence[str] = ()) -> dict[str, NDArray[Any]]:
    """Read whole arrays of one file by name.

    Raises:
        ModuleNotFoundError: h5py is not installed.
        DataFileError: the file is damaged or not HDF5, or lacks a required array.
    """
    h5py = _h5py()
    try:
        with h5py.File(path, "r") as file:
            present = sorted(key for key in file if isinstance(file[key], h5py.Dataset))
            lacking = sorted(set(required) - set(present))
            if lacking:
                raise DataFileError(path, f"must hold the arrays {list(required)}, got {present}")
            return {key: np.asarray(file[key]) for key in present if key in required or key in optional}
    except (OSError, RuntimeError) as error:  # h5py's two for damaged files
        raise DataFileError(path, f"cannot be read as HDF5, is it complete? ({error})") from error


def _read(path: Path, num_classes: int, extras: Sequence[str], optional: Sequence[str]) -> CloudFile:
    arrays = read_arrays(path, ("data", "label", *extras), optional)
    positions = _floats(path, "data", arrays.pop("data"))
    count, size = positions.shape[:2]
    labels = arrays.pop("label")
    if labels.shape == (count, 1):
        labels = labels[:, 0]
    check_shape(path, "label", labels, (count,))
    labels = whole_numbers(path, "label", labels)
    check_range(path, "label", labels, num_classes)
    checked = {key: _extra(path, key, value) for key, value in arrays.items()}
    for key, value in checked.items():
        check_shape(path, key, value, (count, size, *value.shape[2:]))
    return CloudFile(positions, labels, tuple(f"{path.name}/{index}" for index in range(count)), checked)


def _extra(path: Path, key: str, value: NDArray[Any]) -> NDArray[Any]:
    if key == "normal":
        return _floats(path, key, value)
    check_shape(path, key, value, ("N", "n"))
    return whole_numbers(path, key, value)


def _floats(path: Path, key: str, value: NDArray[Any]) -> FloatArray:
    check_shape(path, key, value, ("N", "n", 3))
    if value.dtype.kind not in "iuf":
        raise DataFileError(path, f"{key} must be numbers, got {value.dtype}")
    with np.errstate(over="ignore"):
        numbers = value.astype(np.float32, copy=False)
    check_finite(path, key, numbers)
    return numbers


def _h5py() -> Any:
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "HDF5 files are read by h5py, which is not installed: pip install 'lpsc-nd[points]'", name=error.name
        ) from error
    return h5py
