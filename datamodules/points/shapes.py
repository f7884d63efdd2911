"""Generated surfaces: ten classes of analytic shapes with part labels, sampled as point clouds."""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from datamodules.points.datasets import PointDataset
from datamodules.points.module import PointDataModule, PointSources
from datamodules.points.surface_classes import CLASS_NAMES, CLASS_PARTS, PART_NAMES, SURFACE_CLASSES
from datamodules.points.surface_patches import Array
from datamodules.points.surface_sampling import sample_view
from datamodules.points.transforms import random_rotation, to_unit_sphere
from datamodules.points.types import PointSample
from lpsc_nd._checks import choice, integer, number

_SURFACE_STREAM = 2  # keeps these random numbers apart from those of transforms
_TRAIN, _VAL, _TEST = range(3)
_ROTATIONS = ("none", "vertical", "any")


@dataclass(frozen=True)
class SurfaceOptions:
    """How surfaces are turned, stretched and sampled.

    Args:
        num_points: points per cloud.
        rotation: pose: upright, turned about the vertical z axis, or any.
        stretch: each axis is stretched by a factor between 1 / stretch and this, before the rotation.
        noise: standard deviation of a shift of every point, in radii of the cloud.
        density_ratio: how many times denser the points are at one end than at the other; 1 is uniform.
        missing: share of the points that a plane cuts off; as many points are drawn from the rest.
        normals: give the unit normals as features.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of range.
    """

    num_points: int = 512
    rotation: Literal["none", "vertical", "any"] = "any"
    stretch: float = 1.3
    noise: float = 0.0
    density_ratio: float = 1.0
    missing: float = 0.0
    normals: bool = False

    def __post_init__(self) -> None:
        integer("num_points", self.num_points, minimum=1)
        choice("rotation", self.rotation, _ROTATIONS)
        number("stretch", self.stretch, minimum=1)
        number("noise", self.noise, minimum=0)
        number("density_ratio", self.density_ratio, minimum=1)
        if not 0 <= number("missing", self.missing) <= 0.9:
            raise ValueError(f"missing must be from 0 to 0.9, got {self.missing:g}")


class SurfacePoints(PointDataset):
    """Generated clouds; a cloud follows from ``seed``, ``part`` and its index alone, and is kept once it was made.

    Cloud ``index`` is of class ``index % 10``. Proportions, stretch and pose, points, and noise each have random
    numbers of their own: the same seed under other options gives the same surfaces.

    Args:
        size: number of clouds.
        options: how they are sampled.
        seed: of all random numbers.
        part: number of the independent set of clouds that belongs to the seed.
    """

    def __init__(self, size: int, options: SurfaceOptions | None = None, seed: int = 0, part: int = 0) -> None:
        super().__init__(np.arange(size) % len(SURFACE_CLASSES))
        self.options = options or SurfaceOptions()
        self.seed = seed
        self.part = part
        self._made: dict[int, PointSample] = {}

    def __getitem__(self, index: int) -> PointSample:
        if not 0 <= index < len(self):
            raise IndexError(f"index must be from 0 to {len(self) - 1}, got {index}")
        if index not in self._made:
            self._made[index] = self._make(index)
        return self._made[index]

    def _make(self, index: int) -> PointSample:
        options, label = self.options, int(self.labels[index])
        root = np.random.default_rng((_SURFACE_STREAM, self.seed, self.part, index))
        of_shape, of_points, of_noise = root.spawn(3)
        pieces = SURFACE_CLASSES[label].draw(of_shape)
        stretch = np.exp(math.log(options.stretch) * of_shape.uniform(-1, 1, 3))
        turn = _pose(options.rotation, of_shape)
        surface = sample_view(pieces, options.num_points, of_points, stretch, options.density_ratio, options.missing)
        positions = to_unit_sphere(surface.positions @ turn.T)
        if options.noise > 0:
            positions = to_unit_sphere(positions + of_noise.normal(0, options.noise, positions.shape))
        return PointSample(
            positions.astype(np.float32),
            label=label,
            features=(surface.normals @ turn.T).astype(np.float32) if options.normals else None,
            parts=surface.parts + CLASS_PARTS[label][0],
            name=f"{CLASS_NAMES[label]}/{index}",
            has_normals=options.normals,
        )


class SurfacesDataModule(PointDataModule):
    """Generated analytic surfaces, ten classes and sixteen parts: point clouds at hand without a download.

    The classes are ellipsoid, box, cylinder, cone, pyramid, torus, capsule, dome, spring and Moebius band, of random
    proportions, sampled uniformly by area and normalised to the unit sphere. They are equally frequent.

    Args:
        surface: how training, validation and test clouds are sampled.
        test_surface: how test clouds are sampled instead, to test robustness; the surfaces stay the same.
        num_train: training clouds.
        num_val: validation clouds.
        num_test: test clouds.
        seed: of the surfaces; it does not depend on the training's seed.
        **loading: arguments of :class:`~datamodules.points.module.PointDataModule`.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of range.
    """

    def __init__(
        self,
        surface: SurfaceOptions | None = None,
        test_surface: SurfaceOptions | None = None,
        num_train: int = 1000,
        num_val: int = 200,
        num_test: int = 500,
        seed: int = 0,
        **loading: Any,
    ) -> None:
        super().__init__(**loading)
        self.surface = surface or SurfaceOptions()
        self.test_surface = test_surface or self.surface
        self.num_train = integer("num_train", num_train, minimum=1)
        self.num_val = integer("num_val", num_val, minimum=1)
        self.num_test = integer("num_test", num_test, minimum=1)
        self.seed = integer("seed", seed, minimum=0)

    def load_sources(self) -> PointSources:
        """Return the three independent sets; their clouds are made when they are asked for."""
        return PointSources(
            train=SurfacePoints(self.num_train, self.surface, self.seed, _TRAIN),
            val=SurfacePoints(self.num_val, self.surface, self.seed, _VAL),
            test=SurfacePoints(self.num_test, self.test_surface, self.seed, _TEST),
            class_names=CLASS_NAMES,
            part_names=PART_NAMES,
            class_parts=CLASS_PARTS,
        )


def _pose(rotation: str, generator: np.random.Generator) -> Array:
    if rotation == "none":
        return np.eye(3)
    return random_rotation("z" if rotation == "vertical" else "any", generator)
