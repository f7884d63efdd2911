"""Pyramids of clouds that come again unchanged: built once, kept in memory or in a folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from torch import Tensor

from datamodules.points.pyramids import PyramidBatch, with_pyramid
from datamodules.points.types import PointSample, collate_points
from lpsc_nd._checks import number
from lpsc_nd.points import CachedPyramids, PointPyramid, PyramidBuilder


@dataclass(frozen=True, eq=False)
class PreparedCloud:
    """A cloud and its pyramid."""

    sample: PointSample
    pyramid: PointPyramid


class AttachPyramid:
    """Gives every cloud its pyramid: the ``prepare`` of a point data module; :func:`collate_prepared` goes with it.

    A pyramid is known again by the coordinates of its points. That pays where clouds come unchanged in every epoch,
    without random transforms: random ones are new clouds each time, would fill memory and folder, and find nothing
    again; they are for :class:`~datamodules.points.pyramids.PyramidCollate`.

    Args:
        builder: makes the pyramids.
        memory_mb: memory for pyramids in MiB, for each loading process; when it is full no more are kept.
        cache_dir: folder for pyramids, shared by all processes and runs; none by default.

    Raises:
        TypeError: ``builder`` is no :class:`~lpsc_nd.points.PyramidBuilder`.
        ValueError: ``memory_mb`` is negative.

    >>> import numpy as np
    >>> attach = AttachPyramid(PyramidBuilder(0.1, depth=1))
    >>> cloud = PointSample(np.eye(3, dtype=np.float32), label=2)
    >>> attach(cloud).pyramid is attach(cloud).pyramid
    True
    """

    def __init__(self, builder: PyramidBuilder, memory_mb: float = 1024.0, cache_dir: str | Path | None = None) -> None:
        if not isinstance(builder, PyramidBuilder):
            raise TypeError(f"builder must be a PyramidBuilder, got {type(builder).__name__}")
        self.build = builder if cache_dir is None else CachedPyramids(builder, cache_dir)
        self._free = int(number("memory_mb", memory_mb, minimum=0) * 2**20)
        self._kept: dict[bytes, PointPyramid] = {}

    def __call__(self, sample: PointSample) -> PreparedCloud:
        """Return the cloud with its pyramid."""
        key = blake2b(sample.positions.tobytes(), digest_size=16).digest()
        pyramid = self._kept.get(key)
        if pyramid is None:
            pyramid = self.build(sample.positions)
            size = num_bytes(pyramid)
            if size <= self._free:
                self._kept[key] = pyramid
                self._free -= size
        return PreparedCloud(sample, pyramid)


def collate_prepared(clouds: Sequence[PreparedCloud]) -> PyramidBatch:
    """Make a batch of clouds that have their pyramids.

    Raises:
        ValueError: no clouds, or clouds that do not go together.
    """
    batch = collate_points([cloud.sample for cloud in clouds])
    return with_pyramid(batch, PointPyramid.collate([cloud.pyramid for cloud in clouds]))


def num_bytes(pyramid: PointPyramid) -> int:
    """Return how much memory a pyramid's tensors take."""
    tables = (*pyramid.neighborhoods, *pyramid.down)
    tensors: list[Tensor] = [*pyramid.positions, *pyramid.batches, *pyramid.up, pyramid.cluster]
    tensors += [tensor for one in tables for tensor in (one.indptr, one.indices, one.centers)]
    return sum(tensor.nbytes for tensor in tensors)
