"""How the sites of a compiled pass are cut into boxes, each with tables of its own."""

from __future__ import annotations

import itertools
import math
from functools import partial
from typing import Literal

import numpy as np

from lpsc_nd.pooling.slabs import shares, spanned, worth
from lpsc_nd.pooling.window import Window

LONG_LINE = 96
"""Sites of the parts of a line that is cut before its neighbours are parted from it: boxes of a single long line would
fill the rows of a whole window for it."""

MORE_CUTS = 2
"""Cuts that are tried for each thread, so that all of them end together."""

Extents = tuple[int, ...]
"""Images, and sites per axis."""

Parts = tuple[int, ...]
"""In how many parts each of these is cut."""

Range = tuple[int, int]
"""First, and one after the last."""

Kind = Literal["images", "rows", "lines"]
"""What is cut: one set of images from another, neighbouring rows from one another, or each line."""


def cut(window: Window, extents: Extents, cells: int) -> Parts:
    """Return the parts whose boxes' tables have at most ``cells`` cells, if that can be.

    Images are cut first, whose tables do not overlap; then long lines, then all else, and last what is left of lines,
    of which kernels take a dozen sites at once.
    """
    image = table_cells(window, (1, *extents[1:]), (1,) * len(extents))
    images = max(1, cells // max(1, image))
    parts: Parts = (max(1, -(-extents[0] // images)), *(1 for _ in extents[1:]))
    kinds: list[tuple[Kind, int]] = [("lines", LONG_LINE), ("rows", 1), ("lines", 1)]
    for kind, least in kinds:
        while table_cells(window, extents, parts) > cells:
            more = _cut_once(window, extents, parts, kind, least)
            if more is None:
                break
            parts = more
    return parts


def share(window: Window, extents: Extents, parts: Parts, threads: int, channel_blocks: int, filling: float) -> Parts:
    """Return these parts, or some more, of which the busiest thread has the least to do.

    Args:
        window: how the stencil slides.
        extents: images and sites.
        parts: as many as there are at least.
        threads: of n threads each takes every n-th box.
        channel_blocks: blocks of channels, if each has boxes of its own, one after another; else 1.
        filling: what a cell of a box's tables takes, in what a site takes.
    """
    tried = [parts]
    while len(tried) <= MORE_CUTS * threads and threads > 1:
        kinds: tuple[Kind, ...] = ("images", "rows", "lines")
        ways = (_cut_once(window, extents, tried[-1], kind, 1) for kind in kinds)
        more = next((way for way in ways if way is not None), None)
        if more is None:
            break
        tried.append(more)
    return min(tried, key=lambda each: _busiest(window, extents, each, threads, channel_blocks, filling))


def boxes(extents: Extents, parts: Parts) -> list[tuple[Range, ...]]:
    """Return the boxes, each a range of images and of sites per axis, without empty ones."""
    ranges = (list(shares(extent, part)) for extent, part in zip(extents, parts, strict=True))
    return [box for box in itertools.product(*ranges) if all(start < stop for start, stop in box)]


def table_cells(window: Window, extents: Extents, parts: Parts) -> int:
    """Return the cells of the largest box's table."""
    images, *counts = (-(-extent // part) for extent, part in zip(extents, parts, strict=True))
    return images * math.prod(spanned(window, axis, count) for axis, count in enumerate(counts))


def _cut_once(window: Window, extents: Extents, parts: Parts, kind: Kind, least: int) -> Parts | None:
    """Return one part more, unless parts would have less than ``least`` images or sites."""
    if kind == "rows" and window.ndim == 1:
        return None
    if kind == "rows":
        of = partial(_worth, window, extents, parts)
        axis = max(range(1, window.ndim), key=of)
    else:
        axis = 0 if kind == "images" else window.ndim
    if parts[axis] >= extents[axis] // least:
        return None
    return (*parts[:axis], parts[axis] + 1, *parts[axis + 1 :])


def _worth(window: Window, extents: Extents, parts: Parts, axis: int) -> float:
    return worth(window, axis - 1, extents[axis], parts[axis])


def _busiest(
    window: Window, extents: Extents, parts: Parts, threads: int, channel_blocks: int, filling: float
) -> float:
    """Return what the busiest thread has to do, in what a site takes."""
    cost, cells = np.ones(()), np.ones(())
    for axis, (extent, part) in enumerate(zip(extents, parts, strict=True)):
        counts = np.diff(list(shares(extent, part)), axis=1).ravel()
        spans = counts if axis == 0 else (counts - 1) * window.stride[axis - 1] + window.extent[axis - 1]
        cost, cells = cost[..., None] * counts, cells[..., None] * spans
    items = np.repeat((cost + filling * cells).ravel(), channel_blocks)
    return max(float(items[thread::threads].sum()) for thread in range(threads))
