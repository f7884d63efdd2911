"""What a stencil means to tensor code, as plain numbers that a tracing compiler takes for constants.

Each function takes the stencil's token, a string, and is not traced: its result is written into the graph.
"""

from __future__ import annotations

from functools import lru_cache

import torch

from lpsc_nd.geometry import Reduction, Stencil
from lpsc_nd.pooling.runs import MOST_DOUBLINGS, runs


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def cell_codes(token: str) -> list[int]:
    """Return the region of every cell of the window, row-major; 0 is none."""
    codes: list[int] = Stencil.from_token(token).mask.ravel().tolist()
    return codes


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def region_divisors(token: str, reduction: Reduction) -> list[int]:
    """Return what each region's sum is divided by."""
    divisors: list[int] = Stencil.from_token(token).divisors(reduction).tolist()
    return divisors


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def rows_read(token: str, center: bool) -> int:
    """Return the table rows that one site reads at the best, each doubling of the table counted as two."""
    return _rows_read(token, center)


@lru_cache(maxsize=256)
def _rows_read(token: str, center: bool) -> int:
    stencil = Stencil.from_token(token)
    return min(len(runs(stencil, center, most).cells) + 2 * most for most in range(MOST_DOUBLINGS + 1))
