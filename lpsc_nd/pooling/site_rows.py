"""The sites of a map as the rows of a matrix, which products are written to and read from, part by part.

In a map that lies channels last, the sites of some images, or some rows of the sites of one, are rows in a row, (sites,
C), and a product goes to its place at once; in another it waits until its images are whole, and is transposed with
them. How a map lies and who multiplies is asked once in a call, not for every part of it: a part takes a tenth of a
millisecond or two, and each question and each view a thousandth, in cold caches several.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from torch import Tensor

from lpsc_nd.pooling.layout import by_site, read_by_site
from lpsc_nd.pooling.mixing import Mixing
from lpsc_nd.pooling.product import add_columns, multiplier, writes_in_place


class Place(NamedTuple):
    """Some images, and a box of their sites.

    Args:
        box: which images, and which sites of each axis.
        rows: the same as rows of the matrix of all sites, (B * sites, C), or None where these are not in a row.
        own_rows: the same as rows of the matrix of these images' sites.
        is_last: whether no rows of these images come behind.
    """

    box: tuple[slice, ...]
    rows: slice | None
    own_rows: slice
    is_last: bool


Take = Callable[[Place, Tensor], object]
"""Takes what a place pools, (sites, bags, C) or the same as a matrix; which may be overwritten."""

Multiply = Callable[[Tensor, Tensor], None]
"""Writes into rows (sites, C') what a pooled matrix makes of weights; see :func:`product.multiplier`."""


def place_of(box: tuple[slice, ...], extents: Sequence[int]) -> Place:
    """Return the place of some images and sites in a map of ``extents``, (B, *size); other axes are whole."""
    whole = [slice(0, n) for n in extents]
    whole[: len(box)] = box
    behind = [math.prod(extents[axis + 1 :]) for axis in range(len(extents))]
    start = sum(part.start * step for part, step in zip(whole, behind, strict=True))
    stop = start + math.prod(part.stop - part.start for part in whole)
    last = sum((part.stop - 1) * step for part, step in zip(whole, behind, strict=True))
    first = box[0].start * behind[0]
    rows, own = slice(start, stop), slice(start - first, stop - first)
    return Place(box, rows if last + 1 == stop else None, own, last + 1 == box[0].stop * behind[0])


def writer(y: Tensor, mixing: Mixing, matrix: Tensor, bias: Tensor | None, in_rows: bool) -> Take:
    """Return what writes the places of ``y``: pooled sites times weights, plus bias.

    Args:
        y: (B, C', *size), of any type.
        mixing: the channels and bags.
        matrix: the weights as ``mixing`` arranges them, in the type of the pooled sites.
        bias: (C',), or None.
        in_rows: whether all places have rows, and the one with the last row of some images comes after their others.
    """
    sites = by_site(y)
    if in_rows and mixing.groups == 1 and sites.is_contiguous():
        flat, multiply = sites.flatten(0, -2), multiplier(matrix[0], bias, y.dtype)
        return lambda place, pooled: write_rows(multiply, flat[place.rows], pooled)
    if in_rows and mixing.groups == 1 and writes_in_place(matrix[0]):  # a linear layer writes in the order of any map
        return _Waiting(y, multiplier(matrix[0], bias, matrix.dtype), matrix).write
    if mixing.groups == 1 and sites.stride(-1) == 1 and writes_in_place(matrix[0]):
        multiply = multiplier(matrix[0], bias, matrix.dtype)
        return lambda place, pooled: _write_box(multiply, sites[place.box], pooled)
    return lambda place, pooled: mixing.store(sites[place.box], pooled, matrix, bias)


def adder(total: Tensor, values: Tensor, mixing: Mixing, in_rows: bool) -> Take:
    """Return what adds the places of ``values`` (B, C', *size) times pooled sites to a sum of ``mixing``."""
    sites = by_site(values)
    if in_rows and mixing.groups == 1 and sites.is_contiguous() and values.dtype == total.dtype:
        flat = sites.flatten(0, -2)
        return lambda place, pooled: add_columns(total, flat[place.rows].T, pooled.flatten(1))
    return lambda place, pooled: mixing.accumulate(total, pooled, sites[place.box])


def write_rows(multiply: Multiply, rows: Tensor, pooled: Tensor) -> None:
    """Write pooled sites (sites, bags, C), or the same as a matrix, times weights into ``rows`` (sites, C')."""
    multiply(rows, pooled.flatten(1))


def _write_box(multiply: Multiply, box: Tensor, pooled: Tensor) -> None:
    """Write the same into a box of sites (images, *sites, C'), of any type, which need not lie in a row."""
    rows = pooled.new_empty(len(pooled), box.shape[-1])
    write_rows(multiply, rows, pooled)
    box.copy_(rows.view(box.shape))


class _Waiting:
    """Products of images that are written when the last part of these images is there."""

    def __init__(self, y: Tensor, multiply: Multiply, matrix: Tensor) -> None:
        self._y, self._multiply, self._rows = y, multiply, matrix.new_empty(0, y.shape[1])
        self._sites = y.shape[2:].numel()

    def write(self, place: Place, pooled: Tensor) -> None:
        images = place.box[0]
        number = (images.stop - images.start) * self._sites
        if len(self._rows) != number:
            self._rows = self._rows.new_empty(number, self._rows.shape[1])
        write_rows(self._multiply, self._rows[place.own_rows], pooled)
        if place.is_last:
            read_by_site(self._y[images], self._rows)
