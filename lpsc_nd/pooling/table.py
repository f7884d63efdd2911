"""The padded channels-last copy of an input that the bag engine gathers from."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

PAGE = 2048
"""Strides of a multiple of so many bytes make a strided copy slow."""

CHANNELS_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}


def memory_format(x: Tensor) -> torch.memory_format:
    """Return the format that a batched input's output is to have: channels last if it is, and not also contiguous."""
    layout = CHANNELS_LAST.get(x.ndim)
    if layout is not None and x.is_contiguous(memory_format=layout) and not x.is_contiguous():
        return layout
    return torch.contiguous_format


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
    source, target = x.movedim(1, -1), table
    for axis, (start, step) in enumerate(zip(starts, steps, strict=True), start=1):
        first = max(0, -(start // step))  # cells left out at the start
        start += first * step
        count = max(0, min(x.shape[axis + 1] - first, len(range(start, table.shape[axis], step))))
        source = source.narrow(axis, min(first, x.shape[axis + 1]), count)
        target = target[(slice(None),) * axis + (slice(start, start + count * step, step),)]
    if target.shape != table.shape:
        table.zero_()
    if _strides_whole_pages(x) and source.shape[1:-1] == x.shape[2:]:
        for image, place in zip(x, target, strict=True):
            place.copy_(image.flatten(1).T.contiguous().view(place.shape))
    else:
        target.copy_(source)


def double(tables: Tensor, rows: int, doublings: int, distance: int) -> None:
    """Fill the tables of runs: part k + 1 of ``tables`` is part k plus itself, ``2 ** k * distance`` rows on.

    The last rows of a part have no partner and stay undefined; no run begins there.
    """
    for k in range(doublings):
        shift = 2**k * distance
        part = tables[k * rows : (k + 1) * rows]
        torch.add(part[: rows - shift], part[shift:], out=tables[(k + 1) * rows : (k + 2) * rows - shift])


def _strides_whole_pages(x: Tensor) -> bool:
    """Tell whether the channels of a contiguous input lie so far apart that reading across them is slow.

    Strides of whole memory pages fall into the same cache lines. PyTorch transposes a matrix in blocks, which do not.
    """
    return x.is_contiguous() and x.numel() > 0 and x[0, 0].numel() * x.element_size() % PAGE == 0
