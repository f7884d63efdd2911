"""nn.Conv's padding: amounts from its argument, and the modes that fill the border with the input's own values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from lpsc_nd import _checks
from lpsc_nd.pooling.window import Padding

PaddingMode = Literal["zeros", "reflect", "replicate", "circular"]
PADDING_MODES: tuple[str, ...] = get_args(PaddingMode)
PADDING_WORDS = ("same", "valid")

_NUMPY_MODES: dict[str, Literal["reflect", "edge", "wrap"]] = {
    "reflect": "reflect",
    "replicate": "edge",
    "circular": "wrap",
}


def padding_amounts(
    padding: str | int | Sequence[int], kernel_size: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]
) -> Padding:
    """Turn the argument ``padding`` into cells before and after each axis, as nn.Conv does.

    Raises:
        ValueError: an unknown word, 'same' with a stride, or a negative amount.
        TypeError: an amount that is not an integer.
    """
    if not isinstance(padding, str):
        amounts = _checks.integers("padding", padding, len(kernel_size), minimum=0)
        return tuple((amount, amount) for amount in amounts)
    if padding not in PADDING_WORDS:
        raise ValueError(f"Invalid padding string {padding!r}, should be one of {', '.join(PADDING_WORDS)}")
    if padding == "valid":
        return ((0, 0),) * len(kernel_size)
    if any(step != 1 for step in stride):
        raise ValueError("padding='same' is not supported for strided convolutions")
    totals = [d * (k - 1) for k, d in zip(kernel_size, dilation, strict=True)]
    return tuple((total // 2, total - total // 2) for total in totals)


def pad(x: Tensor, amounts: Padding, mode: PaddingMode) -> Tensor:
    """Pad (B, C, *size) in a mode other than zeros.

    Raises:
        RuntimeError: the input is too small to be reflected or wrapped that far.
    """
    if x.ndim <= 5:
        return F.pad(x, [count for pair in reversed(amounts) for count in pair], mode=mode)
    for axis, (before, after) in enumerate(amounts, start=2):
        x = _pad_axis(x, axis, before, after, mode)
    return x


def _pad_axis(x: Tensor, axis: int, before: int, after: int, mode: PaddingMode) -> Tensor:
    """Pad one axis by taking its cells again; PyTorch's own padding ends at three axes."""
    extent = x.shape[axis]
    reach = {"reflect": extent - 1, "circular": extent}.get(mode, max(before, after))
    if max(before, after) > reach:
        raise RuntimeError(
            f"Padding size should be at most {reach} in mode {mode!r}, "
            f"but got ({before}, {after}) at axis {axis} of input {_checks.shape_text(x.shape)}"
        )
    index = np.pad(np.arange(extent), (before, after), mode=_NUMPY_MODES[mode])
    return x.index_select(axis, torch.from_numpy(index).to(x.device))
