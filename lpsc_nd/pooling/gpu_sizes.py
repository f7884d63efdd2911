"""How much more is worked on at once on a GPU, which has no caches to mind and wants to be filled."""

from __future__ import annotations

import torch

LARGER_ON_GPU = 16
"""Times as much in a call of an operator as on the CPU. On an H200, in place of the CPU's sizes, bag sums of 9 x 9 take
half as long and those of 31 x 31 a quarter; what is held at once becomes 128 MiB. With 32 times they take up to a
fifth less."""


def times_larger(device: torch.device | str) -> int:
    """Return how many times as much is worked on at once on a device as on the CPU."""
    return 1 if torch.device(device).type == "cpu" else LARGER_ON_GPU
