"""Where the voxels of a NIfTI image lie: shape and affine, and the way to the canonical orientation and back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.data_files import DataFileError
from datamodules.volumes.module import Spacing
from datamodules.volumes.optional import nibabel

Affine = tuple[tuple[float, ...], ...]

_CANONICAL = ((0, 1), (1, 1), (2, 1))  # x to the right, y to the front, z upwards
_RIGHT_ANGLE = 1e-3  # greatest cosine between axes that pass for perpendicular: affines are stored in 32 bits


@dataclass(frozen=True)
class NiftiGrid:
    """The voxels of an image as its file has them.

    An array ``(z, y, x)`` in the canonical orientation runs from below upwards, from behind to the front, and from
    left to right, as nearly as its axes can: none is turned by less than a right angle.

    Args:
        shape: voxels along the file's axes.
        affine: 4 x 4, from voxel to millimetres, by rows.
    """

    shape: tuple[int, ...]
    affine: Affine

    @property
    def matrix(self) -> NDArray[np.float64]:
        """The affine as an array."""
        return np.array(self.affine)

    @property
    def spacing(self) -> Spacing:
        """Millimetres from voxel to voxel in the canonical orientation: z, y, x."""
        x, y, z = np.linalg.norm(self.matrix[:3, :3], axis=0)[self._sources].tolist()
        return z, y, x

    @property
    def size(self) -> tuple[int, int, int]:
        """Voxels in the canonical orientation: z, y, x."""
        x, y, z = (self.shape[axis] for axis in self._sources)
        return z, y, x

    def to_canonical(self, values: NDArray[Any]) -> NDArray[Any]:
        """Turn the file's array ``(*shape, C)`` to ``(C, z, y, x)``."""
        return nibabel().apply_orientation(values, self._orientation).transpose(3, 2, 1, 0)

    def from_canonical(self, values: NDArray[Any]) -> NDArray[Any]:
        """Turn an array ``(z, y, x)`` to the file's axes."""
        nib = nibabel()
        back = nib.orientations.ornt_transform(np.array(_CANONICAL), self._orientation)
        return nib.apply_orientation(values.transpose(2, 1, 0), back)

    def is_like(self, other: NiftiGrid) -> bool:
        """Tell whether both have the same voxels, within a tenth of one."""
        if self.shape != other.shape:
            return False
        corners = np.stack(np.meshgrid(*((0, extent - 1) for extent in self.shape), (1,)), axis=-1).reshape(-1, 4)
        gaps = corners @ (self.matrix - other.matrix).T
        return bool(np.abs(gaps).max() <= 0.1 * min(self.spacing))

    @property
    def _orientation(self) -> NDArray[np.float64]:
        return nibabel().io_orientation(self.matrix)

    @property
    def _sources(self) -> list[int]:
        """The file's axes that become x, y and z."""
        return np.argsort(self._orientation[:, 0]).tolist()


def check_affine(path: Path, affine: Affine) -> Affine:
    """Return the affine of a file; a DataFileError unless its voxels are boxes."""
    axes = np.array(affine)[:3, :3]
    if not np.isfinite(affine).all():
        raise DataFileError(path, f"the affine must be finite, got {affine}; set it anew from the scanner's file")
    lengths = np.linalg.norm(axes, axis=0)
    if (lengths <= 0).any():
        raise DataFileError(path, f"voxels must have a size, got an affine with axes of length {lengths.tolist()} mm")
    cosines = np.abs((axes / lengths).T @ (axes / lengths)) - np.eye(3)
    if cosines.max() > _RIGHT_ANGLE:
        angle = np.degrees(np.arccos(min(1.0, cosines.max())))
        raise DataFileError(
            path,
            f"the axes of its voxels must be at right angles, got an affine with {angle:.1f} degrees between two;"
            " resample it first, for instance with nibabel.processing.resample_to_output",
        )
    return affine
