"""Memory for tables that is kept from call to call, one buffer per thread.

Fresh memory costs a page fault for every 4 KiB: a table of eight MiB takes as long to get as to fill. Buffers larger
than ``KEPT_BYTES`` are not kept.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

KEPT_BYTES = 2**24
"""Largest buffer that a thread keeps: 16 MiB."""

_kept = threading.local()


@contextmanager
def scratch(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Iterator[Tensor]:
    """Lend a tensor of undefined values; what is lent is not lent again before it is given back."""
    needed = math.prod(shape) * dtype.itemsize
    buffer = _kept.__dict__.pop(str(device), None)
    if buffer is None or buffer.numel() < needed:
        with torch.inference_mode(False):  # so that it can be written in any mode later
            buffer = torch.empty(needed, dtype=torch.uint8, device=device)
    try:
        yield buffer[:needed].view(dtype).view(shape)
    finally:
        if buffer.numel() <= KEPT_BYTES:
            _kept.__dict__[str(device)] = buffer
