"""How output sites are cut into tiles whose gather index is the same everywhere, so that one index serves them all.

A tile is a run of consecutive sites, whole along the trailing axes: some rows of one image, or some whole small images.
Moving it moves only the row of the padded table at which its index starts.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Grid:
    """Sites to compute and the padded table that they read.

    Args:
        batch: number of images.
        sites: output size per axis.
        padded: padded input size per axis; the table has one row per padded cell of every image.
        stride: distance of neighbouring sites in cells, per axis.
    """

    batch: int
    sites: tuple[int, ...]
    padded: tuple[int, ...]
    stride: tuple[int, ...]

    @property
    def table_rows(self) -> int:
        """Rows of the table: one for each padded cell."""
        return self.batch * math.prod(self.padded)

    @property
    def site_steps(self) -> tuple[int, ...]:
        """Table rows from a site to the next one, for the batch axis and every spatial axis."""
        rows = [math.prod(self.padded[axis:]) for axis in range(len(self.padded) + 1)]
        return (rows[0], *(row * step for row, step in zip(rows[1:], self.stride, strict=True)))


@dataclass(frozen=True)
class Tile:
    """Consecutive sites of the images ``images``, and what they read of the table.

    Args:
        corner: its first site, the image first.
        shape: sites per axis, the batch first.
        first_row: table row of the first site's first cell.
    """

    corner: tuple[int, ...]
    shape: tuple[int, ...]
    first_row: int


def tiles(grid: Grid, target: int) -> Iterator[Tile]:
    """Cut the grid into tiles of about ``target`` sites; at most two shapes occur."""
    extents = (grid.batch, *grid.sites)
    cut, chunks = _cut(extents, target)
    borders = [extents[cut] * i // chunks for i in range(chunks + 1)]
    trailing = extents[cut + 1 :]
    for outer in itertools.product(*(range(n) for n in extents[:cut])):
        for start, stop in itertools.pairwise(borders):
            corner = (*outer, start, *(0 for _ in trailing))
            row = sum(c * step for c, step in zip(corner, grid.site_steps, strict=True))
            yield Tile(corner, (*(1,) * cut, stop - start, *trailing), row)


def _cut(extents: tuple[int, ...], target: int) -> tuple[int, int]:
    """Return the axis along which tiles are cut, and into how many; the axes behind it stay whole."""
    for axis in range(len(extents)):
        behind = math.prod(extents[axis + 1 :])
        if behind <= target or axis == len(extents) - 1:
            return axis, max(1, math.ceil(extents[axis] / max(1, target // behind)))
    raise ValueError("a grid has at least one axis")
