"""The field's own frame: how an ellipse or ellipsoid is turned, and how long its semi-axes are."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lpsc_nd import _checks
from lpsc_nd.geometry._types import FloatArray

Matrix = tuple[tuple[float, ...], ...]


def check_rotation(ndim: int, rotation: Any) -> Matrix | None:
    """Check an orthogonal ``(ndim, ndim)`` matrix and return it as nested tuples.

    Raises:
        ValueError: another shape, entries that are not finite, or a matrix that is not orthogonal (a singular one
            among them).
    """
    if rotation is None:
        return None
    matrix = _checks.table("rotation", rotation)
    if matrix.shape != (ndim, ndim):
        raise ValueError(f"rotation must have shape ({ndim}, {ndim}), got {matrix.shape}")
    if not np.isfinite(matrix).all() or not np.allclose(matrix @ matrix.T, np.eye(ndim), atol=1e-6):
        raise ValueError(f"rotation must be an orthogonal matrix (its transpose its inverse), got {matrix.tolist()}")
    return tuple(tuple(float(entry) for entry in row) for row in matrix)


def turn(ndim: int, angle: float) -> FloatArray:
    """Return the rotation by ``angle`` radians in the plane of the last two axes, counter-clockwise on screen.

    The columns are the turned frame's axes in array-axis order (..., y downwards, x to the right), so
    ``offsets @ turn(ndim, angle)`` are the offsets as seen from the turned frame.
    """
    matrix = np.eye(ndim)
    if angle:
        cos, sin = math.cos(angle), math.sin(angle)
        matrix[-2:, -2:] = [[cos, -sin], [sin, cos]]
    return matrix


def ellipse_axes(eccentricity: float, height: float, width: float) -> tuple[float, float]:
    """Return the semi-axes (y, x) of the largest ellipse of ``eccentricity`` = y / x in a box of these half-extents."""
    semi_x = min(width, height / eccentricity)
    return semi_x * eccentricity, semi_x


def check_axes(ndim: int, axes: Any) -> tuple[float, ...] | None:
    """Check the field's semi-axes, one per array axis, each > 0."""
    return None if axes is None else _checks.numbers("axes", axes, ndim, above=0.0)
