"""Pieces of analytic surface that can be sampled uniformly by area: meshes, frusta, spherical zones, tubes, bands."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Proposal(NamedTuple):
    """Points of a patch; kept with probability ``weight`` each, they are uniform by area."""

    positions: Array  # (n, 3)
    normals: Array  # (n, 3), unit length
    weight: Array  # (n,), from 0 to 1


class Patch(Protocol):
    """A piece of surface: an upper bound of its area, and a proposal whose acceptance turns the bound into the area."""

    @property
    def area_bound(self) -> float:
        """The area, divided by the mean weight of proposals."""

    def propose(self, count: int, generator: np.random.Generator) -> Proposal:
        """Draw ``count`` points."""


@dataclass(frozen=True, eq=False)
class TriangleMesh:
    """Flat triangles.

    Args:
        vertices: ``(v, 3)`` float64.
        triangles: ``(t, 3)`` int64, rows of ``vertices``, counter-clockwise seen from outside.
    """

    vertices: Array
    triangles: NDArray[np.int64]

    @cached_property
    def normals(self) -> Array:
        """Normal of every triangle, as long as twice its area."""
        corners = self.vertices[self.triangles]
        return np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])

    @cached_property
    def areas(self) -> Array:
        """Area of every triangle."""
        return np.linalg.norm(self.normals, axis=1) / 2

    @property
    def area_bound(self) -> float:
        """The area."""
        return float(self.areas.sum())

    def propose(self, count: int, generator: np.random.Generator) -> Proposal:
        """Draw a triangle by its area, then a point of it: a sqrt(u) b + (1 - sqrt(u)) a, likewise towards c."""
        chosen = generator.choice(len(self.areas), count, p=self.areas / self.areas.sum())
        corners = self.vertices[self.triangles[chosen]]  # (n, 3 corners, 3)
        root, along = np.sqrt(generator.random(count)), generator.random(count)
        shares = np.stack([1 - root, root * (1 - along), root * along], axis=1)
        normals = self.normals[chosen] / (2 * self.areas[chosen, None])
        return Proposal(np.einsum("nc,ncx->nx", shares, corners), normals, np.ones(count))


@dataclass(frozen=True)
class Frustum:
    """What a straight line from ``(radius, height)`` to ``(radius, height)`` sweeps around the z axis.

    Cylinders, cones and discs are cases. Normals point outwards if the line goes from the axis at the bottom outwards
    and up: a bottom disc from radius 0, a top disc to radius 0.
    """

    start: tuple[float, float]
    end: tuple[float, float]

    @property
    def area_bound(self) -> float:
        """The area, pi (r0 + r1) times the line's length."""
        return math.pi * (self.start[0] + self.end[0]) * math.dist(self.start, self.end)

    def propose(self, count: int, generator: np.random.Generator) -> Proposal:
        """Draw an angle, and a place on the line with a density that grows with the radius."""
        (r0, z0), (r1, z1) = self.start, self.end
        uniform = generator.random(count)
        radius = np.sqrt(r0**2 + uniform * (r1**2 - r0**2))
        along = uniform if r0 == r1 else (radius - r0) / (r1 - r0)
        length = math.dist(self.start, self.end)
        angle = generator.uniform(0, 2 * math.pi, count)
        positions = _around_axis(radius, angle, z0 + along * (z1 - z0))
        normals = _around_axis(np.full(count, (z1 - z0) / length), angle, np.full(count, (r0 - r1) / length))
        return Proposal(positions, normals, np.ones(count))


@dataclass(frozen=True)
class SphereZone:
    """The part of a sphere around ``(0, 0, center)`` between two heights above its centre."""

    radius: float
    low: float
    high: float
    center: float = 0.0

    @property
    def area_bound(self) -> float:
        """The area, 2 pi r (high - low)."""
        return 2 * math.pi * self.radius * (self.high - self.low)

    def propose(self, count: int, generator: np.random.Generator) -> Proposal:
        """Draw angle and height uniformly (Archimedes' hat-box theorem)."""
        height = generator.uniform(self.low, self.high, count)
        angle = generator.uniform(0, 2 * math.pi, count)
        offsets = _around_axis(np.sqrt(self.radius**2 - height**2), angle, height)
        center = np.array([0, 0, self.center])
        return Proposal(center + offsets, offsets / self.radius, np.ones(count))


@dataclass(frozen=True)
class Tube:
    """A tube around a helix about the z axis, without ends; one turn without rise is a torus.

    The helix has radius 1. The area element is thickness (1 - thickness * curvature * cos v) per length and angle v.

    Args:
        thickness: radius of the tube; smaller than that of the helix's curvature.
        turns: number of turns.
        rise: height of a turn.
    """

    thickness: float
    turns: float = 1.0
    rise: float = 0.0

    @property
    def _slope(self) -> float:
        return self.rise / (2 * math.pi)

    @property
    def _bend(self) -> float:
        return self.thickness / (1 + self._slope**2)  # thickness times curvature

    @property
    def area_bound(self) -> float:
        """Circumference times length, as if the whole tube were as long as its outer side."""
        length = 2 * math.pi * self.turns * math.hypot(1, self._slope)
        return 2 * math.pi * self.thickness * length * (1 + self._bend)

    def propose(self, count: int, generator: np.random.Generator) -> Proposal:
        """Draw a place on the helix and an angle around it."""
        turn = 2 * math.pi * self.turns
        angle = generator.uniform(0, turn, count)
        around = generator.uniform(0, 2 * math.pi, count)
        slope, speed = self._slope, math.hypot(1, self._slope)
        inward = _around_axis(np.full(count, -1.0), angle, np.zeros(count))
        binormal = np.stack([slope * np.sin(angle), -slope * np.cos(angle), np.ones(count)], axis=1) / speed
        normals = np.cos(around)[:, None] * inward + np.sin(around)[:, None] * binormal
        helix = _around_axis(np.ones(count), angle, slope * (angle - turn / 2))
        weight = (1 - self._bend * np.cos(around)) / (1 + self._bend)
        return Proposal(helix + self.thickness * normals, normals, weight)


@dataclass(frozen=True)
class MoebiusBand:
    """A band of half-width ``half_width`` that turns by half around the unit circle.

    Point (u, t) is ``(s cos u, s sin u, t sin(u/2))``, s = 1 + t cos(u/2); its area element sqrt(s^2 + t^2 / 4).
    """

    half_width: float

    @property
    def area_bound(self) -> float:
        """The parameters' rectangle times the largest area element."""
        return 4 * math.pi * self.half_width * self._largest

    @property
    def _largest(self) -> float:
        return math.hypot(1 + self.half_width, self.half_width / 2)

    def propose(self, count: int, generator: np.random.Generator) -> Proposal:
        """Draw both parameters uniformly."""
        u = generator.uniform(0, 2 * math.pi, count)
        t = generator.uniform(-self.half_width, self.half_width, count)
        s = 1 + t * np.cos(u / 2)
        across = _around_axis(np.cos(u / 2), u, np.sin(u / 2))  # derivative by t
        along = _around_axis(s, u + math.pi / 2, t * np.cos(u / 2) / 2)
        along += _around_axis(-t * np.sin(u / 2) / 2, u, np.zeros(count))  # derivative by u
        normals = np.cross(along, across)
        element = np.linalg.norm(normals, axis=1)
        return Proposal(_around_axis(s, u, t * np.sin(u / 2)), normals / element[:, None], element / self._largest)


def _around_axis(radius: Array, angle: Array, height: Array) -> Array:
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), height], axis=1)
