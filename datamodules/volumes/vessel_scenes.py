"""Random branching trees of vessels in space: balls along smooth curves that taper and split."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

Array = NDArray[np.float64]

_STEP = 0.5  # millimetres between neighbouring balls
_ROOT_RADIUS = (1.4, 2.4)  # millimetres
_LEAST_RADIUS = 0.6  # millimetres; thinner branches are not drawn
_TAPER = 0.9  # radius at a branch's end over that at its start
_TURN_MEMORY = 0.94  # of the curvature, from step to step
_TURN_NOISE = 0.017  # radians per step, each step
_BRANCH_LENGTH = (4.0, 2.0)  # mean length in millimetres: so many, and so many per millimetre of radius
_MAX_BALLS = 20_000  # of a tree; far above what fits


@dataclass(frozen=True, eq=False)
class Balls:
    """Balls whose union is a tree of vessels, or a set of blobs.

    Shape:
        centers ``(n, 3)`` as z, y, x in millimetres from the middle of the field, radii ``(n,)`` in millimetres.
    """

    centers: Array
    radii: Array


@dataclass(frozen=True, eq=False)
class _Start:
    """Where a branch begins: its position, its unit direction, and its radius."""

    position: Array
    heading: Array
    radius: float


def grow_tree(field: tuple[float, float, float], generator: np.random.Generator) -> Balls:
    """Grow one tree that enters a box of ``field`` millimetres from one of its faces.

    A branch curves at random and tapers; at its end it splits in two with r^3 = r_1^3 + r_2^3 (Murray's law), the
    thinner one turning further away. It ends where it leaves the box or becomes thinner than 0.6 mm.
    """
    half = np.divide(field, 2)
    centers, radii, waiting, total = [], [], [_root(half, generator)], 0
    while waiting and total < _MAX_BALLS:
        start = waiting.pop()
        positions, heading, widths = _branch(start, generator)
        outside = (np.abs(positions) > half + 1e-9).any(axis=1)
        length = int(outside.argmax()) if outside.any() else len(positions)
        centers.append(positions[:length])
        radii.append(widths[:length])
        total += length
        if length == len(positions):
            waiting += _split(positions[-1], heading, float(widths[-1]), generator)
    return Balls(np.concatenate(centers), np.concatenate(radii))


def scatter_blobs(field: tuple[float, float, float], count: int, generator: np.random.Generator) -> Balls:
    """Place ``count`` single balls as wide as vessels, which are none."""
    return Balls(generator.uniform(-0.5, 0.5, (count, 3)) * field, generator.uniform(0.8, _ROOT_RADIUS[1], count))


def _root(half: Array, generator: np.random.Generator) -> _Start:
    axis, side = int(generator.integers(3)), float(generator.choice((-1.0, 1.0)))
    position = generator.uniform(-0.7, 0.7, 3) * half
    position[axis] = side * half[axis]
    heading = generator.normal(0, 0.35, 3)
    heading[axis] = -side
    return _Start(position, heading / np.linalg.norm(heading), generator.uniform(*_ROOT_RADIUS))


def _branch(start: _Start, generator: np.random.Generator) -> tuple[Array, Array, Array]:
    base, per_radius = _BRANCH_LENGTH
    steps = max(2, round((base + per_radius * start.radius) * generator.uniform(0.5, 1.5) / _STEP))
    pushes = generator.normal(0, _TURN_NOISE, (steps, 3))
    headings = start.heading + np.cumsum(lfilter([1.0], [1.0, -_TURN_MEMORY], pushes, axis=0), axis=0)
    headings /= np.linalg.norm(headings, axis=1, keepdims=True)
    moves = _STEP * headings
    moves[0] = 0
    return (
        start.position + np.cumsum(moves, axis=0),
        headings[-1],
        np.linspace(start.radius, _TAPER * start.radius, steps),
    )


def _split(position: Array, heading: Array, radius: float, generator: np.random.Generator) -> list[_Start]:
    share = generator.uniform(0.5, 0.9)  # of the flow that the thicker branch takes
    sideways = np.cross(heading, generator.normal(size=3))
    sideways /= np.linalg.norm(sideways)
    branches = []
    for part, side in ((share, -1.0), (1 - share, 1.0)):
        angle = side * generator.uniform(0.7, 1.4) * (1 - part)
        child = radius * part ** (1 / 3)
        if child >= _LEAST_RADIUS:
            branches.append(_Start(position, math.cos(angle) * heading + math.sin(angle) * sideways, child))
    return branches
