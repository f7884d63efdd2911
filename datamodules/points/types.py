"""A point cloud, and a batch of point clouds laid end to end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lpsc_nd._checks import shape_text

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]
PointTransform = Callable[["PointSample", np.random.Generator], "PointSample"]


@dataclass(frozen=True, eq=False)
class PointSample:
    """One point cloud with its label.

    Args:
        positions: coordinates.
        features: further numbers per point, such as normals or colours.
        label: class of the cloud.
        parts: part label of every point.
        name: where it comes from, for messages and predictions.
        has_normals: the first three features are unit normals, which rotations and scales have to carry along.

    Shape:
        positions ``(n, 3)`` float32, features ``(n, f)`` float32, parts ``(n,)`` int64; numpy arrays.

    Raises:
        ValueError: an array's shape or type is wrong, or the cloud is empty.

    >>> PointSample(np.zeros((4, 3), np.float32), label=1).num_points
    4
    """

    positions: FloatArray
    _: KW_ONLY
    label: int
    features: FloatArray | None = None
    parts: IntArray | None = None
    name: str = ""
    has_normals: bool = False

    def __post_init__(self) -> None:
        count = len(self.positions)
        if count == 0:
            raise ValueError(f"positions must hold at least one point, got shape {shape_text(self.positions.shape)}")
        _check_array("positions", self.positions, (count, 3), np.float32)
        if self.features is not None:
            _check_array("features", self.features, (count, self.features.shape[-1]), np.float32)
        if self.parts is not None:
            _check_array("parts", self.parts, (count,), np.int64)
        if self.has_normals and (self.features is None or self.features.shape[1] < 3):
            raise ValueError("has_normals needs features whose first three columns are the normals")

    @property
    def num_points(self) -> int:
        """Number of points."""
        return len(self.positions)

    def select(self, points: NDArray[Any]) -> PointSample:
        """Return the cloud of the points chosen by an index or boolean array."""
        features = None if self.features is None else self.features[points]
        parts = None if self.parts is None else self.parts[points]
        return replace(self, positions=self.positions[points], features=features, parts=parts)


@dataclass(frozen=True, eq=False)
class PointBatch:
    """Several point clouds, their points one after the other.

    Args:
        positions: coordinates of all points.
        batch: the cloud that each point belongs to, ascending.
        labels: class of every cloud.
        features: further numbers per point.
        parts: part label of every point.
        names: name of every cloud.

    Shape:
        positions ``(S, 3)``, features ``(S, f)`` or None, batch ``(S,)``, labels ``(B,)``, parts ``(S,)`` or None.
    """

    positions: Tensor
    _: KW_ONLY
    batch: Tensor
    labels: Tensor
    features: Tensor | None = None
    parts: Tensor | None = None
    names: tuple[str, ...] = ()

    @property
    def num_samples(self) -> int:
        """Number of clouds."""
        return len(self.labels)

    @property
    def counts(self) -> Tensor:
        """Number of points of every cloud, ``(B,)``."""
        return torch.bincount(self.batch, minlength=self.num_samples)

    def to(self, *args: Any, **kwargs: Any) -> PointBatch:
        """Return the batch on another device; the arguments are :meth:`torch.Tensor.to`'s."""
        return self._map(lambda tensor: tensor.to(*args, **kwargs))

    def pin_memory(self) -> PointBatch:
        """Return the batch in page-locked memory."""
        return self._map(Tensor.pin_memory)

    def _map(self, function: Callable[[Tensor], Tensor]) -> PointBatch:
        changes: dict[str, Any] = {n: function(value) for n, value in vars(self).items() if isinstance(value, Tensor)}
        return replace(self, **changes)


def collate_points(samples: Sequence[PointSample]) -> PointBatch:
    """Lay clouds of any sizes end to end.

    Raises:
        ValueError: no samples, or only some of them have features or parts.

    >>> clouds = [PointSample(np.zeros((n, 3), np.float32), label=n) for n in (2, 3)]
    >>> collate_points(clouds).batch
    tensor([0, 0, 1, 1, 1])
    """
    if not samples:
        raise ValueError("samples must hold at least one cloud, got none")
    sizes = torch.tensor([sample.num_points for sample in samples])
    return PointBatch(
        torch.from_numpy(np.concatenate([sample.positions for sample in samples])),
        batch=torch.arange(len(samples)).repeat_interleave(sizes),
        labels=torch.tensor([sample.label for sample in samples]),
        features=_join("features", [sample.features for sample in samples]),
        parts=_join("parts", [sample.parts for sample in samples]),
        names=tuple(sample.name for sample in samples),
    )


def _join(name: str, arrays: Sequence[NDArray[Any] | None]) -> Tensor | None:
    present = [array for array in arrays if array is not None]
    if not present:
        return None
    if len(present) < len(arrays) or len({array.shape[1:] for array in present}) > 1:
        raise ValueError(f"{name} must be alike in all samples of a batch, got {[_columns(a) for a in arrays]} columns")
    return torch.from_numpy(np.concatenate(present))


def _columns(array: NDArray[Any] | None) -> int | None:
    return None if array is None else int(np.prod(array.shape[1:]))


def _check_array(name: str, array: NDArray[Any], shape: tuple[int, ...], dtype: type) -> None:
    if array.shape != shape or array.dtype != dtype:
        expected = f"{np.dtype(dtype).name} of shape {shape_text(shape)}"
        raise ValueError(f"{name} must be {expected}, got {array.dtype} of shape {shape_text(array.shape)}")
