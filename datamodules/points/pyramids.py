"""Batches of clouds with their pyramids, built by the loading processes: what networks on points are trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any

import torch
from torch import Tensor

from datamodules.points.types import PointBatch, PointSample, collate_points
from lpsc_nd.points import PointPyramid, PyramidBuilder


@dataclass(frozen=True, eq=False)
class PyramidBatch:
    """Several clouds with the pyramid of all of them; Lightning moves it to a device as a whole.

    Args:
        pyramid: levels, neighbourhoods, and where the points of the clouds are in them.
        labels: class of every cloud.
        features: further numbers, averaged over the points of each cell of level 0.
        parts: part label of every point that the pyramid was made from.
        names: name of every cloud.

    Shape:
        labels ``(B,)``, features ``(S_0, f)`` or None, parts ``(n,)`` or None.
    """

    pyramid: PointPyramid
    _: KW_ONLY
    labels: Tensor
    features: Tensor | None = None
    parts: Tensor | None = None
    names: tuple[str, ...] = ()

    @property
    def num_samples(self) -> int:
        """Number of clouds."""
        return len(self.labels)

    def to(self, device: torch.device | str | int, non_blocking: bool = False) -> PyramidBatch:
        """Return the batch on another device."""
        return self._map(lambda part: part.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> PyramidBatch:
        """Return the batch in page-locked memory, from which copies to a GPU need not wait."""
        return self._map(lambda part: part.pin_memory())

    def _map(self, function: Callable[[Any], Any]) -> PyramidBatch:
        moved = {name: function(part) for name, part in vars(self).items() if isinstance(part, (Tensor, PointPyramid))}
        return replace(self, **moved)


class PyramidCollate:
    """Makes a batch of clouds and builds its pyramid in one go: the ``collate`` of a point data module.

    One search serves the whole batch: for clouds of 512 points it takes a quarter of the time of a search for each. It
    runs in the loading process, so with ``num_workers=1`` batches are built while the network trains on others. As it
    comes after the transforms, clouds may be turned, scaled or thinned at random.

    Args:
        builder: makes the pyramids; a network's ``pyramid`` has the same depth and regions.

    Raises:
        TypeError: ``builder`` is no :class:`~lpsc_nd.points.PyramidBuilder`.

    >>> import numpy as np
    >>> clouds = [PointSample(np.eye(3, dtype=np.float32), label=n) for n in (2, 5)]
    >>> PyramidCollate(PyramidBuilder(0.1, depth=1))(clouds).pyramid
    PointPyramid(num_clouds=2, points=[6], device='cpu')
    """

    def __init__(self, builder: PyramidBuilder) -> None:
        if not isinstance(builder, PyramidBuilder):
            raise TypeError(f"builder must be a PyramidBuilder, got {type(builder).__name__}")
        self.builder = builder

    def __call__(self, samples: Sequence[PointSample]) -> PyramidBatch:
        """Return the batch of some clouds."""
        batch = collate_points(samples)
        return with_pyramid(batch, self.builder(batch.positions, batch.batch, batch.num_samples))


def with_pyramid(batch: PointBatch, pyramid: PointPyramid) -> PyramidBatch:
    """Return a batch with the pyramid that was made from its points."""
    return PyramidBatch(
        pyramid,
        labels=batch.labels,
        features=None if batch.features is None else pyramid.average(batch.features),
        parts=batch.parts,
        names=batch.names,
    )
