"""Leaving out the cells of a window that meet nothing but padding, wherever the window is laid on an input.

A 9 x 9 window with padding 4 on maps of 4 x 4 cells reaches them with its inner 7 x 7 cells alone. The others only
ever add zeros, so sums without them are the same sums; what a region is divided by stays the count of all its cells.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from lpsc_nd.pooling.window import Window


@lru_cache(maxsize=256)
def trimmed(window: Window, size: tuple[int, ...]) -> Window:
    """Return the window with the cells that an input of ``size`` meets, and the centre; itself if those are all.

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
    """Return the cells of the window, along an axis, between the first and last that any site lays on the input."""
    before, dilation, center = window.padding[axis][0], window.dilation[axis], window.stencil.center[axis]
    farthest = (sites - 1) * window.stride[axis] - before  # where the last site has its first cell
    first = max(0, -(farthest // dilation))
    last = min(window.stencil.kernel_size[axis] - 1, (before + size - 1) // dilation)
    return range(min(first, center), max(last, center) + 1)


def _padding(window: Window, axis: int, found: range, size: int, sites: int) -> tuple[int, int]:
    """Return the padding with which the shorter window has as many sites, in the same places."""
    dilation = window.dilation[axis]
    before = window.padding[axis][0] - found.start * dilation
    spanned = (sites - 1) * window.stride[axis] + dilation * (len(found) - 1) + 1
    return before, spanned - size - before
