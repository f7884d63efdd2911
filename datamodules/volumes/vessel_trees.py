"""Generated vessel trees: thin branching tubes, labelled exactly, in noise and among blobs as wide."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datamodules.base import Splits
from datamodules.volumes.augmentation import VolumeAugmentation, checked_axes
from datamodules.volumes.imaging import take_picture
from datamodules.volumes.module import Spacing, VolumeDataModule
from datamodules.volumes.samples import GeneratedVolumes, Sample, StandardVolumes
from datamodules.volumes.vessel_scenes import Balls, grow_tree, scatter_blobs
from datamodules.volumes.voxel_grid import FIELD, VoxelGrid, average, middle
from lpsc_nd._checks import integer, number

_TREE_STREAM = 7  # keeps these random numbers apart from others of the same seed
_CONTRAST = (0.2, 0.45)  # of 1 = white
_TREE_VOLUME = FIELD**3 / 3  # cubic millimetres of the field per tree
_BALLS_AT_ONCE = 64  # bounds the memory for their windows
_TRAIN, _VAL, _TEST = range(3)


@dataclass(frozen=True)
class TreeOptions:
    """What a generated volume shows.

    Args:
        grid: its voxels.
        noise: standard deviation of the noise, of 1 = white.
        distractors: mean number of blobs in 28 mm cubed.
    """

    grid: VoxelGrid
    noise: float
    distractors: float


class VesselTreeVolumes(GeneratedVolumes):
    """Generated volumes; one follows from ``seed``, ``part`` and its index alone, and is kept once it was made.

    The scene and the noise have random numbers of their own: the same seed on another grid shows the same scene.

    Args:
        count: number of volumes.
        options: what they show.
        seed: of all random numbers.
        part: number of the independent set that belongs to the seed.
    """

    def __init__(self, count: int, options: TreeOptions, seed: int = 0, part: int = 0) -> None:
        super().__init__(count)
        self.options = options
        self.seed = seed
        self.part = part

    def make(self, index: int) -> Sample:
        """Draw volume ``index``."""
        of_scene, of_noise = np.random.default_rng((_TREE_STREAM, self.seed, self.part, index)).spawn(2)
        scene, labels = draw_scene(self.options, of_scene)
        return take_picture(scene, self.options.grid, self.options.noise, of_noise), labels


class VesselTreesDataModule(VolumeDataModule):
    """Generated vessel trees, labelled exactly: a task of thin, long structures, at hand without a download.

    Trees enter from the faces of a box, curve, taper and split, in the manner of contrast-enhanced angiography. Blobs
    as bright and as wide as vessels, uneven lighting and noise keep brightness alone from telling. A voxel is a vessel
    if its middle is inside one; its brightness is averaged over its whole box.

    Args:
        batch_size: volumes per batch.
        num_workers: processes that load batches.
        size: voxels along each axis, one number or three; by default as many as cover 28 mm.
        spacing: millimetres from voxel to voxel, one number or three (slices, rows, columns). The same seed shows the
            same scenes at any spacing.
        noise: standard deviation of the noise, of 1 = white.
        distractors: mean number of blobs in 28 mm cubed.
        num_train: training volumes.
        num_val: validation volumes.
        num_test: test volumes.
        seed: of the volumes; it does not depend on the training's seed.
        augment: mirror the training volumes, and vary their brightness and contrast; needs MONAI.
        flip_axes: axes along which they are mirrored.

    Shape:
        A batch is ``(x, target)``: x ``(B, 1, *size)`` float32 from -1 to 1, target ``(B, *size)`` int64: 1 in vessels.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of range.
        ModuleNotFoundError: MONAI is missing when a training volume is varied.
    """

    def __init__(
        self,
        batch_size: int = 4,
        num_workers: int = 0,
        size: int | tuple[int, int, int] | None = None,
        spacing: float | tuple[float, float, float] = 1.0,
        noise: float = 0.12,
        distractors: float = 12,
        num_train: int = 40,
        num_val: int = 10,
        num_test: int = 20,
        seed: int = 0,
        augment: bool = True,
        flip_axes: Sequence[int] = (0, 1, 2),
    ) -> None:
        super().__init__(batch_size, num_workers)
        self.options = TreeOptions(
            VoxelGrid.of_field(size, spacing),
            number("noise", noise, minimum=0),
            number("distractors", distractors, minimum=0),
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
        return ("background", "vessel")

    def volumes(self) -> tuple[VesselTreeVolumes, VesselTreeVolumes, VesselTreeVolumes]:
        """Return the three independent sets, as bytes; their volumes are made when they are asked for."""
        counts = ((self.num_train, _TRAIN), (self.num_val, _VAL), (self.num_test, _TEST))
        train, val, test = (VesselTreeVolumes(count, self.options, self.seed, part) for count, part in counts)
        return train, val, test

    def load_splits(self) -> Splits:
        """Return the three sets as tensors, the training volumes varied."""
        train, val, test = self.volumes()
        varied = VolumeAugmentation(self.flip_axes) if self.augment else None
        return Splits(StandardVolumes(train, varied), StandardVolumes(val), StandardVolumes(test))


def draw_scene(options: TreeOptions, generator: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Return the brightness of trees and blobs above the background, averaged over voxels, and the labels."""
    grid = options.grid
    box = math.prod(grid.field)
    trees = [grow_tree(grid.field, generator) for _ in range(max(1, round(box / _TREE_VOLUME)))]
    blobs = scatter_blobs(grid.field, generator.poisson(options.distractors * box / FIELD**3), generator)
    parts = grid.odd_parts
    fine = grid.divided(parts)
    labels, scene = np.zeros(grid.size, np.uint8), np.zeros(grid.size)
    for tree in trees:
        inside = covered(tree, fine)
        labels |= middle(inside, parts)
        np.maximum(scene, generator.uniform(*_CONTRAST) * average(inside, parts), out=scene)
    for center, radius in zip(blobs.centers, blobs.radii, strict=True):
        part = grid.covered(center, radius, _ball(radius))
        np.maximum(scene, generator.uniform(*_CONTRAST) * part, out=scene)
    return scene, labels


def _ball(radius: float) -> Callable[[NDArray[np.float64]], NDArray[np.bool_]]:
    return lambda offsets: (offsets**2).sum(axis=0) <= radius**2


def covered(balls: Balls, grid: VoxelGrid) -> NDArray[np.bool_]:
    """Return which voxels' middles lie in one of the balls."""
    marked = np.zeros(grid.size, dtype=bool)
    order = np.argsort(balls.radii)  # so that the windows of some at once are alike
    balls = Balls(balls.centers[order], balls.radii[order])
    for first in range(0, len(balls.radii), _BALLS_AT_ONCE):
        some = slice(first, first + _BALLS_AT_ONCE)
        _mark(marked, Balls(balls.centers[some], balls.radii[some]), grid)
    return marked


def _mark(marked: NDArray[np.bool_], balls: Balls, grid: VoxelGrid) -> None:
    """Set the voxels in balls, looking at a window of voxels around each ball."""
    inside = np.ones((len(balls.radii), 1, 1, 1), dtype=bool)
    places, squares = [], []
    for axis, middles in enumerate(grid.middles()):
        at = (balls.centers[:, axis, None] - middles[0]) / grid.spacing[axis]  # (n, 1), in voxels
        reach = math.ceil(balls.radii.max() / grid.spacing[axis])
        voxels = np.floor(at).astype(np.int64) + np.arange(-reach, reach + 2)  # (n, k)
        shape = (len(at), *(voxels.shape[1] if other == axis else 1 for other in range(3)))
        inside = inside & ((voxels >= 0) & (voxels < grid.size[axis])).reshape(shape)
        squares.append((((voxels - at) * grid.spacing[axis]) ** 2).reshape(shape))
        places.append(voxels.reshape(shape))
    inside &= squares[0] + squares[1] + squares[2] <= balls.radii[:, None, None, None] ** 2
    marked[tuple(np.broadcast_to(place, inside.shape)[inside] for place in places)] = True
