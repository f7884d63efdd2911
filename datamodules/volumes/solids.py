"""Generated solids: eight classes at any place, size and rotation, in noise and among distracting blobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from datamodules.base import Splits
from datamodules.volumes.augmentation import VolumeAugmentation, checked_axes
from datamodules.volumes.imaging import take_picture
from datamodules.volumes.module import Spacing, VolumeDataModule
from datamodules.volumes.samples import GeneratedVolumes, Sample, StandardVolumes
from datamodules.volumes.solid_classes import REACH, SOLIDS
from datamodules.volumes.voxel_grid import VoxelGrid
from lpsc_nd._checks import integer, number

Array = NDArray[np.float64]

_SOLID_STREAM = 6  # keeps these random numbers apart from others of the same seed
_RADIUS = (4.0, 5.5)  # millimetres: of the ball of equal volume
_STRETCH = 1.15  # greatest factor along each axis, before the rotation
_CONTRAST = (0.25, 0.45)  # of 1 = white
_BLOB_RADIUS = (1.0, 2.5)  # millimetres, each half-axis of a distracting ellipsoid
_GREATEST = REACH * _RADIUS[1] * _STRETCH ** (4 / 3)  # millimetres: reach of the largest solid
_TRAIN, _VAL, _TEST = range(3)


@dataclass(frozen=True)
class SolidOptions:
    """What a generated volume shows.

    Args:
        grid: its voxels.
        noise: standard deviation of the noise, of 1 = white.
        distractors: number of blobs about the solid.
    """

    grid: VoxelGrid
    noise: float
    distractors: int


class SolidVolumes(GeneratedVolumes):
    """Generated volumes; one follows from ``seed``, ``part`` and its index alone, and is kept once it was made.

    Volume ``index`` is of class ``index % 8``. The scene and the noise have random numbers of their own: the same seed
    on another grid shows the same scene.

    Args:
        count: number of volumes.
        options: what they show.
        seed: of all random numbers.
        part: number of the independent set that belongs to the seed.
    """

    def __init__(self, count: int, options: SolidOptions, seed: int = 0, part: int = 0) -> None:
        super().__init__(count)
        self.options = options
        self.seed = seed
        self.part = part

    def make(self, index: int) -> Sample:
        """Draw volume ``index``."""
        options, label = self.options, index % len(SOLIDS)
        of_scene, of_noise = np.random.default_rng((_SOLID_STREAM, self.seed, self.part, index)).spawn(2)
        scene = draw_scene(label, options.grid, options.distractors, of_scene)
        return take_picture(scene, options.grid, options.noise, of_noise), label


class SolidsDataModule(VolumeDataModule):
    """Generated solids, eight classes: a task on whole volumes, at hand without a download.

    The classes are ball, cube, cylinder, disc, cone, torus, tetrahedron and cross, equally frequent, of equal
    distributions of volume, brightness and place. Each is slightly stretched and turned at random. Blobs of the same
    brightness, uneven lighting and noise keep simple sums from telling.

    Args:
        batch_size: volumes per batch.
        num_workers: processes that load batches.
        size: voxels along each axis, one number or three; by default as many as cover 28 mm.
        spacing: millimetres from voxel to voxel, one number or three (slices, rows, columns).
        noise: standard deviation of the noise, of 1 = white.
        distractors: number of blobs about the solid.
        num_train: training volumes.
        num_val: validation volumes.
        num_test: test volumes.
        seed: of the volumes; it does not depend on the training's seed.
        augment: mirror the training volumes, and vary their brightness and contrast; needs MONAI.
        flip_axes: axes along which they are mirrored.

    Shape:
        A batch is ``(x, target)``: x ``(B, 1, *size)`` float32 from -1 to 1, target ``(B,)`` int64.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of range, or ``size * spacing`` is less than the largest solid, 26.7 mm.
        ModuleNotFoundError: MONAI is missing when a training volume is varied.
    """

    def __init__(
        self,
        batch_size: int = 32,
        num_workers: int = 0,
        size: int | tuple[int, int, int] | None = None,
        spacing: float | tuple[float, float, float] = 1.0,
        noise: float = 0.1,
        distractors: int = 4,
        num_train: int = 600,
        num_val: int = 120,
        num_test: int = 240,
        seed: int = 0,
        augment: bool = True,
        flip_axes: Sequence[int] = (0, 1, 2),
    ) -> None:
        super().__init__(batch_size, num_workers)
        grid = VoxelGrid.of_field(size, spacing)
        if min(grid.field) < 2 * _GREATEST:
            raise ValueError(
                f"size x spacing must be at least {2 * _GREATEST:.1f} mm, the largest solid, got {grid.field}"
            )
        self.options = SolidOptions(
            grid, number("noise", noise, minimum=0), integer("distractors", distractors, minimum=0)
        )
        self.num_train = integer("num_train", num_train, minimum=1)
        self.num_val = integer("num_val", num_val, minimum=1)
        self.num_test = integer("num_test", num_test, minimum=1)
        self.seed = integer("seed", seed, minimum=0)
        self.augment = augment
        self.flip_axes = checked_axes("flip_axes", flip_axes)

    @property
    def spacing(self) -> Spacing:
        """Millimetres from voxel to voxel."""
        return self.options.grid.spacing

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the labels."""
        return tuple(solid.name for solid in SOLIDS)

    def volumes(self) -> tuple[SolidVolumes, SolidVolumes, SolidVolumes]:
        """Return the three independent sets, as bytes; their volumes are made when they are asked for."""
        counts = ((self.num_train, _TRAIN), (self.num_val, _VAL), (self.num_test, _TEST))
        train, val, test = (SolidVolumes(count, self.options, self.seed, part) for count, part in counts)
        return train, val, test

    def load_splits(self) -> Splits:
        """Return the three sets as tensors, the training volumes varied."""
        train, val, test = self.volumes()
        varied = VolumeAugmentation(self.flip_axes) if self.augment else None
        return Splits(StandardVolumes(train, varied), StandardVolumes(val), StandardVolumes(test))


def draw_scene(label: int, grid: VoxelGrid, distractors: int, generator: np.random.Generator) -> Array:
    """Return the brightness of a solid and its blobs above the background, averaged over voxels."""
    contrast, radius = generator.uniform(*_CONTRAST), generator.uniform(*_RADIUS)
    stretch = _STRETCH ** generator.uniform(-1, 1, 3)
    scale = radius * stretch / stretch.prod() ** (1 / 3)
    turn = Rotation.from_quat(generator.normal(size=4)).as_matrix()
    # Every class may be where the class that reaches furthest may be, so that the place does not tell.
    center = generator.uniform(-1, 1, 3) * (np.divide(grid.field, 2) - REACH * scale.max())
    reach = SOLIDS[label].reach * float(scale.max())
    part = grid.covered(center, reach, lambda offsets: SOLIDS[label].inside(turn.T @ offsets / scale[:, None]))
    for _ in range(distractors):
        np.maximum(part, _blob(grid, generator), out=part)
    return contrast * part


def _blob(grid: VoxelGrid, generator: np.random.Generator) -> Array:
    axes = generator.uniform(*_BLOB_RADIUS, 3)
    turn = Rotation.from_quat(generator.normal(size=4)).as_matrix()
    center = generator.uniform(-0.5, 0.5, 3) * grid.field
    return grid.covered(
        center, float(axes.max()), lambda offsets: ((turn.T @ offsets / axes[:, None]) ** 2).sum(axis=0) <= 1
    )
