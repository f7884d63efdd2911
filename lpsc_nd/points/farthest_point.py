"""Choosing points that lie far from one another."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lpsc_nd import _checks
from lpsc_nd.geometry._types import FloatArray, IntArray
from lpsc_nd.points import checks


def farthest_point_sample(
    points: Any, num_samples: int | None = None, *, ratio: float | None = None, batch: Any = None, start: int = 0
) -> Tensor:
    """Choose points one after the other, each the farthest from those chosen before; of equally far ones the first.

    No point is chosen twice. The time is proportional to the points times the samples of each cloud.

    Args:
        points: (n, ndim), an array or tensor.
        num_samples: how many to choose from each cloud.
        ratio: instead, a share in (0, 1]: ceil(ratio * points of the cloud).
        batch: cloud of each point, ascending integers; None is one cloud.
        start: which point of each cloud comes first.

    Returns:
        Indices, int64, cloud by cloud in the order of choice.

    Raises:
        ValueError: both or none of ``num_samples`` and ``ratio``; more samples than a cloud has points; a ``start``
            that a cloud does not have; points or a batch vector as in :meth:`Neighborhood.build`.

    >>> farthest_point_sample([[0.0], [1.0], [5.0], [2.0]], 3).tolist()
    [0, 2, 3]
    """
    array = checks.points("points", points)
    clouds = checks.batch("batch", batch, len(array))
    start = _checks.integer("start", start, minimum=0)
    borders = np.append(np.flatnonzero(np.diff(clouds, prepend=-1)), len(clouds))
    chosen = [np.empty(0, dtype=np.int64)]
    for low, high in zip(borders[:-1].tolist(), borders[1:].tolist(), strict=True):
        count = _count(num_samples, ratio, high - low, int(clouds[low]))
        if start >= high - low:
            raise ValueError(f"start must be below the {high - low} points of cloud {clouds[low]}, got {start}")
        chosen.append(low + _sample(array[low:high], count, start))
    _count(num_samples, ratio, None, 0)
    return torch.from_numpy(np.concatenate(chosen)).to(checks.device_of(points))


def _count(num_samples: Any, ratio: Any, size: int | None, cloud: int) -> int:
    if (num_samples is None) == (ratio is None):
        raise ValueError(f"either num_samples or ratio must be given, got {num_samples} and {ratio}")
    if ratio is not None:
        share = _checks.number("ratio", ratio, above=0.0)
        if share > 1:
            raise ValueError(f"ratio must be at most 1, got {share:g}")
        return math.ceil(share * (size or 0))
    count = _checks.integer("num_samples", num_samples, minimum=1)
    if size is not None and count > size:
        raise ValueError(f"num_samples must be at most the {size} points of cloud {cloud}, got {count}; give a ratio")
    return count


def _sample(points: FloatArray, count: int, start: int) -> IntArray:
    columns = np.ascontiguousarray(points.T)
    nearest = np.full(len(points), np.inf)
    chosen = np.empty(count, dtype=np.int64)
    latest = start
    for place in range(count):
        chosen[place] = latest
        nearest[latest] = -np.inf
        np.minimum(nearest, np.square(columns - columns[:, latest, None]).sum(axis=0), out=nearest)
        latest = int(nearest.argmax())
    return chosen
