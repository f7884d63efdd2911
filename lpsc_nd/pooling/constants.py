"""What a stencil means to tensor code: small constant tensors, and numbers that a tracing compiler takes for constants.

Eager code keeps the tensors; a traced graph gets its own, made of numbers that the functions marked as constant return
without being traced themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from lpsc_nd.geometry import Reduction
from lpsc_nd.geometry.stencil import Stencil
from lpsc_nd.native.library import PassKind
from lpsc_nd.pooling.compiled_tables import least_reading
from lpsc_nd.pooling.plain import is_traced, is_transformed, is_watched
from lpsc_nd.pooling.runs import MOST_DOUBLINGS, runs

F = TypeVar("F", bound=Callable[..., Any])

Cell = tuple[int, ...]
"""Coordinates in a window, per axis."""

Key = tuple[Callable[..., Any], str, bool, Reduction, torch.dtype, torch.device]
"""What gives the values, stencil token, whether the centre counts, reduction, type, device."""


def constant_result(function: F) -> F:
    """Mark a function as ``torch.compiler.assume_constant_result`` does, without importing dynamo: a whole second."""
    function._dynamo_marked_constant = True  # type: ignore[attr-defined]
    return function


def region_divisors(stencil: Stencil, reduction: Reduction, like: Tensor) -> Tensor:
    """Return what each region's sum is divided by, (R,), in the type and on the device of ``like``."""
    return _constant((_divisors, stencil.token, False, reduction, like.dtype, like.device), like)


def bag_taps(stencil: Stencil, center: bool, reduction: Reduction, like: Tensor) -> Tensor:
    """Return what each cell counts in each bag, (bags, cells), in the type and on the device of ``like``: 1 / N_r
    for the mean of a region and 1 for the sum, 1 for the centre."""
    taps = _constant((_taps, stencil.token, center, reduction, like.dtype, like.device), like)
    return taps if taps.ndim == 2 else taps.view(0, stencil.num_cells)  # without bags


@constant_result
def rows_read(token: str, center: bool) -> int:
    """Return the table rows that one site reads at the best, each doubling of the table counted as two."""
    return _rows_read(token, center)


@constant_result
def taps_read(token: str, center: bool, kind: PassKind) -> float:
    """Return how long a site's reading takes compiled kernels, in taps."""
    return least_reading(Stencil.from_token(token), center, kind)


@constant_result
def cells_read(token: str, center: bool) -> int:
    """Return how many cells a window's bags hold together."""
    return int(Stencil.from_token(token).bags(center=center)[0][-1])


@constant_result
def bag_cells(token: str, center: bool) -> tuple[tuple[Cell, ...], ...]:
    """Return the coordinates in the window of each bag's cells, row-major."""
    return _bag_cells(token, center)


def _constant(key: Key, like: Tensor) -> Tensor:
    own = is_traced() or is_transformed() or is_watched() or type(like) not in (Tensor, nn.Parameter)
    return _make(key) if own else _kept(key)  # one made within a transform or a mode belongs to that


@lru_cache(maxsize=64)
def _kept(key: Key) -> Tensor:
    with torch.inference_mode(False):  # so that autograd can save it later
        return _make(key)


def _make(key: Key) -> Tensor:
    values, token, center, reduction, dtype, device = key
    return torch.tensor(values(token, center, reduction), dtype=dtype, device=device)


@constant_result
def _divisors(token: str, center: bool, reduction: Reduction) -> list[int]:
    divisors: list[int] = Stencil.from_token(token).divisors(reduction).tolist()
    return divisors


@constant_result
def _taps(token: str, center: bool, reduction: Reduction) -> list[list[float]]:
    stencil = Stencil.from_token(token)
    taps: list[list[float]] = stencil.taps(reduction).reshape(stencil.num_regions, stencil.num_cells).tolist()
    if center:
        taps.append([float(cell == stencil.center_cell) for cell in range(stencil.num_cells)])
    return taps


@lru_cache(maxsize=64)
def _bag_cells(token: str, center: bool) -> tuple[tuple[Cell, ...], ...]:
    stencil = Stencil.from_token(token)
    indptr, cells = stencil.bags(center=center)
    coordinates = [tuple(cell) for cell in np.transpose(np.unravel_index(cells, stencil.kernel_size)).tolist()]
    return tuple(tuple(coordinates[start:stop]) for start, stop in pairwise(indptr))


@lru_cache(maxsize=256)
def _rows_read(token: str, center: bool) -> int:
    stencil = Stencil.from_token(token)
    return min(len(runs(stencil, center, most).cells) + 2 * most for most in range(MOST_DOUBLINGS + 1))
