"""Changes to a point cloud: ``transform(sample, generator) -> sample``, random or not."""

import math
from dataclasses import replace
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from datamodules.points.types import FloatArray, PointSample
from lpsc_nd._checks import choice, integer, number

Axis = Literal["x", "y", "z", "any"]


class NormalizeToUnitSphere:
    """Moves the mean to the origin and scales the farthest point to distance 1; a cloud of one place only moves."""

    def __call__(self, sample: PointSample, generator: np.random.Generator) -> PointSample:
        """Return the cloud in the unit sphere."""
        return replace(sample, positions=to_unit_sphere(sample.positions).astype(np.float32))


class RandomRotation:
    """Turns the cloud, and its normals, by a random angle about an axis or to any pose.

    Args:
        axis: the axis to turn about; "any" draws uniformly from all rotations. Which axis points upwards differs
            between data sets.

    Raises:
        ValueError: ``axis`` is unknown.
    """

    def __init__(self, axis: Axis = "any") -> None:
        self.axis: Axis = cast(Axis, choice("axis", axis, ("x", "y", "z", "any")))

    def __call__(self, sample: PointSample, generator: np.random.Generator) -> PointSample:
        """Return the cloud turned."""
        matrix = random_rotation(self.axis, generator)
        positions = (sample.positions @ matrix.T).astype(np.float32)
        return replace(sample, positions=positions, features=_turned_normals(sample, matrix))


class RandomScale:
    """Multiplies the coordinates by a random factor.

    Args:
        low: least factor.
        high: greatest factor.
        anisotropic: draw one factor per axis; normals then stay normal to the stretched surface.

    Raises:
        ValueError: ``0 < low <= high`` does not hold.
    """

    def __init__(self, low: float = 0.8, high: float = 1.25, anisotropic: bool = False) -> None:
        self.low = number("low", low, above=0)
        self.high = number("high", high, minimum=self.low)
        self.anisotropic = anisotropic

    def __call__(self, sample: PointSample, generator: np.random.Generator) -> PointSample:
        """Return the cloud scaled."""
        factors = np.broadcast_to(generator.uniform(self.low, self.high, 3 if self.anisotropic else 1), 3)
        positions = (sample.positions * factors).astype(np.float32)
        return replace(sample, positions=positions, features=_turned_normals(sample, np.diag(1 / factors)))


class Jitter:
    """Adds normal noise to every coordinate.

    Args:
        sigma: standard deviation.
        clip: largest shift along an axis; None for any.

    Raises:
        ValueError: ``sigma`` or ``clip`` is negative.
    """

    def __init__(self, sigma: float = 0.01, clip: float | None = 0.05) -> None:
        self.sigma = number("sigma", sigma, minimum=0)
        self.clip = math.inf if clip is None else number("clip", clip, minimum=0)

    def __call__(self, sample: PointSample, generator: np.random.Generator) -> PointSample:
        """Return the cloud with noise."""
        noise = generator.normal(0, self.sigma, sample.positions.shape).clip(-self.clip, self.clip)
        return replace(sample, positions=(sample.positions + noise).astype(np.float32))


class PointDropout:
    """Leaves out a random share of the points, itself uniform from 0 to ``max_ratio``; at least one point stays.

    Args:
        max_ratio: greatest share left out, below 1.

    Raises:
        ValueError: ``max_ratio`` is out of range.
    """

    def __init__(self, max_ratio: float = 0.5) -> None:
        self.max_ratio = number("max_ratio", max_ratio, minimum=0)
        if self.max_ratio >= 1:
            raise ValueError(f"max_ratio must be less than 1, got {self.max_ratio:g}")

    def __call__(self, sample: PointSample, generator: np.random.Generator) -> PointSample:
        """Return a part of the cloud."""
        kept = generator.random(sample.num_points) >= generator.uniform(0, self.max_ratio)
        kept[generator.integers(sample.num_points)] = True
        return sample.select(kept)


class Subsample:
    """Keeps ``num_points`` random points, none of them twice.

    Args:
        num_points: how many.
        allow_fewer: pass clouds that have fewer points unchanged instead of refusing them.

    Raises:
        ValueError: ``num_points`` is below 1; when called, the cloud has fewer points.
    """

    def __init__(self, num_points: int, allow_fewer: bool = False) -> None:
        self.num_points = integer("num_points", num_points, minimum=1)
        self.allow_fewer = allow_fewer

    def __call__(self, sample: PointSample, generator: np.random.Generator) -> PointSample:
        """Return ``num_points`` points of the cloud."""
        if sample.num_points < self.num_points:
            if self.allow_fewer:
                return sample
            raise ValueError(
                f"num_points is {self.num_points}, but cloud {sample.name!r} has {sample.num_points} points;"
                " choose fewer, or allow_fewer=True"
            )
        return sample.select(generator.choice(sample.num_points, self.num_points, replace=False))


def random_rotation(axis: Axis, generator: np.random.Generator) -> NDArray[np.float64]:
    """Draw a rotation matrix: by a uniform angle about ``axis``, or uniform among all rotations for "any"."""
    if axis == "any":
        return Rotation.from_quat(generator.normal(size=4)).as_matrix()
    return Rotation.from_euler(axis, generator.uniform(0, 2 * math.pi)).as_matrix()


def to_unit_sphere(positions: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return positions moved to mean zero and divided by the greatest distance from there, unless it is zero."""
    wide = positions.astype(np.float64)
    centered = wide - wide.mean(axis=0)
    radius = np.linalg.norm(centered, axis=1).max()
    return centered / radius if radius > 0 else centered


def _turned_normals(sample: PointSample, matrix: NDArray[np.float64]) -> FloatArray | None:
    """Apply ``matrix`` to the normals, if there are any, and give them unit length again."""
    if sample.features is None or not sample.has_normals:
        return sample.features
    features = sample.features.copy()
    turned = features[:, :3] @ matrix.T
    length = np.linalg.norm(turned, axis=1, keepdims=True)
    features[:, :3] = np.divide(turned, length, out=np.zeros_like(turned), where=length > 0)
    return features
