"""Which tables of blocks stand beside that of cells in a compiled pass: each takes time, and spares a site taps."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from lpsc_nd.geometry import Stencil
from lpsc_nd.native.library import PassKind
from lpsc_nd.native.structures import MOST_DOUBLINGS
from lpsc_nd.pooling.blocks import blocks

Axes = tuple[int, ...]
"""Those of the window along which tables are doubled, one after another."""

FILLED = 4
"""Cells that could be summed in the time that a cell of the first table is filled."""

DOUBLED: dict[PassKind, float] = {"mixed": 20, "depthwise": 3}
"""The same of a cell of another table, which is made of two.

Where all channels have tables at once, these are far, and fill the caches; and most taps are summed beside products.
"""

LINE: dict[PassKind, float] = {"mixed": 1, "depthwise": 0.5}
"""Taps in whose time a line of a table is fetched for a bag.

Taps of neighbouring cells share what is in the first-level cache, those of other lines or tables do not. A depthwise
pass reads a line for all bags together, and for several lines of sites.
"""


def candidates(ndim: int) -> list[Axes]:
    """Return along which axes to double, as far as that was found to be worth it.

    Blocks that are high share lines of a table where long ones do not, so high ones come first; and long ones serve
    windows of a single axis, or flat ones.
    """
    x, y, z = ndim - 1, ndim - 2, ndim - 3
    found = [(x,) * doublings for doublings in range(MOST_DOUBLINGS + 1)]
    if ndim > 1:
        found += [(y,), (y, y), (y, y, y), (y, x), (y, y, x)]
    if ndim > 2:
        found += [(z,), (z, y), (z, y, x)]
    return found


@lru_cache(maxsize=1024)
def reading(stencil: Stencil, center: bool, axes: Axes, kind: PassKind) -> float:
    """Return how long a site's reading takes a kernel, in taps of a table that is near."""
    found = blocks(stencil, center, axes)
    bags = np.repeat(np.arange(len(found.indptr) - 1), np.diff(found.indptr))
    lines = np.unique(np.stack([bags, found.tables, found.cells // stencil.kernel_size[-1]]), axis=1).shape[1]
    return len(found.cells) + LINE[kind] * lines


@lru_cache(maxsize=256)
def least_reading(stencil: Stencil, center: bool, kind: PassKind) -> float:
    """Return the same with the tables that make it the least."""
    return min(reading(stencil, center, axes, kind) for axes in candidates(len(stencil.kernel_size)))
