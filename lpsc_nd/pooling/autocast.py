"""Autocast around the engines: they cast as nn.ConvNd would, and then compute without it."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from lpsc_nd.pooling.constants import constant_result


def is_autocast(x: Tensor) -> bool:
    """Tell whether autocast is on for the device of ``x``."""
    return _has_autocast(x.device.type) and torch.is_autocast_enabled(x.device.type)


def cast(x: Tensor) -> Tensor:
    """Return ``x`` in the type that autocast is for; float64 stays as it is."""
    return x if x.dtype == torch.float64 else x.to(torch.get_autocast_dtype(x.device.type))


def without_autocast(x: Tensor, *, autocast: bool) -> AbstractContextManager[object]:
    """Return a context in which nothing is cast on the device of ``x``, where ``autocast`` is on."""
    return torch.autocast(x.device.type, enabled=False) if autocast else nullcontext()


@constant_result  # dynamo of PyTorch 2.11 cannot trace the question
def _has_autocast(device_type: str) -> bool:
    return torch.amp.is_autocast_available(device_type)
