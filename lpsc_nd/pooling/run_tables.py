"""Which tables of runs a call of the bag engine makes, and how large: what is read against what is made."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from lpsc_nd.pooling.gpu_sizes import times_larger
from lpsc_nd.pooling.processor import is_intel
from lpsc_nd.pooling.runs import MOST_DOUBLINGS, runs
from lpsc_nd.pooling.slabs import cuts, fewest_cells
from lpsc_nd.pooling.threads import larger
from lpsc_nd.pooling.window import Window

SLAB_ELEMENTS = 2**20
"""Elements of a slab's tables: four MiB in float32."""

LARGER = 2
"""How much larger they may be: in volumes on Intel's processors, as neighbouring slabs overlap most there, and in
planes and volumes that several threads share."""

SLAB_SHARES = (1, 2)
"""By what that is divided, to see whether smaller tables are better."""

FILLED, DOUBLED = 8, 4
"""Rows that could be summed in the time that a row of the first table is filled, and a row of another made of two: 7
to 8, and 3.3 to 4.4, on three processors, in the plane and in space."""

SLAB_ROWS = 2**13
"""Rows that could be summed in the time that the calls of a slab take."""

NEAR_ELEMENTS = 2**20
"""Elements of the tables that one row of sites reads, up to which they are near: what the processor's caches hold."""

FAR_FACTOR = 1.7
"""How much longer it takes to sum rows that are not near."""


@dataclass(frozen=True)
class Tables:
    """Which tables of runs to make, and how large.

    Args:
        doublings: how often the table of cells is doubled.
        cells: most padded cells of each table.
    """

    doublings: int
    cells: int


def slab_elements(window: Window, device: torch.device) -> int:
    """Return how many elements a slab's tables have, on as many threads as there are or on a GPU."""
    if device.type != "cpu":
        return times_larger(device) * SLAB_ELEMENTS
    if window.ndim > 2 and is_intel():
        return LARGER * SLAB_ELEMENTS
    return larger(SLAB_ELEMENTS, LARGER) if window.ndim > 1 else SLAB_ELEMENTS


def best_tables(
    window: Window, padded: tuple[int, ...], sites: tuple[int, ...], channels: int, elements: int
) -> Tables:
    """Weigh the rows that all sites read against the rows of the tables, which have to be made.

    Args:
        window: the bags of one site.
        padded: padded input size per axis.
        sites: output size per axis.
        channels: columns of the tables.
        elements: of all tables of a slab.
    """
    fewest = fewest_cells(window)
    candidates = [
        Tables(doublings, max(fewest, elements // (channels * (doublings + 1)) // share))
        for doublings in range(MOST_DOUBLINGS + 1)
        for share in SLAB_SHARES
    ]
    return min(candidates, key=lambda tables: _rows(tables, window, padded, sites, channels))


def _rows(tables: Tables, window: Window, padded: tuple[int, ...], sites: tuple[int, ...], channels: int) -> float:
    """Return what some tables cost, in rows read from near."""
    cut, number = cuts(window, padded, sites, tables.cells), tables.doublings + 1
    far = number * window.extent[0] * math.prod(cut.table[1:]) * channels > NEAR_ELEMENTS
    read = len(runs(window.stencil, window.center, tables.doublings).cells) * math.prod(sites)
    made = (FILLED + DOUBLED * tables.doublings) * cut.total_cells + SLAB_ROWS * math.prod(cut.parts)
    return read * (FAR_FACTOR if far else 1.0) + made
