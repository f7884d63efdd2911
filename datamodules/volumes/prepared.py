"""Volumes as the network gets them: one orientation, one spacing, standard intensities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datamodules.volumes.cases import Case, check_case
from datamodules.volumes.module import Spacing
from datamodules.volumes.nifti import read_image, read_labels
from datamodules.volumes.nifti_grid import NiftiGrid
from datamodules.volumes.optional import monai_transforms, plain
from datamodules.volumes.resampling import resample, resampled_size


@dataclass(frozen=True)
class Preparation:
    """How volumes are prepared.

    Args:
        spacing: millimetres from voxel to voxel of the prepared volumes, z, y, x.
        num_channels: of the images.
        num_classes: labels are from 0 to one less.
        window: values that become 0 and 1, what is outside cut off; without it, each channel is brought to mean 0 and
            standard deviation 1 over its voxels that are not 0.
    """

    spacing: Spacing
    num_channels: int
    num_classes: int
    window: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class PreparedVolume:
    """An image and its labels at the prepared spacing.

    Shape:
        images ``(C, D, H, W)`` float32, labels ``(D, H, W)`` uint8, or None.
    """

    images: Tensor
    labels: Tensor | None


def prepare(case: Case, preparation: Preparation) -> PreparedVolume:
    """Read the files of a case and prepare them.

    Raises:
        FileNotFoundError: a file is missing.
        DataFileError: a file is damaged, or does not hold what it should.
    """
    grid = check_case(case, preparation.num_channels)
    size = resampled_size(grid.size, grid.spacing, preparation.spacing)
    values = _standardize(read_image(case.image, preparation.num_channels).values, preparation.window)
    images = resample(values, grid.spacing, preparation.spacing, size, "bilinear")
    if case.labels is None:
        return PreparedVolume(images, None)
    labels = torch.from_numpy(read_labels(case.labels, preparation.num_classes)[0])
    return PreparedVolume(images, resample(labels[None], grid.spacing, preparation.spacing, size, "nearest")[0])


def restore(labels: Tensor, spacing: Spacing, grid: NiftiGrid) -> NDArray[np.uint8]:
    """Return predicted labels ``(D, H, W)`` at the prepared ``spacing`` on a source's grid, ``(z, y, x)``."""
    moved = resample(labels[None].to(torch.uint8), spacing, grid.spacing, grid.size, "nearest")
    return moved[0].numpy()


def _standardize(values: NDArray[np.float32], window: tuple[float, float] | None) -> Tensor:
    monai = monai_transforms()
    transform: Any = monai.NormalizeIntensity(nonzero=True, channel_wise=True)
    if window is not None:
        low, high = window
        transform = monai.ScaleIntensityRange(low, high, 0.0, 1.0, clip=True)
    return plain(transform(torch.from_numpy(values))).float()
