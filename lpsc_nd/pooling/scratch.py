"""Memory for tables that is kept from call to call, one buffer per thread.

Fresh memory costs a page fault for every 4 KiB: a table of eight MiB takes as long to get as to fill. Buffers larger
than ``KEPT_BYTES`` are not kept, nor any on a GPU: PyTorch keeps those itself, and knows which stream still uses them.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor

KEPT_BYTES = 2**24
"""Largest buffer that a thread keeps: 16 MiB."""


class Buffer(NamedTuple):
    """Memory, and the tensor as which it was lent the last time."""

    memory: Tensor
    lent: Tensor


class _Kept(threading.local):
    def __init__(self) -> None:
        self.buffer: Buffer | None = None


_kept = _Kept()


@contextmanager
def scratch(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Iterator[Tensor]:
    """Lend a tensor of undefined values; what is lent is not lent again before it is given back."""
    if device.type != "cpu":
        yield torch.empty(shape, dtype=dtype, device=device)
        return
    buffer, _kept.buffer = _kept.buffer, None
    if buffer is None or buffer.lent.shape != shape or buffer.lent.dtype != dtype:
        buffer = _prepare(buffer, shape, dtype)
    try:
        yield buffer.lent
    finally:
        if buffer.memory.numel() <= KEPT_BYTES:
            _kept.buffer = buffer


def _prepare(buffer: Buffer | None, shape: tuple[int, ...], dtype: torch.dtype) -> Buffer:
    """Return memory as a tensor: that of ``buffer`` if it is enough, else new memory."""
    needed = math.prod(shape) * dtype.itemsize
    with torch.inference_mode(False), torch.no_grad():  # so that it can be written in any mode later
        if buffer is None or buffer.memory.numel() < needed:
            memory = torch.empty(needed, dtype=torch.uint8, device="cpu")
        else:
            memory = buffer.memory
        return Buffer(memory, memory[:needed].view(dtype).view(shape))
