"""Point clouds at the door: coordinates, batch vectors and frames, checked before scipy sees them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from lpsc_nd import _checks
from lpsc_nd.geometry._types import FloatArray, IntArray

FRAME_TOLERANCE = 1e-5
"""How far the product of a frame with its transpose may be from the identity."""


def points(name: str, points: Any, ndim: int | None = None) -> FloatArray:
    """Return points (n, ndim) as float64.

    Raises:
        TypeError: something that is not an array of real numbers.
        ValueError: another shape, NaN or infinity.
    """
    array = _checks.table(name, _numpy(name, points))
    expected = "ndim" if ndim is None else ndim
    if array.ndim != 2 or array.shape[1] == 0 or array.shape[1] != (array.shape[1] if ndim is None else ndim):
        raise ValueError(f"{name} must have shape (n, {expected}), got {array.shape}")
    if not np.isfinite(array).all():
        row = int(np.flatnonzero(~np.isfinite(array).all(axis=1))[0])
        raise ValueError(f"{name} must be finite, got {array[row].tolist()} in row {row}; remove such points first")
    return array


def batch(name: str, batch: Any, length: int) -> IntArray:
    """Return a batch vector, the cloud of each point, as int64; None is one cloud, 0.

    Raises:
        ValueError: not integers, another length than there are points, a negative entry, or not ascending.
    """
    if batch is None:
        return np.zeros(length, dtype=np.int64)
    array = integers(name, batch)
    if array.shape != (length,):
        raise ValueError(f"{name} must have one entry per point, shape ({length},), got {array.shape}")
    if length and array.min() < 0:
        raise ValueError(f"{name} must not be negative, got {array.min()}")
    if (np.diff(array) < 0).any():
        row = int(np.flatnonzero(np.diff(array) < 0)[0])
        raise ValueError(
            f"{name} must be ascending, got {array[row]} before {array[row + 1]}; sort the points by cloud"
        )
    return array


def integers(name: str, values: Any) -> IntArray:
    """Return integers of any shape as int64; a ValueError if they are of another type."""
    array = np.asarray(_numpy(name, values))
    if array.size == 0 and not isinstance(values, (np.ndarray, Tensor)):
        array = array.astype(np.int64)
    if not np.issubdtype(array.dtype, np.integer):
        raise ValueError(f"{name} must hold integers, got {array.dtype}")
    return array.astype(np.int64)


def frames(frames: Any, length: int, ndim: int) -> FloatArray | None:
    """Return orthogonal frames (length, ndim, ndim) as float64, columns being the axes of each.

    Raises:
        ValueError: another shape, entries that are not finite, or a frame that is not orthogonal.
    """
    if frames is None:
        return None
    array = _checks.table("frames", _numpy("frames", frames))
    if array.shape != (length, ndim, ndim):
        raise ValueError(f"frames must have shape ({length}, {ndim}, {ndim}), one per query, got {array.shape}")
    error = np.abs(np.einsum("qji,qjk->qik", array, array) - np.eye(ndim)).max(axis=(1, 2), initial=0.0)
    wrong = np.flatnonzero(~(error <= FRAME_TOLERANCE))
    if len(wrong):
        raise ValueError(
            f"frames must be orthogonal (columns of unit length at right angles), got {array[wrong[0]].tolist()} for "
            f"query {wrong[0]}; take the Q of a QR decomposition"
        )
    return array


def device_of(points: Any) -> torch.device:
    """Return where points are: a tensor's device, else the CPU."""
    return points.device if isinstance(points, Tensor) else torch.device("cpu")


def _numpy(name: str, values: Any) -> Any:
    if isinstance(values, Tensor):
        if values.is_complex():
            raise TypeError(f"{name} must hold real numbers, got {values.dtype}")
        with torch._C._DisableFuncTorch():  # whose transforms hide the numbers of what is made within them
            values = values.detach().cpu()
            return (values.double() if values.is_floating_point() else values).numpy()
    if isinstance(values, np.ndarray) and np.iscomplexobj(values):
        raise TypeError(f"{name} must hold real numbers, got complex ones")
    return values
