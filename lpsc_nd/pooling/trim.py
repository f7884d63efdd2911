"""Leaving out the borders of a window that add nothing: cells that meet only padding, wherever the window is laid.

A 9 x 9 window with padding 4 on maps of 4 x 4 cells reaches them with its inner 7 x 7 cells alone. The others only
ever add zeros, so sums without them are the same sums; what a region is divided by stays the count of all its cells.
Rows of cells in no region, such as a causal layer's future, add nothing either.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np

from lpsc_nd.geometry import Stencil
from lpsc_nd.pooling.window import Window


@lru_cache(maxsize=256)
def trimmed(window: Window, size: tuple[int, ...]) -> Window:
    """Return the window with the cells that add something on an input of ``size``, and the centre; itself if all do.

    Its stencil counts the cells that are left. An input that is smaller than the window allows is left to its checks.
    """
    sites = window.output_size(size)
    if min(size) < 1 or min(sites) < 1:
        return window
    ranges = [_met(window, axis, size[axis], sites[axis]) for axis in range(window.ndim)]
    if all(found == range(k) for found, k in zip(ranges, window.stencil.kernel_size, strict=True)):
        return window
    padding = [_padding(window, axis, found, size[axis], sites[axis]) for axis, found in enumerate(ranges)]
    return replace(window, stencil=window.stencil.crop(ranges), padding=tuple(padding))


def _met(window: Window, axis: int, size: int, sites: int) -> range:
    """Return the cells of the window, along an axis, between the first and last in a region and on the input."""
    before, dilation, center = window.padding[axis][0], window.dilation[axis], window.stencil.center[axis]
    farthest = (sites - 1) * window.stride[axis] - before  # where the last site has its first cell
    held = _held(window.stencil, axis)
    first = max(held.start, -(farthest // dilation))
    last = min(held.stop - 1, (before + size - 1) // dilation)
    return range(min(first, center), max(last, center) + 1)


def _held(stencil: Stencil, axis: int) -> range:
    """Return the positions along an axis between the first and the last one with a cell in a region, or the centre."""
    others = tuple(other for other in range(stencil.ndim) if other != axis)
    positions = np.flatnonzero(stencil.mask.any(axis=others))
    center = stencil.center[axis]
    return range(int(positions.min(initial=center)), int(positions.max(initial=center)) + 1)


def _padding(window: Window, axis: int, found: range, size: int, sites: int) -> tuple[int, int]:
    """Return the padding with which the shorter window has as many sites, in the same places."""
    dilation = window.dilation[axis]
    before = window.padding[axis][0] - found.start * dilation
    spanned = (sites - 1) * window.stride[axis] + dilation * (len(found) - 1) + 1
    return before, spanned - size - before
