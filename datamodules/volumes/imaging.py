"""What a scanner adds to a clean scene: uneven brightness, noise, and rounding to bytes."""

import numpy as np
from numpy.typing import NDArray

from datamodules.volumes.voxel_grid import VoxelGrid

Array = NDArray[np.float64]

_LEVEL = 0.3  # brightness of the background, of 1
_UNEVEN = 0.3  # brightness varies by about this part across the field


def take_picture(scene: Array, grid: VoxelGrid, noise: float, generator: np.random.Generator) -> NDArray[np.uint8]:
    """Return bytes: (background + scene) times a smooth field, plus Gaussian noise.

    Args:
        scene: brightness above the background, from 0 to 1.
        grid: where its voxels are.
        noise: standard deviation of the noise, of 1 = white.
        generator: of all random numbers.
    """
    slopes, curve = generator.uniform(-1, 1, 3), generator.uniform(-1, 1, 3)
    axes = np.ix_(*(2 * middles / side for middles, side in zip(grid.middles(), grid.field, strict=True)))
    shape = sum((a * u + b * u**2 for a, b, u in zip(slopes, curve, axes, strict=True)), np.zeros(grid.size))
    picture = (_LEVEL + scene) * np.exp(_UNEVEN / 3 * shape) + generator.normal(0, noise, grid.size)
    return (255 * picture).round().clip(0, 255).astype(np.uint8)
