"""How a call is cut into slabs: some images, or a box of sites of one, whose padded table is made, read and forgotten.

So the extra memory of a call is that of one slab, whatever the batch, and the table stays in cache.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from lpsc_nd.pooling.tiles import Grid
from lpsc_nd.pooling.window import Window

FEWEST_WINDOWS = 4
"""Cells of the smallest table, in windows."""


@dataclass(frozen=True)
class Slab:
    """A part of the output sites, and the padded input that they read.

    Args:
        grid: the slab's own sites and table.
        corner: its first site, the image first.
        first_cells: where its table begins on each spatial axis, in cells of the padded input.
    """

    grid: Grid
    corner: tuple[int, ...]
    first_cells: tuple[int, ...]

    def starts(self, window: Window) -> list[int]:
        """Return where the input's first cell goes in the table, per axis."""
        return [before - first for (before, _), first in zip(window.padding, self.first_cells, strict=True)]


@dataclass(frozen=True)
class Cut:
    """How an image is cut into boxes of sites.

    Args:
        parts: into how many, per axis.
        table: padded cells that the largest box reads, per axis.
    """

    parts: tuple[int, ...]
    table: tuple[int, ...]

    @property
    def total_cells(self) -> int:
        """Padded cells of all tables of the image; at the borders of boxes a cell stands in several."""
        return math.prod(self.parts) * math.prod(self.table)


def fewest_cells(window: Window) -> int:
    """Return the padded cells below which tables would mostly hold what their neighbours hold as well."""
    return FEWEST_WINDOWS * math.prod(window.extent)


def slabs(window: Window, batch: int, padded: tuple[int, ...], sites: tuple[int, ...], cells: int) -> Iterator[Slab]:
    """Cut a call so that a slab's table has at most ``cells`` padded cells, or what a single site reads.

    Args:
        window: how the stencil slides.
        batch: number of images.
        padded: padded input size per axis.
        sites: output size per axis.
        cells: padded cells of a slab.
    """
    cut = cuts(window, padded, sites, cells)
    if max(cut.parts) == 1:
        origin = (0,) * window.ndim
        for start, stop in shares(batch, -(-batch // max(1, cells // math.prod(padded)))):
            yield Slab(Grid(stop - start, sites, padded, window.stride), (start, *origin), origin)
        return
    ranges = [list(shares(n, p)) for n, p in zip(sites, cut.parts, strict=True)]
    for image, box in itertools.product(range(batch), list(itertools.product(*ranges))):
        corner, counts = tuple(start for start, _ in box), tuple(stop - start for start, stop in box)
        table = tuple(spanned(window, axis, count) for axis, count in enumerate(counts))
        first_cells = tuple(start * step for start, step in zip(corner, window.stride, strict=True))
        yield Slab(Grid(1, counts, table, window.stride), (image, *corner), first_cells)


@lru_cache(maxsize=64)
def cuts(window: Window, padded: tuple[int, ...], sites: tuple[int, ...], cells: int) -> Cut:
    """Cut an image so that no table has more than ``cells`` padded cells, if that can be.

    Neighbouring tables overlap. The axis to be cut next is the one where a cut shrinks the table most for the overlap
    that it adds: where windows are large, boxes overlap less than rows.
    """
    parts, table = [1] * window.ndim, list(padded)
    while math.prod(table) > cells and any(p < n for p, n in zip(parts, sites, strict=True)):
        axis = max(range(window.ndim), key=lambda axis: worth(window, axis, sites[axis], parts[axis]))
        parts[axis] += 1
        table[axis] = spanned(window, axis, -(-sites[axis] // parts[axis]))
    return Cut(tuple(parts), tuple(table))


def worth(window: Window, axis: int, sites: int, parts: int) -> float:
    """Return how much one more cut shrinks the table for what it adds to all tables, both in logarithms."""
    if parts >= sites:
        return -math.inf
    before, after = (spanned(window, axis, -(-sites // p)) for p in (parts, parts + 1))
    overlap = window.extent[axis] - window.stride[axis]
    cells = sites * window.stride[axis]
    added = math.log((cells + max(0, overlap) * (parts + 1)) / (cells + max(0, overlap) * parts))
    return (math.log(before / after) + 1e-9) / (added + 1e-9)


def spanned(window: Window, axis: int, sites: int) -> int:
    """Return the padded cells that neighbouring sites read along an axis."""
    return (sites - 1) * window.stride[axis] + window.extent[axis]


def shares(total: int, parts: int) -> Iterator[tuple[int, int]]:
    """Cut 0..total into parts, equal but for one."""
    for part in range(parts):
        yield total * part // parts, total * (part + 1) // parts
