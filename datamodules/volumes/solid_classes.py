"""Eight solids of equal volume, each as a test whether points lie inside."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Solid:
    """A solid with the volume of the unit ball, about the origin.

    Args:
        name: of its class.
        inside: points ``(3, n)`` -> whether each lies inside.
        reach: radius of a ball about the origin that holds it.
    """

    name: str
    inside: Callable[[Array], NDArray[np.bool_]]
    reach: float


_BALL_VOLUME = 4 * np.pi / 3
_CUBE = (_BALL_VOLUME / 8) ** (1 / 3)  # half a side
_CYLINDER = (_BALL_VOLUME / (4 * np.pi)) ** (1 / 3)  # radius of a cylinder twice as high as wide
_DISC = (_BALL_VOLUME / (2 * np.pi / 3)) ** (1 / 3)  # radius of a cylinder a third as high as wide
_CONE = (_BALL_VOLUME / (2 * np.pi / 3)) ** (1 / 3)  # radius and half the height
_TUBE = 0.4  # radius of a torus' tube over that of its ring
_RING = (_BALL_VOLUME / (2 * np.pi**2 * _TUBE**2)) ** (1 / 3)
_TETRAHEDRON = (_BALL_VOLUME / (8 / 3)) ** (1 / 3)  # half a side of the cube whose corners it takes
_BAR = (_BALL_VOLUME / 56) ** (1 / 3)  # half the width of a cross' three bars, which are three times as long
_CORNERS = np.array([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])


def _ball(points: Array) -> NDArray[np.bool_]:
    return (points**2).sum(axis=0) <= 1


def _cube(points: Array) -> NDArray[np.bool_]:
    return np.abs(points).max(axis=0) <= _CUBE


def _cylinder(points: Array) -> NDArray[np.bool_]:
    return (np.hypot(points[1], points[2]) <= _CYLINDER) & (np.abs(points[0]) <= 2 * _CYLINDER)


def _disc(points: Array) -> NDArray[np.bool_]:
    return (np.hypot(points[1], points[2]) <= _DISC) & (np.abs(points[0]) <= _DISC / 3)


def _cone(points: Array) -> NDArray[np.bool_]:
    height = points[0]  # from -_CONE, the base, to _CONE, the tip
    return (np.hypot(points[1], points[2]) <= (_CONE - height) / 2) & (height >= -_CONE)


def _torus(points: Array) -> NDArray[np.bool_]:
    return np.hypot(np.hypot(points[1], points[2]) - _RING, points[0]) <= _TUBE * _RING


def _tetrahedron(points: Array) -> NDArray[np.bool_]:
    return (-_CORNERS @ points).max(axis=0) <= _TETRAHEDRON


def _cross(points: Array) -> NDArray[np.bool_]:
    lengths = np.sort(np.abs(points), axis=0)
    return (lengths[1] <= _BAR) & (lengths[2] <= 3 * _BAR)


SOLIDS = (
    Solid("ball", _ball, 1.0),
    Solid("cube", _cube, 3**0.5 * _CUBE),
    Solid("cylinder", _cylinder, 5**0.5 * _CYLINDER),
    Solid("disc", _disc, 10**0.5 / 3 * _DISC),
    Solid("cone", _cone, 2**0.5 * _CONE),
    Solid("torus", _torus, (1 + _TUBE) * _RING),
    Solid("tetrahedron", _tetrahedron, 3**0.5 * _TETRAHEDRON),
    Solid("cross", _cross, 11**0.5 * _BAR),
)
REACH = max(solid.reach for solid in SOLIDS)
