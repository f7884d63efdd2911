"""Several clouds as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def collate(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Join neighbourhoods, given and returned as the arguments of their class: indices are shifted, bags follow.

    Raises:
        ValueError: none, different numbers of regions, different devices.
    """
    if not parts:
        raise ValueError("collate needs at least one neighborhood, got none")
    for name, values in {
        "num_regions": {part["num_regions"] for part in parts},
        "device": {str(part["indices"].device) for part in parts},
    }.items():
        if len(values) > 1:
            raise ValueError(f"neighborhoods must have the same {name} to be joined, got {sorted(values)}")
    sources = _starts([part["num_sources"] for part in parts])
    pointers = _starts([len(part["indices"]) for part in parts])
    indptr = [part["indptr"][1:] + start for part, start in zip(parts, pointers, strict=False)]
    return {
        "indptr": torch.cat([parts[0]["indptr"][:1], *indptr]),
        "indices": torch.cat([part["indices"] + start for part, start in zip(parts, sources, strict=False)]),
        "centers": torch.cat([_shift(part["centers"], start) for part, start in zip(parts, sources, strict=False)]),
        "num_sources": sources[-1],
        "num_regions": parts[0]["num_regions"],
        "num_cut": sum(part["num_cut"] for part in parts),
    }


def _starts(lengths: list[int]) -> list[int]:
    """Return where each piece starts, and the total."""
    starts = [0]
    for length in lengths:
        starts.append(starts[-1] + length)
    return starts


def _shift(centers: Tensor, start: int) -> Tensor:
    return torch.where(centers < 0, centers, centers + start)
