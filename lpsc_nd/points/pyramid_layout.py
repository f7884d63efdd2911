"""Where every tensor of a pyramid lies in two buffers, one of integers and one of coordinates.

In two buffers a pyramid of any depth goes to a device in two copies, to another process in two handles and to a file
in two blocks; what its fields show are views of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

from lpsc_nd.points.neighborhood import Neighborhood


@dataclass(frozen=True)
class NeighborhoodSizes:
    """The numbers of a neighbourhood, from which the lengths of its tensors follow."""

    num_queries: int
    num_sources: int
    num_regions: int
    num_cut: int
    num_indices: int

    @classmethod
    def of(cls, one: Neighborhood) -> NeighborhoodSizes:
        """Read the numbers of a neighbourhood."""
        return cls(one.num_queries, one.num_sources, one.num_regions, one.num_cut, len(one.indices))

    @property
    def lengths(self) -> tuple[int, int, int]:
        """Lengths of ``indptr``, ``indices`` and ``centers``."""
        return self.num_queries * self.num_regions + 1, self.num_indices, self.num_queries


@dataclass(frozen=True)
class Layout:
    """The numbers of a pyramid.

    Args:
        num_clouds: how many clouds there are.
        ndim: coordinates per point.
        num_points: length of ``cluster``.
        sizes: points of every level.
        neighborhoods: those within the levels, finest first, then those between them.
    """

    num_clouds: int
    ndim: int
    num_points: int
    sizes: tuple[int, ...]
    neighborhoods: tuple[NeighborhoodSizes, ...]

    @property
    def depth(self) -> int:
        """Number of levels."""
        return len(self.sizes)

    @property
    def integer_lengths(self) -> list[int]:
        """Lengths of the parts of the integer buffer: cluster, batches, up, then every neighbourhood's three."""
        tables = [length for one in self.neighborhoods for length in one.lengths]
        return [self.num_points, *self.sizes, *self.sizes[:-1], *tables]

    @property
    def coordinate_lengths(self) -> list[int]:
        """Lengths of the parts of the buffer of coordinates, one for each level."""
        return [size * self.ndim for size in self.sizes]


@dataclass(frozen=True)
class Packed:
    """A pyramid in two buffers.

    Args:
        layout: its numbers.
        integers: int64.
        coordinates: of the type of the positions.
    """

    layout: Layout
    integers: Tensor
    coordinates: Tensor

    @classmethod
    def pack(cls, fields: dict[str, Any]) -> Packed:
        """Join the fields of a pyramid; those that lie so in memory already are not copied."""
        tables = [*fields["neighborhoods"], *fields["down"]]
        layout = Layout(
            fields["num_clouds"],
            fields["positions"][0].shape[1],
            len(fields["cluster"]),
            tuple(map(len, fields["positions"])),
            tuple(map(NeighborhoodSizes.of, tables)),
        )
        parts = [tensor for one in tables for tensor in (one.indptr, one.indices, one.centers)]
        integers = _joined([fields["cluster"], *fields["batches"], *fields["up"], *parts])
        return cls(layout, integers, _joined([level.reshape(-1) for level in fields["positions"]]))

    def unpack(self) -> dict[str, Any]:
        """Return the fields of the pyramid, views of the buffers."""
        layout, depth = self.layout, self.layout.depth
        parts = iter(self.integers.split(layout.integer_lengths))
        levels = self.coordinates.split(layout.coordinate_lengths)
        fields = {
            "cluster": next(parts),
            "batches": _take(parts, depth),
            "up": _take(parts, depth - 1),
            "positions": tuple(level.view(-1, layout.ndim) for level in levels),
            "num_clouds": layout.num_clouds,
        }
        tables = [
            Neighborhood(next(parts), next(parts), next(parts), sizes.num_sources, sizes.num_regions, sizes.num_cut)
            for sizes in layout.neighborhoods
        ]
        return {**fields, "neighborhoods": tuple(tables[:depth]), "down": tuple(tables[depth:])}


def collate(pyramids: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Join the fields of several pyramids of equal depth, packed: indices are shifted by the points before them."""
    clouds = [fields["num_clouds"] for fields in pyramids]
    sizes = [[len(fields["positions"][level]) for fields in pyramids] for level in range(len(pyramids[0]["positions"]))]
    joined: dict[str, Any] = {
        "positions": _levelwise(pyramids, "positions", torch.cat),
        "batches": _levelwise(pyramids, "batches", lambda parts: _shifted(parts, clouds)),
        "neighborhoods": _levelwise(pyramids, "neighborhoods", Neighborhood.collate),
        "down": _levelwise(pyramids, "down", Neighborhood.collate),
        "up": tuple(
            _shifted([fields["up"][level] for fields in pyramids], sizes[level + 1]) for level in range(len(sizes) - 1)
        ),
        "cluster": _shifted([fields["cluster"] for fields in pyramids], sizes[0]),
        "num_clouds": sum(clouds),
    }
    return Packed.pack(joined).unpack()


def _levelwise(pyramids: Sequence[dict[str, Any]], name: str, join: Any) -> tuple[Any, ...]:
    return tuple(join(list(parts)) for parts in zip(*(fields[name] for fields in pyramids), strict=True))


def _shifted(parts: list[Tensor], lengths: list[int]) -> Tensor:
    starts = accumulate([0, *lengths[:-1]])
    return torch.cat([part + start for part, start in zip(parts, starts, strict=True)])


def _take(parts: Iterator[Tensor], count: int) -> tuple[Tensor, ...]:
    return tuple(next(parts) for _ in range(count))


def _joined(parts: list[Tensor]) -> Tensor:
    """Return tensors of one axis end to end: the buffer itself where they are consecutive views of one."""
    memory, start = parts[0].untyped_storage().data_ptr(), parts[0].storage_offset()
    place = start
    for part in parts:
        here = part.untyped_storage().data_ptr() == memory and part.storage_offset() == place
        if memory == 0 or not here or not part.is_contiguous():
            return torch.cat(parts)
        place += part.numel()
    return parts[0].as_strided((place - start,), (1,))
