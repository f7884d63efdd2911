"""Whether the parts of a pyramid fit together."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from lpsc_nd import _checks
from lpsc_nd.points.neighborhood import Neighborhood


def check_shapes(
    positions: Any, batches: Any, neighborhoods: Any, down: Any, up: Any, cluster: Any, num_clouds: Any
) -> None:
    """Check types, lengths and devices, which takes no time.

    Raises:
        TypeError: a part of another type.
        ValueError: lengths that contradict each other, several devices.
    """
    _checks.integer("num_clouds", num_clouds, minimum=0)
    depth = _checks.integer("the number of levels in positions", len(positions), minimum=1)
    expected = {"batches": depth, "neighborhoods": depth, "down": depth - 1, "up": depth - 1}
    for name, parts in {"batches": batches, "neighborhoods": neighborhoods, "down": down, "up": up}.items():
        if len(parts) != expected[name]:
            raise ValueError(f"{name} must have {expected[name]} entries for {depth} levels, got {len(parts)}")
    sizes = [_rows(f"positions[{level}]", part, positions[0]) for level, part in enumerate(positions)]
    _check_index("cluster", cluster, None, cluster)
    for level, size in enumerate(sizes):
        _check_index(f"batches[{level}]", batches[level], size, cluster)
        _check_table(f"neighborhoods[{level}]", neighborhoods[level], size, size, cluster)
    for level, (fine, coarse) in enumerate(pairwise(sizes)):
        _check_index(f"up[{level}]", up[level], fine, cluster)
        _check_table(f"down[{level}]", down[level], fine, coarse, cluster)
    if positions[0].device != cluster.device:
        raise ValueError(f"positions must be on the device of cluster, {cluster.device}, got {positions[0].device}")


def check_contents(
    positions: Sequence[Tensor],
    batches: Sequence[Tensor],
    neighborhoods: Sequence[Neighborhood],
    down: Sequence[Neighborhood],
    up: Sequence[Tensor],
    cluster: Tensor,
    num_clouds: int,
) -> None:
    """Check every entry.

    Raises:
        ValueError: the first rule that is broken.
    """
    for level, batch in enumerate(batches):
        _check_range(f"batches[{level}]", batch, num_clouds)
        if bool((batch.diff() < 0).any()):
            raise ValueError(f"batches[{level}] must be ascending")
    for one in (*neighborhoods, *down):
        one.validate()
    _check_range("cluster", cluster, len(positions[0]))
    for level, nearest in enumerate(up):
        _check_range(f"up[{level}]", nearest, len(positions[level + 1]))
        if not torch.equal(batches[level + 1][nearest], batches[level]):
            raise ValueError(f"up[{level}] must stay in the cloud of each point")
    for level, points in enumerate(positions):
        if not bool(points.isfinite().all()):
            raise ValueError(f"positions[{level}] must be finite")


def check_alike(pyramids: Sequence[dict[str, Any]]) -> None:
    """Refuse to join pyramids of different kinds.

    Raises:
        ValueError: none, or what differs.
    """
    if not pyramids:
        raise ValueError("collate needs at least one pyramid, got none")
    for name, values in {
        "depth": {len(fields["positions"]) for fields in pyramids},
        "ndim": {fields["positions"][0].shape[1] for fields in pyramids},
        "type of positions": {str(fields["positions"][0].dtype) for fields in pyramids},
        "device": {str(fields["cluster"].device) for fields in pyramids},
    }.items():
        if len(values) > 1:
            raise ValueError(f"pyramids must have the same {name} to be joined, got {sorted(values)}")


def _rows(name: str, points: Any, first: Any) -> int:
    """Return the number of points of a level."""
    if not isinstance(points, Tensor) or not points.is_floating_point():
        kind = points.dtype if isinstance(points, Tensor) else type(points).__name__
        raise TypeError(f"{name} must be a floating-point tensor, got {kind}")
    if points.ndim != 2 or points.shape[1] == 0 or points.shape[1] != first.shape[1]:
        raise ValueError(f"{name} must have shape (points, ndim), the same ndim in all, got {tuple(points.shape)}")
    if points.dtype != first.dtype or points.device != first.device:
        raise ValueError(
            f"{name} must be like positions[0], {first.dtype} on {first.device}, got {points.dtype} on {points.device}"
        )
    return len(points)


def _check_index(name: str, index: Any, length: int | None, cluster: Tensor) -> None:
    if not isinstance(index, Tensor):
        raise TypeError(f"{name} must be a tensor, got {type(index).__name__}")
    if index.dtype != torch.int64 or index.ndim != 1:
        raise ValueError(f"{name} must be int64 of one axis, got {index.dtype} of shape {tuple(index.shape)}")
    if length is not None and len(index) != length:
        raise ValueError(f"{name} must have one entry for each of {length} points, got {len(index)}")
    if index.device != cluster.device:
        raise ValueError(f"{name} must be on the device of cluster, {cluster.device}, got {index.device}")


def _check_table(name: str, table: Any, sources: int, queries: int, cluster: Tensor) -> None:
    if not isinstance(table, Neighborhood):
        raise TypeError(f"{name} must be a Neighborhood, got {type(table).__name__}")
    if (table.num_sources, table.num_queries) != (sources, queries):
        raise ValueError(
            f"{name} must have {sources} sources and {queries} queries, as its levels have points, "
            f"got {table.num_sources} and {table.num_queries}"
        )
    if table.device != cluster.device:
        raise ValueError(f"{name} must be on the device of cluster, {cluster.device}, got {table.device}")


def _check_range(name: str, values: Tensor, limit: int) -> None:
    if len(values) and (int(values.min()) < 0 or int(values.max()) >= limit):
        raise ValueError(f"{name} must be in 0..{limit - 1}, got {int(values.min())}..{int(values.max())}")
