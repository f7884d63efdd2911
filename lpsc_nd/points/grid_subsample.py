"""Thinning a cloud to one point per cell of a grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lpsc_nd import _checks
from lpsc_nd.geometry._types import FloatArray, IntArray
from lpsc_nd.points import checks
from lpsc_nd.points.segments import reduce_segments

LARGEST_CELL = 2.0**52
"""Beyond it neighbouring cells cannot be told apart in float64."""


@dataclass(frozen=True, eq=False)
class Subsample:
    """A thinned cloud.

    Args:
        points: means of the points in each occupied cell, (m, ndim).
        features: means of their features, (m, ...), or None.
        batch: cloud of each new point, int64 (m,).
        cluster: the new point of each old one, int64 (n,); ``features[cluster]`` carries values back.
    """

    points: Tensor
    features: Tensor | None
    batch: Tensor
    cluster: Tensor


def grid_subsample(
    points: Any, cell_size: float | Sequence[float], *, batch: Any = None, features: Tensor | None = None
) -> Subsample:
    """Replace the points in each cell of a grid by their mean; cell ``floor(point / cell_size)``, per cloud.

    New points are ordered by cloud, then by cell, first axis first, so their order does not depend on that of the
    points. Both means are taken in float64 and are differentiable.

    Args:
        points: (n, ndim), an array or tensor.
        cell_size: side of a cell, one number or one per axis.
        batch: cloud of each point, ascending integers; None is one cloud.
        features: (n, ...) floating-point tensor.

    Raises:
        ValueError: points that are not (n, ndim) or not finite, a size that is not positive or too small to number the
            cells, a batch vector that is unsorted, negative or of another length, features of another length.

    >>> grid_subsample([[0.1], [0.3], [1.5]], 1.0).cluster.tolist()
    [0, 0, 1]
    """
    array = checks.points("points", points)
    clouds = checks.batch("batch", batch, len(array))
    cells = _cells(array, _checks.numbers("cell_size", cell_size, array.shape[1], above=0.0))
    first, cluster, counts = _group(np.column_stack([clouds, cells]))
    place = points.device if isinstance(points, Tensor) else torch.device("cpu")
    order = torch.from_numpy(np.argsort(cluster, kind="stable")).to(place)
    lengths = torch.from_numpy(counts).to(place)
    coordinates = points if isinstance(points, Tensor) else torch.from_numpy(array)
    kept = coordinates.dtype if coordinates.is_floating_point() else torch.float64
    return Subsample(
        reduce_segments(coordinates.to(kept)[order], lengths, "mean"),
        None if features is None else _means(features, order, lengths),
        torch.from_numpy(clouds[first]).to(place),
        torch.from_numpy(cluster).to(place),
    )


def _cells(points: FloatArray, size: tuple[float, ...]) -> IntArray:
    with np.errstate(over="ignore"):
        cells = np.floor(points / np.asarray(size))
    if (np.abs(cells) > LARGEST_CELL).any():
        raise ValueError(f"cell_size {size} is too small for coordinates of up to {np.abs(points).max():g}")
    return np.asarray(cells, dtype=np.int64)


def _group(rows: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Return the first member, the group of each row, and the sizes, groups in lexicographic order."""
    order = np.lexsort(rows.T[::-1])
    ordered = rows[order]
    new = np.append(True, (ordered[1:] != ordered[:-1]).any(axis=1))[: len(rows)]
    group = np.empty(len(rows), dtype=np.int64)
    group[order] = np.cumsum(new) - 1
    starts = np.flatnonzero(new)
    return order[starts], group, np.diff(np.append(starts, len(rows))).astype(np.int64)


def _means(features: Any, order: Tensor, lengths: Tensor) -> Tensor:
    if not isinstance(features, Tensor) or not features.is_floating_point() or features.ndim == 0:
        raise ValueError(f"features must be a floating-point tensor (n, ...), got {type(features).__name__}")
    if len(features) != len(order):
        raise ValueError(f"features must have one row per point, {len(order)}, got shape {tuple(features.shape)}")
    return reduce_segments(features[order.to(features.device)], lengths.to(features.device), "mean")
