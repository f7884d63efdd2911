"""Sets of small volumes of uint8, held in memory or generated, and the floating samples made of them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datamodules.base import SizedDataset
from datamodules.sampling import SampleKey
from datamodules.volumes.augmentation import VolumeAugmentation

Bytes = NDArray[np.uint8]
Sample = tuple[Bytes, Any]


class VolumeDataset(SizedDataset):
    """A set of volumes ``(D, H, W)`` of uint8; ``dataset[index]`` is the same volume and target each time."""

    @abstractmethod
    def __getitem__(self, index: int) -> Sample:
        """Return a volume, and its class or its labels ``(D, H, W)``."""


class ArrayVolumes(VolumeDataset):
    """Volumes held in memory.

    Args:
        images: the volumes, ``(N, D, H, W)`` uint8.
        targets: their classes, ``(N,)``, or labels, ``(N, D, H, W)``.
    """

    def __init__(self, images: Bytes, targets: NDArray[np.integer[Any]]) -> None:
        self.images = images
        self.targets = targets

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Sample:
        return self.images[index], self.targets[index]


class GeneratedVolumes(VolumeDataset):
    """Volumes that are made when they are asked for, and kept from then on.

    Args:
        count: number of volumes.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._made: dict[int, Sample] = {}

    @abstractmethod
    def make(self, index: int) -> Sample:
        """Make one volume; the result depends on the set's arguments and the index alone."""

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < self.count:
            raise IndexError(f"index must be from 0 to {self.count - 1}, got {index}")
        if index not in self._made:
            self._made[index] = self.make(index)
        return self._made[index]


class StandardVolumes(SizedDataset):
    """The volumes of a set as tensors from -1 to 1, each varied if there is an augmentation.

    ``dataset[key]`` takes an index or a :class:`~datamodules.sampling.SampleKey`; an index stands for seed and
    epoch 0.

    Args:
        source: the volumes.
        augmentation: how they are varied.

    Shape:
        A sample is ``(x, target)``: x ``(1, D, H, W)`` float32; target ``()`` or ``(D, H, W)`` int64.
    """

    def __init__(self, source: VolumeDataset, augmentation: VolumeAugmentation | None = None) -> None:
        self.source = source
        self.augmentation = augmentation

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, key: int | SampleKey) -> tuple[Tensor, Tensor]:
        key = key if isinstance(key, SampleKey) else SampleKey(key)
        volume, target = self.source[key.index]
        x, labels = standardize(volume), torch.as_tensor(np.asarray(target, dtype=np.int64))
        if self.augmentation is None:
            return x, labels
        varied, moved = self.augmentation(x, labels if labels.ndim else None, key)
        return varied, labels if moved is None else moved


def standardize(volume: Bytes) -> Tensor:
    """Return a volume of bytes as ``(1, D, H, W)`` float32 from -1 to 1, MedMNIST's own scale.

    >>> standardize(np.array([[[0, 255]]], np.uint8)).tolist()
    [[[[-1.0, 1.0]]]]
    """
    return torch.from_numpy(volume.astype(np.float32) / np.float32(127.5) - np.float32(1))[None]


def stack(dataset: VolumeDataset) -> tuple[Bytes, NDArray[np.int64]]:
    """Return all volumes of a set, ``(N, D, H, W)``, and all targets."""
    samples: Sequence[Sample] = [dataset[index] for index in range(len(dataset))]
    return np.stack([volume for volume, _ in samples]), np.stack(
        [np.asarray(target, np.int64) for _, target in samples]
    )
