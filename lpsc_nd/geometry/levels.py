"""From the squared distance of an offset to its level: the three conventions in which the paper can be read.

    paper     level l holds R_{l-1} < d <= R_l, the radii growing by ``growth``; beyond the field there is no level
    official  the same limits, but what lies beyond the last radius joins the last level, and the centre the first
    literal   level l holds R_{l-1} <= d < R_l, the squared radii growing by ``growth``

with R_1 = max(minimum, R / growth^(L-1)) (growth^((L-1)/2) in the literal reading). Where the minimum applies, the
limits can pass the radius R: "paper" then cuts the field at max(R, R_1), the other two keep the limits.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

import numpy as np

from lpsc_nd.geometry._types import FloatArray, IntArray

Convention = Literal["paper", "official", "literal"]
CONVENTIONS: tuple[str, ...] = get_args(Convention)

RELATIVE_TOLERANCE = 1e-6
"""A squared distance within this share of a limit counts as lying exactly on it."""


def squared_limits(
    radius: float, num_levels: int, growth: float, minimum: float, convention: Convention
) -> tuple[float, ...]:
    """Return the squared outer radius of every level, innermost first."""
    step = growth if convention == "literal" else growth**2
    with np.errstate(over="ignore"):
        powers = np.exp(math.log(step) * np.arange(num_levels))
        first = max(minimum**2, float(radius**2 / powers[-1]))
        limits = first * powers
    if convention == "paper":
        limits = np.minimum(limits, max(radius**2, first))
    return tuple(float(limit) for limit in limits)


def levels(squared: FloatArray, limits: tuple[float, ...], convention: Convention) -> IntArray:
    """Return the level of each squared distance, from 1; 0 where there is none."""
    if convention == "literal":
        level = np.searchsorted(np.asarray(limits) * (1 - RELATIVE_TOLERANCE), squared, side="right") + 1
    else:
        level = np.searchsorted(np.asarray(limits) * (1 + RELATIVE_TOLERANCE), squared, side="left") + 1
    if convention == "official":
        return np.minimum(level, len(limits)).astype(np.int64)
    inside = (level <= len(limits)) & (squared > 0)
    return np.where(inside, level, 0).astype(np.int64)
