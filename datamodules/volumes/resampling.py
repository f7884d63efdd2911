"""Volumes brought from one spacing to another by MONAI: images linearly, labels to the nearest."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from datamodules.volumes.module import Spacing
from datamodules.volumes.optional import monai_data, monai_transforms, plain

_ALIKE = 1e-3  # relative difference of spacings that pass for equal


def same_spacing(one: Spacing, other: Spacing) -> bool:
    """Tell whether two spacings differ by less than a thousandth along each axis.

    >>> same_spacing((1.0, 1.0, 3.0), (1.0, 1.0, 3.0001))
    True
    """
    return bool(np.allclose(one, other, rtol=_ALIKE, atol=0))


def resampled_size(size: tuple[int, ...], spacing: Spacing, target: Spacing) -> tuple[int, int, int]:
    """Return how many voxels of another spacing reach from the first voxel's middle to the last one's, to the nearest.

    >>> resampled_size((9, 28, 28), (3.0, 1.0, 1.0), (1.0, 1.0, 1.0))
    (25, 28, 28)
    """
    depth, height, width = (
        math.floor((count - 1) * old / new + 0.5) + 1 for count, old, new in zip(size, spacing, target, strict=True)
    )
    return depth, height, width


def resample(
    values: Tensor, spacing: Spacing, target: Spacing, size: tuple[int, int, int], mode: Literal["bilinear", "nearest"]
) -> Tensor:
    """Resample a volume: the first voxels' middles agree; what is asked for beyond the last is the last.

    Args:
        values: ``(C, D, H, W)``.
        spacing: of the volume.
        target: spacing wanted.
        size: voxels wanted along each axis.
        mode: "bilinear" for images, "nearest" for labels.

    Shape:
        ``(C, *size)``, of the type of ``values``.
    """
    if tuple(values.shape[1:]) == size and same_spacing(spacing, target):
        return values
    volume = monai_data().MetaTensor(
        values.float(), affine=torch.diag(torch.tensor([*spacing, 1.0], dtype=torch.float64))
    )
    to = monai_transforms().SpatialResample(mode=mode, padding_mode="border", align_corners=False, dtype=np.float32)
    moved = to(
        volume, dst_affine=torch.diag(torch.tensor([*target, 1.0], dtype=torch.float64)), spatial_size=list(size)
    )
    result = plain(moved)
    return (result.round() if mode == "nearest" else result).to(values.dtype)
