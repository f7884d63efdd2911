"""Sets of point clouds."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.base import SizedDataset
from datamodules.points.types import FloatArray, IntArray, PointSample, PointTransform
from datamodules.sampling import SampleKey
from lpsc_nd._checks import number


class PointDataset(SizedDataset):
    """A set of point clouds as they are stored; ``dataset[index]`` is the same cloud each time.

    Args:
        labels: class of every cloud, known without reading the clouds.
    """

    def __init__(self, labels: NDArray[np.integer[Any]]) -> None:
        self.labels: IntArray = np.asarray(labels, dtype=np.int64)

    def __len__(self) -> int:
        return len(self.labels)

    @abstractmethod
    def __getitem__(self, index: int) -> PointSample:
        """Return one cloud."""


@dataclass(frozen=True, eq=False)
class CloudArrays:
    """Clouds of equally many points in memory; ``kept`` marks the points that count.

    Shape:
        positions ``(N, n, 3)`` float32, features ``(N, n, f)`` float32, labels ``(N,)`` int64, parts ``(N, n)`` int64,
        kept ``(N, n)`` bool.
    """

    positions: FloatArray
    labels: IntArray
    names: Sequence[str]
    features: FloatArray | None = None
    parts: IntArray | None = None
    kept: NDArray[np.bool_] | None = None
    has_normals: bool = False


class ArrayPoints(PointDataset):
    """Clouds held in memory.

    Args:
        arrays: the clouds.
    """

    def __init__(self, arrays: CloudArrays) -> None:
        super().__init__(arrays.labels)
        self.arrays = arrays

    def __getitem__(self, index: int) -> PointSample:
        arrays = self.arrays
        sample = PointSample(
            arrays.positions[index],
            label=int(arrays.labels[index]),
            features=None if arrays.features is None else arrays.features[index],
            parts=None if arrays.parts is None else arrays.parts[index],
            name=arrays.names[index],
            has_normals=arrays.has_normals,
        )
        return sample if arrays.kept is None else sample.select(arrays.kept[index])


class PointSubset(PointDataset):
    """Some clouds of a set.

    Args:
        source: the set.
        indices: which of its clouds, in order.
    """

    def __init__(self, source: PointDataset, indices: IntArray) -> None:
        super().__init__(source.labels[indices])
        self.source = source
        self.indices = indices

    def __getitem__(self, index: int) -> PointSample:
        return self.source[int(self.indices[index])]


class TransformedPoints(SizedDataset):
    """The clouds of a set, each passed through transforms.

    ``dataset[key]`` takes an index or a :class:`SampleKey`; the transforms' random numbers depend on the key alone, so
    on seed, epoch and index, and not on the number of workers. An index stands for seed and epoch 0.

    Args:
        source: the clouds.
        transforms: applied in order, each as ``transform(sample, generator)``.
        prepare: applied last, to whatever the collate function expects, such as a cloud with its neighbourhoods.
    """

    def __init__(
        self,
        source: PointDataset,
        transforms: Sequence[PointTransform] = (),
        prepare: Callable[[PointSample], Any] | None = None,
    ) -> None:
        self.source = source
        self.transforms = tuple(transforms)
        self.prepare = prepare

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, key: int | SampleKey) -> Any:
        key = key if isinstance(key, SampleKey) else SampleKey(key)
        sample = self.source[key.index]
        generator = key.generator()
        for transform in self.transforms:
            sample = transform(sample, generator)
        return sample if self.prepare is None else self.prepare(sample)


def cut_validation(source: PointDataset, fraction: float, seed: int = 0) -> tuple[PointSubset, PointSubset]:
    """Cut a share off every class of a training set: the rest, and the share for validation.

    Args:
        source: the training set.
        fraction: share of each class, rounded to at least one sample.
        seed: of the choice; always the same by default, so runs of different training seeds are comparable.

    Raises:
        ValueError: ``fraction`` is not between 0 and 1, or nothing would be left of a class.
    """
    check_fraction(fraction)
    generator = np.random.default_rng(seed)
    shares = [_share(source.labels, label, fraction, generator) for label in np.unique(source.labels)]
    share = np.sort(np.concatenate(shares))
    return PointSubset(source, np.setdiff1d(np.arange(len(source)), share)), PointSubset(source, share)


def check_fraction(fraction: float) -> float:
    """Return the share of a validation part; a ValueError unless it is between 0 and 1."""
    if not 0 < number("val_fraction", fraction) < 1:
        raise ValueError(f"val_fraction must be between 0 and 1, got {fraction:g}")
    return fraction


def _share(labels: IntArray, label: int, fraction: float, generator: np.random.Generator) -> IntArray:
    members = generator.permutation(np.flatnonzero(labels == label))
    count = max(1, round(fraction * len(members)))
    if count >= len(members):
        raise ValueError(
            f"val_fraction={fraction:g} leaves nothing of class {label} to train on: it has {len(members)} sample(s)"
        )
    return members[:count]
