"""NIfTI files: read in one orientation with spacing in millimetres, and predictions written back onto their grid."""

from __future__ import annotations

import gzip
import math
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.data_files import DataFileError, whole_numbers
from datamodules.volumes.nifti_grid import Affine, NiftiGrid, check_affine
from datamodules.volumes.optional import nibabel
from lpsc_nd._checks import shape_text
from lpsc_nd._files import write_whole

_MILLIMETRES = {"mm": 1.0, "unknown": 1.0, "meter": 1000.0, "micron": 0.001}
_GZIP = b"\x1f\x8b"
_HEADER_BYTES = 540  # of NIfTI-2, the longer one


@dataclass(frozen=True, eq=False)
class NiftiImage:
    """What an image file holds.

    Args:
        values: float32, ``(C, z, y, x)``: slices from below, rows from behind, columns from the left.
        grid: where its voxels are.
    """

    values: NDArray[np.float32]
    grid: NiftiGrid


def read_grid(path: Path, channels: int = 1) -> NiftiGrid:
    """Read where the voxels of an image are, from its header alone.

    Args:
        path: ``.nii`` or ``.nii.gz``.
        channels: how many volumes the image must hold.

    Raises:
        FileNotFoundError: there is no such file.
        ModuleNotFoundError: nibabel is not installed.
        DataFileError: no NIfTI, damaged, another number of axes or channels, or voxels that are no boxes.
    """
    with path.open("rb") as file:
        packed = file.read(2) == _GZIP
    try:
        with gzip.open(path) if packed else path.open("rb") as stream:
            start = stream.read(_HEADER_BYTES)
    except (OSError, EOFError, zlib.error) as error:
        raise _damaged(path, error) from error
    return _grid(path, _header(path, start), channels)


def read_image(path: Path, channels: int = 1) -> NiftiImage:
    """Read an image, turned to the canonical orientation; arguments and errors are those of :func:`read_grid`.

    Raises:
        DataFileError: also if the file is truncated, or a voxel is NaN or infinite.
    """
    values, grid = _read(path, channels)
    with np.errstate(over="ignore", invalid="ignore"):
        numbers = np.ascontiguousarray(values, dtype=np.float32)
    finite = np.isfinite(numbers)
    if not finite.all():
        place = np.argwhere(~finite)[0].tolist()
        raise DataFileError(
            path,
            f"voxels must be finite, got {numbers[tuple(place)]} at (channel, z, y, x) = {place} and"
            f" {numbers.size - int(finite.sum()) - 1} more; replace them, for instance with numpy.nan_to_num",
        )
    return NiftiImage(numbers, grid)


def read_labels(path: Path, num_classes: int) -> tuple[NDArray[np.uint8], NiftiGrid]:
    """Read whole numbers ``(z, y, x)`` from 0 to ``num_classes - 1``, at most 255 classes, and their grid.

    Raises:
        DataFileError: as :func:`read_image`; also for values that are no classes.
    """
    values, grid = _read(path, 1)
    labels = whole_numbers(path, "labels", values[0])
    wrong = np.argwhere((labels < 0) | (labels >= num_classes))
    if len(wrong):
        got = f"{labels[tuple(wrong[0])]} at (z, y, x) = {wrong[0].tolist()} and {len(wrong) - 1} more"
        raise DataFileError(
            path, f"labels must be from 0 to {num_classes - 1}, got {got}; name the class, or correct the file"
        )
    return np.ascontiguousarray(labels, dtype=np.uint8), grid


def write_labels(path: Path, labels: NDArray[np.integer[Any]], grid: NiftiGrid) -> None:
    """Write labels onto a grid, in the orientation and with the affine of the file that the grid is from.

    Args:
        path: ``.nii`` or ``.nii.gz``; the file is there as a whole or not at all.
        labels: ``(z, y, x)``, from 0 to 255.
        grid: of the source.

    Raises:
        ValueError: the labels have another shape than the grid, or are out of range.
    """
    if labels.shape != grid.size:
        raise ValueError(f"labels must have shape {shape_text(grid.size)}, got {shape_text(labels.shape)}")
    if labels.size and (labels.min() < 0 or labels.max() > 255):
        raise ValueError(f"labels must be from 0 to 255, got {labels.min()} to {labels.max()}")
    image = nibabel().Nifti1Image(grid.from_canonical(labels.astype(np.uint8)), grid.matrix)
    image.header.set_xyzt_units("mm")
    written = image.to_bytes()
    write_whole(path, [gzip.compress(written, compresslevel=6, mtime=0) if path.name.endswith(".gz") else written])


def _read(path: Path, channels: int) -> tuple[NDArray[Any], NiftiGrid]:
    """Return the values ``(C, z, y, x)`` of a file, and its grid."""
    try:
        raw = path.read_bytes()
        # All of it, so that a file that lacks but its check sum is not taken for a whole one.
        raw = gzip.decompress(raw) if raw[:2] == _GZIP else raw
    except FileNotFoundError:
        raise
    except (OSError, EOFError, zlib.error) as error:
        raise _damaged(path, error) from error
    header = _header(path, raw)
    grid = _grid(path, header, channels)
    dtype = header.get_data_dtype()
    if dtype.kind not in "iuf":
        raise DataFileError(path, f"voxels must be real numbers, got {dtype}")
    promised = int(header["vox_offset"]) + math.prod(map(int, header.get_data_shape())) * dtype.itemsize
    if len(raw) < promised:
        raise DataFileError(path, f"is truncated: it holds {len(raw)} of {promised} bytes; copy it again")
    values = _values(path, raw)
    return grid.to_canonical(values.reshape(*grid.shape, channels)), grid


def _values(path: Path, raw: bytes) -> NDArray[Any]:
    nib = nibabel()
    kind = nib.Nifti2Image if _is_second(raw) else nib.Nifti1Image
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            return np.asanyarray(kind.from_bytes(raw).dataobj)
    except _errors() as error:
        raise _damaged(path, error) from error


def _header(path: Path, start: bytes) -> Any:
    nib = nibabel()
    kind = nib.Nifti2Header if _is_second(start) else nib.Nifti1Header
    try:
        header = kind(start[: kind.sizeof_hdr])
        # Each may find an error.
        header.get_data_dtype(), header.get_slope_inter(), header.get_xyzt_units(), int(header["vox_offset"])
        with np.errstate(over="ignore", invalid="ignore"):
            header.get_best_affine()
        return header
    except _errors() as error:
        raise _damaged(path, error) from error


def _is_second(start: bytes) -> bool:
    return _HEADER_BYTES in (int.from_bytes(start[:4], "little"), int.from_bytes(start[:4], "big"))


def _grid(path: Path, header: Any, channels: int) -> NiftiGrid:
    shape = tuple(int(extent) for extent in header.get_data_shape())
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) not in (3, 4) or (shape[3] if len(shape) == 4 else 1) != channels or min(shape) < 1:
        expected = "[x, y, z]" if channels == 1 else f"[x, y, z, {channels}]"
        got = f"{channels} channel(s), got {shape_text(shape)}"
        raise DataFileError(
            path, f"must have shape {expected}, {got}; split or stack its channels, or correct their number"
        )
    return NiftiGrid(shape[:3], check_affine(path, _affine(header)))


def _affine(header: Any) -> Affine:
    with np.errstate(over="ignore", invalid="ignore"):
        matrix = np.array(header.get_best_affine(), dtype=np.float64)
    matrix[:3] *= _MILLIMETRES.get(header.get_xyzt_units()[0], 1.0)
    return tuple(tuple(float(value) for value in row) for row in matrix)


def _errors() -> tuple[type[Exception], ...]:
    """Return what nibabel is seen to raise on damaged files."""
    nib = nibabel()
    own = (nib.filebasedimages.ImageFileError, nib.spatialimages.HeaderDataError, nib.wrapstruct.WrapStructError)
    return (*own, OSError, EOFError, ValueError, TypeError, KeyError, OverflowError, MemoryError)


def _damaged(path: Path, error: Exception) -> DataFileError:
    return DataFileError(path, f"cannot be read as NIfTI, is it complete? ({error})")
