"""The padded channels-last copy of an input that the bag engine gathers from."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lpsc_nd.pooling.layout import reads_in_blocks


def compute_dtype(dtype: torch.dtype) -> torch.dtype:
    """Return the type in which sums are accumulated: float32 for half precision, else the type itself."""
    return torch.float32 if dtype in (torch.float16, torch.bfloat16) else dtype


def spread_size(size: Sequence[int], steps: Sequence[int]) -> tuple[int, ...]:
    """Return the extent of ``size`` cells put ``steps`` apart, per axis."""
    return tuple(max(0, (n - 1) * step + 1) for n, step in zip(size, steps, strict=True))


def fill_table(table: Tensor, x: Tensor, starts: Sequence[int], steps: Sequence[int]) -> None:
    """Write ``x`` (B, C, *in) channels last into ``table`` (B, *padded, C), zeros around and between its cells.

    Args:
        table: overwritten wholly.
        x: the input.
        starts: where its first cell goes, per axis; cells that fall outside the table are left out.
        steps: distance at which its cells are put, per axis (1 keeps them together).
    """
    cells, target = places(table, x.shape[2:], starts, steps)
    if target.shape != table.shape:
        table.zero_()
    source = x[(slice(None), slice(None), *cells)]
    if not reads_in_blocks(x):
        target.copy_(source.movedim(1, -1))
        return
    for image, place in zip(source, target, strict=True):
        by_cell = image.contiguous().flatten(1).T
        if place.is_contiguous() and place.dtype == image.dtype:
            place.view(by_cell.shape).copy_(by_cell)
        else:
            place.copy_(by_cell.contiguous().view(place.shape))


def places(
    table: Tensor, size: Sequence[int], starts: Sequence[int], steps: Sequence[int]
) -> tuple[tuple[slice, ...], Tensor]:
    """Return which cells of an input of ``size`` have a place in the table, and their places (B, *cells, C), a view.

    Args:
        table: (B, *padded, C).
        size: input size per axis.
        starts: where the first cell goes, per axis; negative where it lies before the table.
        steps: distance at which the cells are put, per axis.
    """
    cells, target = [], table
    for axis, (extent, start, step) in enumerate(zip(size, starts, steps, strict=True), start=1):
        first = min(extent, max(0, -(start // step)))  # cells left out at the start
        start += first * step
        count = max(0, min(extent - first, len(range(start, table.shape[axis], step))))
        cells.append(slice(first, first + count))
        target = target[(slice(None),) * axis + (slice(start, start + count * step, step),)]
    return tuple(cells), target


def double(tables: Tensor, rows: int, doublings: int, distance: int) -> None:
    """Fill the tables of runs: part k + 1 of ``tables`` is part k plus itself, ``2 ** k * distance`` rows on.

    The last rows of a part have no partner and stay undefined; no run begins there.
    """
    for k in range(doublings):
        shift = 2**k * distance
        part = tables[k * rows : (k + 1) * rows]
        torch.add(part[: rows - shift], part[shift:], out=tables[(k + 1) * rows : (k + 2) * rows - shift])
