"""From the squared distance of an offset to its level: the three conventions in which the paper can be read.

    paper     level l holds R_{l-1} < d <= R_l, the radii growing by ``growth``; beyond the field there is no level
    official  the same limits, but what lies beyond the last radius joins the last level, and the centre the first
    literal   level l holds R_{l-1} <= d < R_l, the squared radii growing by ``growth``

with R_1 = max(minimum, R / growth^(L-1)) (growth^((L-1)/2) in the literal reading). Where the minimum applies, the
limits can pass the radius R: "paper" then cuts the field at max(R, R_1), the other two keep the limits.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from lpsc_nd.geometry._types import BoolArray, FloatArray, IntArray

Convention = Literal["paper", "official", "literal"]
CONVENTIONS: tuple[str, ...] = get_args(Convention)

RELATIVE_TOLERANCE = 1e-6
"""A squared distance within this share of a limit counts as lying exactly on it."""

FEW_BORDERS = 16
"""Up to so many borders are compared one by one."""


def squared_limits(
    radius: float, num_levels: int, growth: float, minimum: float, convention: Convention
) -> tuple[float, ...]:
    """Return the squared outer radius of every level, innermost first."""
    outwards = np.arange(num_levels, dtype=np.float64)
    with np.errstate(over="ignore", under="ignore"):
        step = np.float64(growth) if convention == "literal" else np.square(np.float64(growth))
        limits = np.square(np.float64(radius)) * step ** -outwards[::-1]
        if minimum**2 > limits[0]:
            limits = minimum**2 * step**outwards
    if convention == "paper":
        limits = np.minimum(limits, max(radius**2, limits[0]))
    return tuple(float(limit) for limit in limits)


def levels(squared: FloatArray, center: BoolArray, limits: tuple[float, ...], convention: Convention) -> IntArray:
    """Return the level of each squared distance, from 1; 0 where there is none. ``center`` marks the offset zero."""
    if convention == "literal":
        level = count_passed(squared, np.asarray(limits) * (1 - RELATIVE_TOLERANCE), side="right") + 1
    else:
        level = count_passed(squared, np.asarray(limits) * (1 + RELATIVE_TOLERANCE), side="left") + 1
    if convention == "official":
        return np.minimum(level, len(limits))
    inside = (level <= len(limits)) & ~center
    return np.where(inside, level, 0)


def count_passed(values: FloatArray, borders: FloatArray, side: Literal["left", "right"]) -> IntArray:
    """Return how many ascending borders each value has passed, a border itself counting with side "right".

    It is ``np.searchsorted``, which for a few borders is slower than comparing with each of them.
    """
    if len(borders) > FEW_BORDERS:
        return np.searchsorted(borders, values, side=side).astype(np.int64)
    passed = np.zeros(len(values), dtype=np.int64)
    for border in borders:
        passed += values >= border if side == "right" else values > border
    return passed
