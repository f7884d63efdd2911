"""How a call is cut into slabs: some images, or some rows of one, whose padded table is made, read and forgotten.

So the extra memory of a call is that of one slab, whatever the batch, and the table stays in cache.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from lpsc_nd.pooling.tiles import Grid
from lpsc_nd.pooling.window import Window


@dataclass(frozen=True)
class Slab:
    """A part of the output sites, and the padded input that they read.

    Args:
        grid: the slab's own sites and table.
        first_image: number of its first image.
        first_site: flattened number of its first site.
        first_cell: where its table begins on the first spatial axis, in cells of the padded input.
    """

    grid: Grid
    first_image: int
    first_site: int
    first_cell: int


def slabs(window: Window, batch: int, padded: tuple[int, ...], sites: tuple[int, ...], cells: int) -> Iterator[Slab]:
    """Cut a call so that a slab's table has about ``cells`` padded cells, at least one row of sites.

    Args:
        window: how the stencil slides.
        batch: number of images.
        padded: padded input size per axis.
        sites: output size per axis.
        cells: padded cells of a slab.
    """
    per_image = math.prod(padded)
    if per_image <= cells:
        yield from _image_slabs(window, batch, padded, sites, min(batch, cells // per_image))
    else:
        yield from _row_slabs(window, batch, padded, sites, cells)


def smallest_slab(window: Window, padded: tuple[int, ...]) -> int:
    """Return the padded cells of the smallest slab there is: those that one row of sites reads."""
    return window.extent[0] * math.prod(padded[1:])


def _image_slabs(
    window: Window, batch: int, padded: tuple[int, ...], sites: tuple[int, ...], most: int
) -> Iterator[Slab]:
    for start, stop in _shares(batch, most):
        yield Slab(Grid(stop - start, sites, padded, window.stride), start, 0, 0)


def _row_slabs(
    window: Window, batch: int, padded: tuple[int, ...], sites: tuple[int, ...], cells: int
) -> Iterator[Slab]:
    stride, extent = window.stride[0], window.extent[0]
    per_row, rest = math.prod(padded[1:]), math.prod(sites[1:])
    most = max(1, (cells // per_row - extent) // stride + 1)
    for image in range(batch):
        for start, stop in _shares(sites[0], most):
            rows = (stop - start - 1) * stride + extent
            grid = Grid(1, (stop - start, *sites[1:]), (rows, *padded[1:]), window.stride)
            yield Slab(grid, image, start * rest, start * stride)


def _shares(total: int, most: int) -> Iterator[tuple[int, int]]:
    """Cut 0..total into parts of at most ``most``, equal but for one."""
    parts = -(-total // most)
    for part in range(parts):
        yield total * part // parts, total * (part + 1) // parts
