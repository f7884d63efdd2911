"""The padded channels-last copy of an input that the bag engine gathers from."""

from __future__ import annotations

import torch
from torch import Tensor

from lpsc_nd.pooling.window import Padding

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


def padded_table(x: Tensor, padding: Padding, steps: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """Spread and pad ``x`` with zeros, channels last: (B, C, *in) -> (B, *padded, C), contiguous.

    Args:
        x: the input.
        padding: zeros before and after each axis; negative counts cut cells off.
        steps: distance at which the cells of each axis are put (1 keeps them together).
        dtype: type of the result.
    """
    cells = x.movedim(1, -1)
    if all(pair == (0, 0) for pair in padding) and all(step == 1 for step in steps):
        return cells.to(dtype).contiguous()
    size = tuple(
        max(0, (n - 1) * step + 1) + before + after
        for n, step, (before, after) in zip(x.shape[2:], steps, padding, strict=True)
    )
    table = torch.zeros((x.shape[0], *size, x.shape[1]), dtype=dtype, device=x.device)
    target, source = table, cells
    for axis, (n, step, (before, _)) in enumerate(zip(size, steps, padding, strict=True), start=1):
        first = max(0, -(before // step))  # cells cut off at the start
        start = before + first * step
        last = min(x.shape[axis + 1], first + len(range(start, n, step)))
        source = source.narrow(axis, first, max(0, last - first))
        target = target[(slice(None),) * axis + (slice(start, start + max(0, last - first) * step, step),)]
    target.copy_(source[(slice(None), *(slice(0, n) for n in target.shape[1:-1]))])
    return table
