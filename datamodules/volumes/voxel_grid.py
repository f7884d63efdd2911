"""Voxels in physical space: where their middles lie, and how a scene is averaged over them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from lpsc_nd._checks import integers, numbers

Array = NDArray[np.float64]
T = TypeVar("T")

FIELD = 28.0  # millimetres: the side of a generated scene whose size is not given
_PITCH = 0.5  # millimetres at most between the points over which a voxel is averaged


@dataclass(frozen=True)
class VoxelGrid:
    """A box of voxels whose middle is the origin; a length is in millimetres, an axis order (z, y, x).

    Args:
        size: voxels along each axis.
        spacing: millimetres from voxel to voxel along each axis.
        field: side lengths of the box in which the scene is, about the same middle; the voxels may not quite fill it.

    >>> VoxelGrid((2, 1, 3), (3.0, 1.0, 1.0), (6.0, 1.0, 3.0)).middles()[0].tolist()
    [-1.5, 1.5]
    """

    size: tuple[int, int, int]
    spacing: tuple[float, float, float]
    field: tuple[float, float, float]

    @classmethod
    def of_field(cls, size: Any, spacing: Any) -> VoxelGrid:
        """Return a grid from arguments of users: one number or three each; ``size=None`` covers 28 mm.

        Raises:
            TypeError: an argument has the wrong type.
            ValueError: an argument is out of range.
        """
        z, y, x = numbers("spacing", spacing, 3, above=0)
        if size is None:
            depth, height, width = (max(1, round(FIELD / step)) for step in (z, y, x))
            return cls((depth, height, width), (z, y, x), (FIELD, FIELD, FIELD))
        depth, height, width = integers("size", size, 3, minimum=1)
        return cls((depth, height, width), (z, y, x), (depth * z, height * y, width * x))

    def middles(self) -> tuple[NDArray[np.floating[Any]], ...]:
        """Return the coordinates of the voxels' middles along each axis."""
        return tuple(
            (np.arange(count) - (count - 1) / 2) * step for count, step in zip(self.size, self.spacing, strict=True)
        )

    @property
    def parts(self) -> tuple[int, int, int]:
        """In how many parts to cut voxels along each axis so that none is longer than half a millimetre."""
        return _three(tuple(max(1, math.ceil(step / _PITCH)) for step in self.spacing))

    @property
    def odd_parts(self) -> tuple[int, int, int]:
        """As ``parts``, but odd numbers: the middle of a voxel is the middle of a part."""
        return _three(tuple(part + (part % 2 == 0) for part in self.parts))

    def divided(self, parts: tuple[int, int, int]) -> VoxelGrid:
        """Return a grid over the same box whose voxels are so many parts of these."""
        size = tuple(count * part for count, part in zip(self.size, parts, strict=True))
        spacing = tuple(step / part for step, part in zip(self.spacing, parts, strict=True))
        return VoxelGrid(_three(size), _three(spacing), self.field)

    def covered(self, center: Array, reach: float, inside: Callable[[Array], NDArray[np.bool_]]) -> Array:
        """Return which part of each voxel a body covers, looking only at voxels near it.

        Args:
            center: of the body.
            reach: radius of a ball about it that holds the body.
            inside: offsets from the center ``(3, n)`` -> whether each lies inside.
        """
        parts = self.parts
        fine = self.divided(parts)
        part = np.zeros(self.size)
        near = [
            np.flatnonzero(np.abs(middles - origin) <= reach + step / 2)
            for middles, origin, step in zip(self.middles(), center, self.spacing, strict=True)
        ]
        if any(len(places) == 0 for places in near):
            return part
        offsets = np.meshgrid(
            *(
                middles[count * places[0] : count * (places[-1] + 1)] - origin
                for middles, places, count, origin in zip(fine.middles(), near, parts, center, strict=True)
            ),
            indexing="ij",
        )
        hits = inside(np.stack(offsets).reshape(3, -1))
        part[np.ix_(*near)] = average(hits.reshape(offsets[0].shape), parts)
        return part


def average(values: NDArray[Any], parts: tuple[int, int, int]) -> Array:
    """Return the mean over blocks of ``parts`` voxels."""
    z, y, x = parts
    depth, height, width = values.shape
    blocks = values.reshape(depth // z, z, height // y, y, width // x, x)
    return blocks.mean(axis=(1, 3, 5), dtype=np.float64)


def middle(values: NDArray[Any], parts: tuple[int, int, int]) -> NDArray[Any]:
    """Return the value in the middle of each block of ``parts`` voxels, odd numbers."""
    z, y, x = parts
    return values[z // 2 :: z, y // 2 :: y, x // 2 :: x]


def _three(values: tuple[T, ...]) -> tuple[T, T, T]:
    z, y, x = values
    return z, y, x
