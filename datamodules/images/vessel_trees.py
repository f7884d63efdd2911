"""Random branching trees of vessels in the plane: discs along smooth curves that taper and split."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

Array = NDArray[np.float64]

_STEP = 0.5  # pixels between neighbouring discs
_LEAST_RADIUS = 0.6  # pixels; thinner branches are not drawn
_TAPER = 0.9  # radius at a branch's end over that at its start
_TURN_MEMORY = 0.98  # of the curvature, from step to step
_TURN_NOISE = 0.003  # radians per step, each step
_BRANCH_LENGTH = (20.0, 9.0)  # mean length in pixels: so many, and so many per pixel of radius
_MAX_DISCS = 20_000  # of a tree; far above what fits on a photograph


@dataclass(frozen=True, eq=False)
class Discs:
    """Discs whose union is a set of vessels.

    Shape:
        centers ``(n, 2)`` as row and column, radii ``(n,)`` in pixels, contrast ``(n,)`` from 0 to 1.
    """

    centers: Array
    radii: Array
    contrast: Array


@dataclass(frozen=True)
class _Start:
    """Where a branch begins: its position, direction in radians, and radius."""

    row: float
    column: float
    heading: float
    radius: float


def grow_trees(size: tuple[int, int], count: int, generator: np.random.Generator) -> Discs:
    """Grow ``count`` trees that enter a frame of ``size`` pixels from its border.

    A branch curves at random and tapers; at its end it splits in two with r^3 = r_1^3 + r_2^3 (Murray's law), the
    thinner one turning further away. It ends where it leaves the frame or becomes thinner than a pixel.
    """
    trees = [_grow(size, _root(size, generator), generator) for _ in range(count)]
    contrast = generator.uniform(0.2, 0.8, count)
    return Discs(
        np.concatenate([centers for centers, _ in trees]) if trees else np.zeros((0, 2)),
        np.concatenate([radii for _, radii in trees]) if trees else np.zeros(0),
        np.repeat(contrast, [len(radii) for _, radii in trees]),
    )


def scatter_spots(size: tuple[int, int], count: int, generator: np.random.Generator) -> Discs:
    """Place ``count`` single discs, dark spots that are no vessels."""
    centers = generator.uniform(0, 1, (count, 2)) * size
    return Discs(centers, generator.uniform(1.5, 4.0, count), generator.uniform(0.2, 0.8, count))


def _root(size: tuple[int, int], generator: np.random.Generator) -> _Start:
    bottom, right = size[0] - 1.0, size[1] - 1.0
    along = generator.uniform(0, 2 * (bottom + right))
    if along < 2 * right:
        on_top = along < right
        row, column, inward = (0.0, along, math.pi / 2) if on_top else (bottom, along - right, -math.pi / 2)
    else:
        on_left = along < 2 * right + bottom
        down = along - 2 * right
        row, column, inward = (down, 0.0, 0.0) if on_left else (down - bottom, right, math.pi)
    return _Start(row, column, inward + generator.uniform(-0.9, 0.9), generator.uniform(1.2, 3.6))


def _grow(size: tuple[int, int], root: _Start, generator: np.random.Generator) -> tuple[Array, Array]:
    centers, radii, waiting, total = [], [], [root], 0
    while waiting and total < _MAX_DISCS:
        start = waiting.pop()
        positions, headings, widths = _branch(start, generator)
        outside = ((positions < 0) | (positions > np.array(size) - 1)).any(axis=1)
        length = int(outside.argmax()) if outside.any() else len(positions)
        centers.append(positions[:length])
        radii.append(widths[:length])
        total += length
        if length == len(positions):
            waiting += _split(positions[-1], float(headings[-1]), float(widths[-1]), generator)
    return np.concatenate(centers), np.concatenate(radii)


def _branch(start: _Start, generator: np.random.Generator) -> tuple[Array, Array, Array]:
    base, per_radius = _BRANCH_LENGTH
    length = (base + per_radius * start.radius) * generator.uniform(0.5, 1.5)
    steps = max(2, round(length / _STEP))
    pushes = generator.normal(0, _TURN_NOISE, steps)
    headings = start.heading + np.cumsum(lfilter([1.0], [1.0, -_TURN_MEMORY], pushes))
    moves = _STEP * np.stack([np.sin(headings), np.cos(headings)], axis=1)
    moves[0] = 0
    positions = np.array([start.row, start.column]) + np.cumsum(moves, axis=0)
    return positions, headings, np.linspace(start.radius, _TAPER * start.radius, steps)


def _split(position: Array, heading: float, radius: float, generator: np.random.Generator) -> list[_Start]:
    share = generator.uniform(0.5, 0.9)  # of the flow that the thicker branch takes
    side = generator.choice((-1.0, 1.0))
    branches = []
    for part, turn in ((share, -side), (1 - share, side)):
        angle = turn * generator.uniform(0.5, 1.1) * (1 - part)
        child = radius * part ** (1 / 3)
        if child >= _LEAST_RADIUS:
            branches.append(_Start(float(position[0]), float(position[1]), heading + angle, child))
    return branches
