"""Whether the arrays of a neighbourhood fit together."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from lpsc_nd import _checks


def check_shapes(indptr: Any, indices: Any, centers: Any, num_sources: Any, num_regions: Any, num_cut: Any) -> None:
    """Check types and lengths, which takes no time.

    Raises:
        TypeError: no tensor, or no integer.
        ValueError: another dtype or number of axes, lengths that contradict each other, several devices.
    """
    numbers = {"num_sources": num_sources, "num_regions": num_regions, "num_cut": num_cut}
    for name, number in numbers.items():
        _checks.integer(name, number, minimum=0)
    for name, tensor in {"indptr": indptr, "indices": indices, "centers": centers}.items():
        if not isinstance(tensor, Tensor):
            raise TypeError(f"{name} must be a tensor, got {type(tensor).__name__}")
        if tensor.dtype != torch.int64 or tensor.ndim != 1:
            raise ValueError(f"{name} must be int64 of one axis, got {tensor.dtype} of shape {tuple(tensor.shape)}")
        if tensor.device != indptr.device:
            raise ValueError(f"{name} must be on the device of indptr, {indptr.device}, got {tensor.device}")
    if len(indptr) != len(centers) * num_regions + 1:
        raise ValueError(
            f"indptr must have {len(centers)} queries * {num_regions} regions + 1 entries, got {len(indptr)}"
        )


def check_contents(indptr: Tensor, indices: Tensor, centers: Tensor, num_sources: int) -> None:
    """Check every entry.

    Raises:
        ValueError: the first rule that is broken.
    """
    steps = indptr.diff()
    if indptr[0] != 0 or indptr[-1] != len(indices) or bool((steps < 0).any()):
        raise ValueError(f"indptr must ascend from 0 to the {len(indices)} indices there are")
    _check_range("indices", indices, 0, num_sources)
    _check_range("centers", centers, -1, num_sources)
    starts = torch.zeros(len(indices) + 1, dtype=torch.bool, device=indices.device)
    starts[indptr] = True
    if bool(((indices.diff() < 0) & ~starts[1 : len(indices)]).any()):
        raise ValueError("indices must be ascending within each bag")


def _check_range(name: str, values: Tensor, low: int, high: int) -> None:
    if len(values) and (int(values.min()) < low or int(values.max()) >= high):
        raise ValueError(f"{name} must be in {low}..{high - 1}, got {int(values.min())}..{int(values.max())}")
