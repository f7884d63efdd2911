"""All pairs of a query and a source within the field, from KD-trees, in blocks of bounded size."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from lpsc_nd.geometry import Field
from lpsc_nd.geometry._types import FloatArray, IntArray
from lpsc_nd.points.checks import FRAME_TOLERANCE

PAIRS_AT_ONCE = 1 << 22
"""Up to about this many pairs are searched at once; that takes some 150 MiB for a moment."""
PAIRS_PER_BLOCK = 1 << 20
"""Beyond, each block of the search holds about this many."""
SAMPLE_STEP = 16
"""One query in so many is counted for the estimate: consecutive queries of a tree are neighbours, a leaf has 16."""
WIDER = 2e-6
"""The search reaches further by this share, as partitions count what lies on a border as inside; they decide."""

Pairs = tuple[IntArray, IntArray]


@dataclass(frozen=True)
class Search:
    """Points in a space where the field is a ball.

    Args:
        sources: (S, axes).
        queries: (Q, axes), or None where they are the sources themselves.
        radius: of the ball.
    """

    sources: FloatArray
    queries: FloatArray | None
    radius: float

    @classmethod
    def prepare(
        cls,
        field: Field,
        sources: FloatArray,
        queries: FloatArray | None,
        batches: tuple[IntArray, IntArray],
        *,
        turned: bool,
    ) -> Search:
        """Bring the points into the space of the search.

        Clouds stand two radii apart along one more axis. Within a cloud its differences are exactly zero, between
        clouds they exceed the radius, so one tree serves all of them and no pair crosses.

        Args:
            field: an offset o can only be in a region if ``|o @ matrix| <= radius``.
            sources: (S, ndim).
            queries: (Q, ndim), or None for the sources.
            batches: the cloud of each source and of each query.
            turned: whether each query turns the field, so that the ball around it is searched.
        """
        scale, radius = _ball(field, turned=turned)
        sets = [sources] if queries is None else [sources, queries]
        largest = max(float(np.abs(points).max(initial=0.0)) for points in sets)
        if scale is not None:
            sets, largest = [points @ scale for points in sets], largest * float(np.linalg.norm(scale, ord=2))
        radius = radius * (1 + WIDER) + 8 * field.ndim * float(np.finfo(np.float64).eps) * largest
        clouds = np.unique(np.concatenate(batches))
        if len(clouds) > 1:
            step = 2 * radius or 1.0
            places = [np.searchsorted(clouds, batch) * step for batch in batches[: len(sets)]]
            sets = [np.column_stack([points, place]) for points, place in zip(sets, places, strict=True)]
        return cls(sets[0], sets[1] if len(sets) > 1 else None, radius)

    def run(self) -> tuple[float, Iterator[Pairs]]:
        """Return an estimate of how many pairs there are, and the pairs (query, source), block by block."""
        targets = self.sources if self.queries is None else self.queries
        if len(self.sources) == 0 or len(targets) == 0:
            return 0.0, iter(())
        tree = cKDTree(self.sources)
        target_tree = tree if self.queries is None else cKDTree(targets)
        order = target_tree.indices
        step = SAMPLE_STEP if len(order) > SAMPLE_STEP else 1
        counts = tree.query_ball_point(targets[order[step // 2 :: step]], self.radius, return_length=True)
        around = np.repeat(counts, step)[: len(order)].astype(np.float64)
        around = np.pad(around, (0, len(order) - len(around)), mode="edge")
        total = float(around.sum())
        if total <= PAIRS_AT_ONCE:
            return total, self._at_once(tree, target_tree)
        return total, self._in_blocks(tree, targets, order, around)

    def _at_once(self, tree: cKDTree, target_tree: cKDTree) -> Iterator[Pairs]:
        if self.queries is not None:
            yield _between(target_tree, tree, self.radius)
            return
        pairs = tree.query_pairs(self.radius, output_type="ndarray")
        one, other = np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1])
        itself = np.arange(tree.n)
        yield np.concatenate([one, other, itself]), np.concatenate([other, one, itself])

    def _in_blocks(self, tree: cKDTree, targets: FloatArray, order: IntArray, around: FloatArray) -> Iterator[Pairs]:
        block = (np.cumsum(around) // PAIRS_PER_BLOCK).astype(np.int64)
        for chosen in np.split(order, np.flatnonzero(np.diff(block)) + 1):
            query, source = _between(cKDTree(targets[chosen]), tree, self.radius)
            yield chosen[query], source


def _between(queries: cKDTree, sources: cKDTree, radius: float) -> Pairs:
    found = queries.sparse_distance_matrix(sources, radius, output_type="ndarray")
    return np.ascontiguousarray(found["i"]), np.ascontiguousarray(found["j"])


def _ball(field: Field, *, turned: bool) -> tuple[FloatArray | None, float]:
    """Return the matrix that makes the field a ball, None where it is one already, and the ball's radius."""
    gram = field.matrix @ field.matrix.T
    scale = float(np.trace(gram)) / field.ndim
    if np.allclose(gram, scale * np.eye(field.ndim), rtol=0.0, atol=1e-9 * scale):
        radius = field.radius / math.sqrt(scale)
        return None, radius / math.sqrt(1 - field.ndim * FRAME_TOLERANCE) if turned else radius
    if turned:
        return None, field.reach / math.sqrt(1 - field.ndim * FRAME_TOLERANCE)
    return field.matrix, field.radius
