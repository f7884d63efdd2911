"""Ten kinds of closed and open surface, each with its parts and the range of its proportions."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from datamodules.points.surface_patches import Frustum, MoebiusBand, Patch, SphereZone, TriangleMesh, Tube

Pieces = tuple[tuple[Patch, int], ...]  # patches with the number of their part within the class


@dataclass(frozen=True)
class SurfaceClass:
    """A kind of surface.

    Args:
        name: of the class.
        parts: names of its parts.
        proportions: argument of ``build`` -> range it is drawn from, uniformly.
        build: makes the pieces from the proportions; the z axis is the surface's own axis.
    """

    name: str
    parts: tuple[str, ...]
    proportions: Mapping[str, tuple[float, float]]
    build: Callable[..., Pieces]

    def draw(self, generator: np.random.Generator) -> Pieces:
        """Build a surface of random proportions."""
        return self.build(**{name: generator.uniform(*limits) for name, limits in self.proportions.items()})


def _ellipsoid() -> Pieces:
    return ((SphereZone(1, -1, 1), 0),)  # the random stretch makes it an ellipsoid


def _box(width: float, height: float) -> Pieces:
    corner = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * [1, width, height] / 2
    sides = [(0, 4, 5), (0, 5, 1), (4, 6, 7), (4, 7, 5), (6, 2, 3), (6, 3, 7), (2, 0, 1), (2, 1, 3)]
    ends = [(0, 2, 6), (0, 6, 4), (1, 5, 7), (1, 7, 3)]
    return (TriangleMesh(corner, np.array(sides)), 0), (TriangleMesh(corner, np.array(ends)), 1)


def _cylinder(height: float) -> Pieces:
    top = height / 2
    return (
        (Frustum((1, -top), (1, top)), 0),
        (Frustum((0, -top), (1, -top)), 1),
        (Frustum((1, top), (0, top)), 1),
    )


def _cone(height: float) -> Pieces:
    return (Frustum((1, 0), (0, height)), 0), (Frustum((0, 0), (1, 0)), 1)


def _pyramid(height: float) -> Pieces:
    corner = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0], [0, 0, height]], dtype=np.float64)
    sides = [(0, 1, 4), (1, 2, 4), (2, 3, 4), (3, 0, 4)]
    return (TriangleMesh(corner, np.array(sides)), 0), (TriangleMesh(corner, np.array([(0, 2, 1), (0, 3, 2)])), 1)


def _torus(thickness: float) -> Pieces:
    return ((Tube(thickness), 0),)


def _capsule(length: float) -> Pieces:
    half = length / 2
    return (
        (Frustum((1, -half), (1, half)), 0),
        (SphereZone(1, -1, 0, center=-half), 1),
        (SphereZone(1, 0, 1, center=half), 1),
    )


def _dome(cut: float) -> Pieces:
    return (SphereZone(1, cut, 1), 0), (Frustum((0, cut), (math.sqrt(1 - cut**2), cut)), 1)


def _spring(turns: float, rise: float, thickness: float) -> Pieces:
    return ((Tube(thickness, turns, rise), 0),)


def _moebius(half_width: float) -> Pieces:
    return ((MoebiusBand(half_width), 0),)


SURFACE_CLASSES = (
    SurfaceClass("ellipsoid", ("surface",), {}, _ellipsoid),
    SurfaceClass("box", ("sides", "ends"), {"width": (0.6, 1.2), "height": (0.6, 1.8)}, _box),
    SurfaceClass("cylinder", ("side", "caps"), {"height": (1.2, 3.0)}, _cylinder),
    SurfaceClass("cone", ("side", "base"), {"height": (1.2, 2.6)}, _cone),
    SurfaceClass("pyramid", ("sides", "base"), {"height": (1.2, 2.6)}, _pyramid),
    SurfaceClass("torus", ("surface",), {"thickness": (0.2, 0.5)}, _torus),
    SurfaceClass("capsule", ("side", "caps"), {"length": (0.8, 2.4)}, _capsule),
    SurfaceClass("dome", ("shell", "base"), {"cut": (-0.2, 0.4)}, _dome),
    SurfaceClass("spring", ("surface",), {"turns": (1.6, 3.0), "rise": (0.5, 0.9), "thickness": (0.1, 0.2)}, _spring),
    SurfaceClass("moebius", ("surface",), {"half_width": (0.25, 0.5)}, _moebius),
)
CLASS_NAMES = tuple(kind.name for kind in SURFACE_CLASSES)
PART_NAMES = tuple(f"{kind.name} {part}" for kind in SURFACE_CLASSES for part in kind.parts)
_FIRST_PART = np.cumsum([0, *(len(kind.parts) for kind in SURFACE_CLASSES)]).tolist()
CLASS_PARTS = tuple(tuple(range(first, end)) for first, end in pairwise(_FIRST_PART))
