"""Memory for tables that is kept from call to call, one buffer per thread.

Fresh memory costs a page fault for every 4 KiB: a table of eight MiB takes as long to get as to fill. Buffers larger
than ``KEPT_BYTES`` are not kept, nor any on a GPU: PyTorch keeps those itself, and knows which stream still uses them.
"""

from __future__ import annotations

import math
import threading
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


class scratch:  # noqa: N801  # it reads as a function does
    """Lend a tensor of undefined values in a ``with`` block; what is lent is not lent again before it is given back.

    Args:
        shape: that of the tensor.
        dtype: its type.
        device: its device.
    """

    __slots__ = ("_buffer", "_device", "_dtype", "_shape")

    def __init__(self, shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> None:
        self._shape, self._dtype, self._device = shape, dtype, device
        self._buffer: Buffer | None = None

    def __enter__(self) -> Tensor:
        if self._device.type != "cpu":
            return torch.empty(self._shape, dtype=self._dtype, device=self._device)
        buffer, _kept.buffer = _kept.buffer, None
        if buffer is None or buffer.lent.shape != self._shape or buffer.lent.dtype != self._dtype:
            buffer = _prepare(buffer, self._shape, self._dtype)
        self._buffer = buffer
        return buffer.lent

    def __exit__(self, *raised: object) -> None:
        if self._buffer is not None and self._buffer.memory.numel() <= KEPT_BYTES:
            _kept.buffer = self._buffer


def _prepare(buffer: Buffer | None, shape: tuple[int, ...], dtype: torch.dtype) -> Buffer:
    """Return memory as a tensor: that of ``buffer`` if it is enough, else new memory."""
    needed = math.prod(shape) * dtype.itemsize
    with torch.inference_mode(False), torch.no_grad():  # so that it can be written in any mode later
        if buffer is None or buffer.memory.numel() < needed:
            memory = torch.empty(needed, dtype=torch.uint8, device="cpu")
        else:
            memory = buffer.memory
        return Buffer(memory, memory[:needed].view(dtype).view(shape))
