"""A partition on a point set: which sources lie in which region around which query."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lpsc_nd.geometry import BoundedPartition, Partition
from lpsc_nd.points import batches, building, consistency, edges, storage


@dataclass(frozen=True, eq=False, repr=False)
class Neighborhood:
    """For every query and region the sources that lie in it, in CSR form: the index that point layers pool over.

    Bag ``b = query * num_regions + region - 1`` holds the sources ``indices[indptr[b]:indptr[b + 1]]``, ascending.
    Make one with :meth:`build`, :meth:`from_edges`, :meth:`collate` or :meth:`load`.

    Args:
        indptr: int64 (num_queries * num_regions + 1).
        indices: int64 (number of neighbours).
        centers: int64 (num_queries), the source at offset zero, or -1; of several coincident ones the first.
        num_sources: how many points the indices refer to.
        num_regions: how many regions each query has.
        num_cut: how many neighbours ``max_neighbors`` left out.

    Raises:
        TypeError, ValueError: arrays of another type, or whose lengths contradict each other. Their contents are
            checked by :meth:`validate`.
    """

    indptr: Tensor
    indices: Tensor
    centers: Tensor
    num_sources: int
    num_regions: int
    num_cut: int = 0

    def __post_init__(self) -> None:
        consistency.check_shapes(**self._parts())

    @classmethod
    def build(
        cls,
        partition: BoundedPartition,
        sources: Any,
        queries: Any = None,
        *,
        source_batch: Any = None,
        query_batch: Any = None,
        max_neighbors: int | None = None,
        frames: Any = None,
    ) -> Neighborhood:
        """Find the sources in the field around every query, and their regions, ``partition.region(source - query)``.

        Args:
            partition: a :class:`LogPolarPartition`, a :class:`CellPartition`, or any object with ``num_regions``,
                ``region(offsets)`` and ``field()``, see :class:`lpsc_nd.geometry.BoundedPartition`.
            sources: points (S, ndim), an array or tensor in array-axis order, e.g. (z, y, x).
            queries: points (Q, ndim); the sources themselves by default.
            source_batch: cloud of each source, ascending integers (S,); pairs do not cross clouds.
            query_batch: cloud of each query (Q,), given if and only if ``queries`` and ``source_batch`` are.
            max_neighbors: keep so many of the neighbours of each query, the nearest as the field measures distance, of
                equally near ones the first. None keeps all. What is cut is counted in ``num_cut``, with a warning.
            frames: orthogonal matrices (Q, ndim, ndim) whose columns are the axes of each query's own frame; regions
                are those of ``frame^T (source - query)``.

        Returns:
            A neighbourhood on the device of ``sources``.

        Raises:
            TypeError: ``partition`` is not one, or does not tell its bound.
            ValueError: the convention "official", which exists on grids only; points that are not (n, ndim), NaN or
                infinite; batch vectors that are unsorted, negative or of another length; frames not orthogonal.
            MemoryError: more neighbours than fit; it names the size and a smaller radius.

        >>> from lpsc_nd import LogPolarPartition
        >>> Neighborhood.build(LogPolarPartition(1, 2.0, 1, 2, 2.0), [[0.0], [1.0], [5.0]]).counts.tolist()
        [[1, 0], [0, 1], [0, 0]]
        """
        clouds = building.Clouds.check(partition, sources, queries, source_batch, query_batch, frames)
        return cls(**building.build(clouds, max_neighbors))

    @classmethod
    def from_edges(
        cls,
        edge_index: Any,
        *,
        partition: Partition | None = None,
        sources: Any = None,
        queries: Any = None,
        frames: Any = None,
        regions: Any = None,
        num_regions: int | None = None,
        num_sources: int | None = None,
        num_queries: int | None = None,
        centers: Any = None,
    ) -> Neighborhood:
        """Take the edges of a graph instead of a search; their regions are given, or come from the positions.

        An edge that occurs twice counts twice. Without ``queries`` and ``num_queries`` the graph has one set of nodes,
        and every node is its own centre, self-loop or not; a self-loop is in a bag only if its region is not 0.

        Args:
            edge_index: integers (2, E): row 0 the source, row 1 the query of each edge; or an object that has
                ``edge_index`` and, as far as needed, ``pos`` and ``num_nodes``, such as a graph of PyTorch Geometric.
            partition: gives the region of ``source - query``; needs ``sources``.
            sources: positions (S, ndim).
            queries: positions (Q, ndim); the sources themselves by default.
            frames: as in :meth:`build`.
            regions: instead of ``partition``: integers (E,), 0 for no region.
            num_regions: how many regions there are; needed with ``regions``.
            num_sources: where there are no positions.
            num_queries: where there are no positions and the queries are other nodes than the sources.
            centers: integers (Q,), the centre of each query, -1 for none. By default, of positions the first source at
                offset zero among a query's edges and the query itself; without positions the node itself, or none
                where the queries are other nodes.

        Raises:
            TypeError, ValueError: arguments missing or of the wrong shape, indices or region codes out of range.

        >>> Neighborhood.from_edges([[0, 1], [1, 0]], regions=[1, 2], num_regions=2, num_sources=2).counts.tolist()
        [[0, 1], [1, 0]]
        """
        graph = edges.Graph.check(edge_index, sources, queries, num_sources, num_queries)
        labels = edges.Labels(partition, frames, regions, num_regions)
        return cls(**edges.build(graph, labels, centers))

    @classmethod
    def collate(cls, neighborhoods: Sequence[Neighborhood]) -> Neighborhood:
        """Join the neighbourhoods of several clouds, whose sources and queries then follow one another.

        Raises:
            ValueError: none given, or of different numbers of regions or devices.
        """
        return cls(**batches.collate([one._parts() for one in neighborhoods]))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write to a file, whole or not at all; see :mod:`lpsc_nd.points.storage` for the format."""
        storage.save(path, **self._parts())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Neighborhood:
        """Read what :meth:`save` wrote; nothing in the file is executed.

        Raises:
            FileNotFoundError: no such file.
            ValueError: a file that is foreign, damaged, cut short or of a newer version; the message names it.
        """
        return cls(**storage.load(path))

    def validate(self) -> None:
        """Check the contents, which takes time linear in the neighbours.

        Raises:
            ValueError: ``indptr`` is not ascending from 0 to the number of indices, an index or centre is out of
                range, or a bag is not ascending.
        """
        consistency.check_contents(self.indptr, self.indices, self.centers, self.num_sources)

    @property
    def num_queries(self) -> int:
        """How many queries there are."""
        return len(self.centers)

    @property
    def counts(self) -> Tensor:
        """Number of sources in each region around each query, int64 (num_queries, num_regions)."""
        return self.indptr.diff().view(self.num_queries, self.num_regions)

    @property
    def device(self) -> torch.device:
        """Where the index lies."""
        return self.indices.device

    def to(self, device: torch.device | str | int, non_blocking: bool = False) -> Neighborhood:
        """Return the neighbourhood on ``device``; itself if it is there already."""
        moved = self._map(lambda tensor: tensor.to(device, non_blocking=non_blocking))
        return self if moved.indices is self.indices else moved

    def pin_memory(self) -> Neighborhood:
        """Return a copy in page-locked memory, from which copies to a GPU need not wait."""
        return self._map(Tensor.pin_memory)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Neighborhood):
            return NotImplemented
        return self is other or (
            self._numbers() == other._numbers()
            and self.device == other.device
            and torch.equal(self.indptr, other.indptr)
            and torch.equal(self.indices, other.indices)
            and torch.equal(self.centers, other.centers)
        )

    def __hash__(self) -> int:
        return hash(self._numbers())

    def __repr__(self) -> str:
        return (
            f"Neighborhood(num_queries={self.num_queries}, num_sources={self.num_sources}, "
            f"num_regions={self.num_regions}, neighbors={len(self.indices)}, device='{self.device}')"
        )

    def _parts(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    def _numbers(self) -> tuple[int, ...]:
        return self.num_queries, self.num_sources, self.num_regions, self.num_cut, len(self.indices)

    def _map(self, change: Any) -> Neighborhood:
        parts = self._parts()
        return Neighborhood(**{k: change(v) if isinstance(v, Tensor) else v for k, v in parts.items()})
