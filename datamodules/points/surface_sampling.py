"""Points of a stretched surface: uniform by area, or denser at one end, or of one side only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from datamodules.points.surface_classes import Pieces
from datamodules.points.surface_patches import Array

_ENDS = 500  # points that say where a surface begins and ends along a direction
_SURPLUS = 1.2  # proposals per point still missing, divided by the acceptance met so far


class Surface(NamedTuple):
    """Sampled points."""

    positions: Array  # (n, 3)
    normals: Array  # (n, 3)
    parts: NDArray[np.int64]  # (n,)

    def take(self, points: NDArray[Any]) -> Surface:
        """Return the points chosen by an index or boolean array."""
        return Surface(*(column[points] for column in self))


def sample_surface(pieces: Pieces, count: int, generator: np.random.Generator, stretch: Array) -> Surface:
    """Draw points uniformly by area from a surface stretched along its axes.

    A stretch S multiplies the area around a point of normal n by det(S) |S^-1 n|, at most det(S) / min(S): a point is
    kept with the ratio of both as its probability.

    Args:
        pieces: the surface before the stretch.
        count: number of points.
        generator: of the random numbers.
        stretch: factors ``(3,)``, positive.
    """
    bounds = np.array([patch.area_bound for patch, _ in pieces])

    def propose(size: int) -> tuple[Surface, Array]:
        sizes = generator.multinomial(size, bounds / bounds.sum())
        proposals = [patch.propose(share, generator) for (patch, _), share in zip(pieces, sizes, strict=True)]
        positions, normals, weight = (np.concatenate(column) for column in zip(*proposals, strict=True))
        parts = np.repeat([part for _, part in pieces], sizes)
        stretched = normals / stretch
        growth = np.linalg.norm(stretched, axis=1)
        surface = Surface(positions * stretch, stretched / growth[:, None], parts)
        return surface, weight * growth * stretch.min()

    return _collect(propose, count, generator)


def sample_view(
    pieces: Pieces, count: int, generator: np.random.Generator, stretch: Array, density_ratio: float, missing: float
) -> Surface:
    """Draw points as a scanner might: denser at one end, and none from a side cut off by a plane.

    The density falls exponentially along a random direction, by ``density_ratio`` from end to end. The cut is
    perpendicular to another random direction and takes the share ``missing`` of all points.
    """
    whole = round(count / (1 - missing))
    if density_ratio == 1:
        surface = sample_surface(pieces, whole, generator, stretch)
    else:
        along = _direction(generator)
        ends = sample_surface(pieces, _ENDS, generator, stretch).positions @ along
        low, extent = ends.min(), np.ptp(ends)

        def propose(size: int) -> tuple[Surface, Array]:
            surface = sample_surface(pieces, size, generator, stretch)
            return surface, density_ratio ** -np.clip((surface.positions @ along - low) / extent, 0, 1)

        surface = _collect(propose, whole, generator)
    heights = surface.positions @ _direction(generator)
    return surface.take(np.sort(np.argsort(heights)[:count]))


def _collect(propose: Callable[[int], tuple[Surface, Array]], count: int, generator: np.random.Generator) -> Surface:
    """Keep each proposed point with the probability proposed with it, until there are ``count``."""
    found: list[Surface] = []
    missing, acceptance = count, 0.5
    while missing > 0:
        size = int(_SURPLUS * missing / acceptance) + 16
        surface, weight = propose(size)
        kept = generator.permutation(np.flatnonzero(generator.random(size) < weight))[:missing]
        found.append(surface.take(kept))
        missing -= len(kept)
        acceptance = max(float(weight.mean()), 0.01)
    return Surface(*(np.concatenate(column) for column in zip(*found, strict=True)))


def _direction(generator: np.random.Generator) -> Array:
    vector = generator.normal(size=3)
    return vector / np.linalg.norm(vector)
