"""The sites of a map as the rows of a matrix, which products are written to and values read from, part by part.

In a map that lies channels last, the sites of some images, or some rows of the sites of one, are rows in a row, (sites,
C), and a product goes to its place at once; in another it waits until its images are whole, and is transposed with
them. How a map lies and who multiplies is asked once in a call, not for every part of it: a part takes a tenth of a
millisecond or two, and each question and each view a thousandth, in cold caches several.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from lpsc_nd.pooling.layout import by_site, read_by_site
from lpsc_nd.pooling.mixing import Mixing
from lpsc_nd.pooling.product import multiplier, takes_onednn


class Place(NamedTuple):
    """Some images, or some rows of the sites of one.

    Args:
        images: which images.
        part: sites of the first axis; all where there are several images.
        rows: the same as rows of the matrix of all sites, (B * sites, C).
        own_rows: the same as rows of the matrix of these images' sites.
        is_last: whether it is the last one of these images.
    """

    images: slice
    part: slice
    rows: slice
    own_rows: slice
    is_last: bool


def place_of(images: slice, part: slice, size: tuple[int, ...]) -> Place:
    """Return the place of rows of sites of some images, of maps of ``size``."""
    sites, width = math.prod(size), math.prod(size[1:])
    own = slice(part.start * width, (images.stop - images.start - 1) * sites + part.stop * width)
    rows = slice(images.start * sites + own.start, images.start * sites + own.stop)
    return Place(images, part, rows, own, part.stop == size[0])


def writer(y: Tensor, mixing: Mixing, matrix: Tensor, bias: Tensor | None) -> Callable[[Place, Tensor], object]:
    """Return what writes the places of ``y`` in order: pooled sites (sites, bags * C) times weights, plus bias.

    Args:
        y: (B, C', *size), of any type.
        mixing: the channels and bags, of one group.
        matrix: the weights as ``mixing`` arranges them, (1, C', bags * C), in the type of the pooled sites.
        bias: (C',), or None.
    """
    sites = by_site(y)
    if sites.is_contiguous():
        flat, multiply = sites.flatten(0, -2), multiplier(matrix[0], bias, y.dtype)
        return lambda place, pooled: multiply(flat[place.rows], pooled)
    if takes_onednn(matrix):  # which multiplies into the order of any map
        return lambda place, pooled: mixing.store(sites[place.images, place.part], pooled, matrix, bias)
    return _Waiting(y, multiplier(matrix[0], bias, matrix.dtype), matrix).write


class _Waiting:
    """Products of images that are written when the last part of these images is there."""

    def __init__(self, y: Tensor, multiply: Callable[[Tensor, Tensor], object], matrix: Tensor) -> None:
        self._y, self._multiply, self._rows = y, multiply, matrix.new_empty(0, y.shape[1])
        self._sites = y.shape[2:].numel()

    def write(self, place: Place, pooled: Tensor) -> None:
        number = (place.images.stop - place.images.start) * self._sites
        if len(self._rows) != number:
            self._rows = self._rows.new_empty(number, self._rows.shape[1])
        self._multiply(self._rows[place.own_rows], pooled)
        if place.is_last:
            read_by_site(self._y[place.images], self._rows)


def reader(values: Tensor, like: Tensor) -> Callable[[Place], Tensor]:
    """Return what reads a place of ``values`` (B, C, *size), as (C, sites) in the type of ``like``."""
    sites = by_site(values)
    if not sites.is_contiguous() or values.dtype != like.dtype:
        return lambda place: sites[place.images, place.part].movedim(-1, 0).flatten(1).to(like.dtype)
    flat = sites.flatten(0, -2)
    return lambda place: flat[place.rows].T
