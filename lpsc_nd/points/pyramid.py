"""Everything a network needs to know about a batch of point clouds: levels of ever fewer points, and their indices."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor

from lpsc_nd.points import pyramid_checks, pyramid_storage
from lpsc_nd.points.neighborhood import Neighborhood
from lpsc_nd.points.pyramid_layout import Packed, collate


@dataclass(frozen=True, eq=False, repr=False)
class PointPyramid:
    """A batch of clouds at several levels, each thinner than the one before, with the neighbourhoods of every level.

    It is made once for a set of points, by a :class:`PyramidBuilder`, and shared by all layers of a network. Made by
    :meth:`collate`, :meth:`load`, :meth:`to` or a builder, its tensors are views of two buffers, one of integers and
    one of coordinates, so that it moves in two copies.

    Args:
        positions: points of each level, finest first.
        batches: cloud of each point, ascending.
        neighborhoods: those within each level.
        down: from the points of level l to those of level l + 1, the queries.
        up: the point of level l + 1 nearest to each point of level l, in the same cloud.
        cluster: the point of level 0 for each of the points that the pyramid was made from.
        num_clouds: how many clouds there are; some may be empty.

    Shape:
        positions[l] (S_l, ndim), batches[l] (S_l,), up[l] (S_l,), cluster (n,); all but positions are int64.

    Raises:
        TypeError, ValueError: parts that do not fit together. Their contents are checked by :meth:`validate`.
    """

    positions: tuple[Tensor, ...]
    batches: tuple[Tensor, ...]
    neighborhoods: tuple[Neighborhood, ...]
    down: tuple[Neighborhood, ...]
    up: tuple[Tensor, ...]
    cluster: Tensor
    num_clouds: int

    def __post_init__(self) -> None:
        pyramid_checks.check_shapes(**self._fields())

    @classmethod
    def collate(cls, pyramids: Sequence[PointPyramid]) -> PointPyramid:
        """Join pyramids of equal depth, whose clouds then follow one another.

        Raises:
            ValueError: none given, or of different depth, dimension, type of positions, regions or device.
        """
        pyramid_checks.check_alike([one._fields() for one in pyramids])
        return cls(**collate([one._fields() for one in pyramids]))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write to a file, whole or not at all; see :mod:`lpsc_nd.points.pyramid_storage` for the format."""
        pyramid_storage.save(path, Packed.pack(self._fields()))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> PointPyramid:
        """Read what :meth:`save` wrote; nothing in the file is executed.

        Raises:
            FileNotFoundError: no such file.
            ValueError: a file that is foreign, damaged, cut short or of another version; the message names it.
        """
        packed = pyramid_storage.load(path)
        try:
            pyramid = cls(**packed.unpack())
            pyramid.validate()
        except ValueError as error:
            raise ValueError(f"{path} is inconsistent: {error}") from error
        return pyramid

    def validate(self) -> None:
        """Check the contents, which takes time linear in the neighbours.

        Raises:
            ValueError: a batch vector that is not ascending or out of range, an index out of range or in another cloud.
        """
        pyramid_checks.check_contents(**self._fields())

    @property
    def depth(self) -> int:
        """Number of levels."""
        return len(self.positions)

    @property
    def ndim(self) -> int:
        """Number of coordinates."""
        return self.positions[0].shape[1]

    @property
    def device(self) -> torch.device:
        """Where all of it lies."""
        return self.cluster.device

    def average(self, values: Tensor) -> Tensor:
        """Return the mean, for each point of level 0, of values (n, C) of the points that the pyramid was made from."""
        self._check_rows(values, len(self.cluster), "of the points that the pyramid was made from")
        return _means(values, self.cluster, len(self.positions[0]))

    def pool(self, values: Tensor, level: int) -> Tensor:
        """Return the mean, for each point of level ``level + 1``, of the values (S_l, C) of the points nearest to it.

        Nearest as in ``up``, so this is the mean over those that take their value from it on the way back. A point that
        is nearest to none gets 0.
        """
        self._check_rows(values, len(self.positions[level]), f"of the points of level {level}")
        return _means(values, self.up[level], len(self.positions[level + 1]))

    def spread(self, values: Tensor) -> Tensor:
        """Return values (S_0, C) of level 0 at the points that the pyramid was made from, (n, C)."""
        self._check_rows(values, len(self.positions[0]), "of the points of level 0")
        return values.index_select(0, self.cluster)

    def to(self, device: torch.device | str | int, non_blocking: bool = False) -> PointPyramid:
        """Return the pyramid on ``device``; itself if it is there already."""
        packed = Packed.pack(self._fields())
        moved = packed.integers.to(device, non_blocking=non_blocking)
        if moved is packed.integers:
            return self
        coordinates = packed.coordinates.to(device, non_blocking=non_blocking)
        return PointPyramid(**Packed(packed.layout, moved, coordinates).unpack())

    def pin_memory(self) -> PointPyramid:
        """Return a copy in page-locked memory, from which copies to a GPU need not wait."""
        return self._repacked(Tensor.pin_memory)

    def packed(self) -> PointPyramid:
        """Return an equal pyramid whose tensors are views of two buffers."""
        return self._repacked(lambda buffer: buffer)

    def _repacked(self, change: Callable[[Tensor], Tensor]) -> PointPyramid:
        packed = Packed.pack(self._fields())
        return PointPyramid(**Packed(packed.layout, change(packed.integers), change(packed.coordinates)).unpack())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PointPyramid):
            return NotImplemented
        mine, yours = Packed.pack(self._fields()), Packed.pack(other._fields())
        return self is other or (
            mine.layout == yours.layout
            and self.device == other.device
            and self.positions[0].dtype == other.positions[0].dtype
            and torch.equal(mine.integers, yours.integers)
            and torch.equal(mine.coordinates, yours.coordinates)
        )

    def __hash__(self) -> int:
        return hash((self.num_clouds, len(self.cluster), *map(len, self.positions)))

    def __repr__(self) -> str:
        sizes = ", ".join(str(len(level)) for level in self.positions)
        return f"PointPyramid(num_clouds={self.num_clouds}, points=[{sizes}], device='{self.device}')"

    def _check_rows(self, values: Tensor, rows: int, whose: str) -> None:
        if values.ndim == 0 or len(values) != rows:
            raise ValueError(f"values must have {rows} rows, one for each {whose}, got shape {tuple(values.shape)}")

    def _fields(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


def _means(values: Tensor, index: Tensor, size: int) -> Tensor:
    """Return the mean of the rows with each index, added in their order; 0 where there are none."""
    counts = torch.bincount(index, minlength=size).clamp(min=1).to(values.dtype)
    total = values.new_zeros((size, *values.shape[1:])).index_add(0, index, values)
    return total / counts.view(-1, *[1] * (values.ndim - 1))
