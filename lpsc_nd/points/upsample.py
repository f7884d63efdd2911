"""From a thinned cloud back to the full one."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from lpsc_nd.geometry._types import FloatArray, IntArray
from lpsc_nd.points import checks


def nearest_upsample(coarse: Any, fine: Any, *, coarse_batch: Any = None, fine_batch: Any = None) -> Tensor:
    """Return the index of the nearest coarse point of the same cloud for every fine point; ties go to the first.

    ``features[nearest_upsample(coarse, fine)]`` carries features of the coarse points to the fine ones.

    Args:
        coarse: (m, ndim), an array or tensor.
        fine: (n, ndim).
        coarse_batch: cloud of each coarse point, ascending integers.
        fine_batch: cloud of each fine point; both or none are given.

    Returns:
        int64 (n,).

    Raises:
        ValueError: a fine point whose cloud has no coarse points, or points and batch vectors as in
            :meth:`Neighborhood.build`.

    >>> nearest_upsample([[0.0], [4.0]], [[1.0], [2.0], [3.0]]).tolist()
    [0, 0, 1]
    """
    few = checks.points("coarse", coarse)
    many = checks.points("fine", fine, few.shape[1])
    if (coarse_batch is None) != (fine_batch is None):
        raise ValueError("coarse_batch and fine_batch must be given together, as both sets have clouds; got one")
    few_clouds = checks.batch("coarse_batch", coarse_batch, len(few))
    many_clouds = checks.batch("fine_batch", fine_batch, len(many))
    missing = np.setdiff1d(many_clouds, few_clouds)
    if len(missing):
        raise ValueError(f"coarse has no points in the clouds {missing.tolist()}, which fine has")
    nearest = np.empty(len(many), dtype=np.int64)
    for cloud in np.unique(many_clouds):
        low, high = np.searchsorted(few_clouds, [cloud, cloud + 1])
        own = slice(*np.searchsorted(many_clouds, [cloud, cloud + 1]))
        nearest[own] = low + _nearest(few[low:high], many[own])
    return torch.from_numpy(nearest).to(checks.device_of(fine))


def _nearest(coarse: FloatArray, fine: FloatArray) -> IntArray:
    if len(coarse) == 1:
        return np.zeros(len(fine), dtype=np.int64)
    tree = cKDTree(coarse)
    distance, index = map(np.asarray, tree.query(fine, k=2))
    nearest: IntArray = index[:, 0].astype(np.int64)
    for row in np.flatnonzero(distance[:, 0] == distance[:, 1]):
        near = np.asarray(tree.query_ball_point(fine[row], distance[row, 0] * (1 + 1e-9), return_sorted=True))
        nearest[row] = near[np.square(coarse[near] - fine[row]).sum(axis=1).argmin()]
    return nearest
