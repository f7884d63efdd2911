"""Patches cut from prepared volumes for training, and whole volumes for evaluation."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from datamodules.base import SizedDataset
from datamodules.labels import VOID
from datamodules.sampling import SampleKey
from datamodules.volumes.augmentation import VolumeAugmentation, draw_seed
from datamodules.volumes.optional import monai_transforms, plain
from datamodules.volumes.prepared_cases import PreparedCases

_PATCH_STREAM = 8  # keeps these random numbers apart from others of the same seed
_PLACES = 20_000  # of each class and volume that are remembered as centers; more are thinned out evenly


class VolumePatches(SizedDataset):
    """Patches at random places; ``dataset[key]`` depends on the key's seed, epoch and index alone.

    With probability ``foreground`` the center is a voxel of a class other than 0, each class that occurs being as
    likely; else one of class 0. A patch never reaches beyond its volume; a volume smaller than the patch is padded
    with zeros, of class 0.

    Args:
        source: the prepared volumes, with labels.
        size: of a patch.
        per_volume: patches of each volume in an epoch.
        foreground: share of the patches about a voxel of another class than 0.
        augmentation: how patches are varied.

    Shape:
        A sample is ``(x, target)``: x ``(C, *size)`` float32, target ``size`` int64.
    """

    def __init__(
        self,
        source: PreparedCases,
        size: tuple[int, int, int],
        per_volume: int,
        foreground: float,
        augmentation: VolumeAugmentation | None,
    ) -> None:
        self.source = source
        self.size = size
        self.per_volume = per_volume
        self.foreground = foreground
        self.augmentation = augmentation
        self._places: dict[int, list[Tensor]] = {}

    def __len__(self) -> int:
        return len(self.source) * self.per_volume

    def __getitem__(self, key: int | SampleKey) -> tuple[Tensor, Tensor]:
        key = key if isinstance(key, SampleKey) else SampleKey(key)
        images, labels = self._padded(key.index // self.per_volume)
        crop = self._crop(key.index // self.per_volume, labels, draw_seed(_PATCH_STREAM, key))
        x, target = crop(images), crop(labels[None])[0].long()
        if self.augmentation is None:
            return x.clone(), target
        varied, moved = self.augmentation(x, target, key)
        return varied, target if moved is None else moved

    def _padded(self, volume: int) -> tuple[Tensor, Tensor]:
        prepared = self.source[volume]
        if prepared.labels is None:
            raise ValueError(f"source must have labels, got none for {self.source.cases[volume].name}")
        pad = monai_transforms().SpatialPad(self.size)
        return plain(pad(prepared.images)), plain(pad(prepared.labels[None]))[0]

    def _crop(self, volume: int, labels: Tensor, seed: int) -> Callable[[Tensor], Tensor]:
        """Return what cuts the patch that belongs to a seed out of images or labels."""
        monai = monai_transforms()
        num_classes = self.source.preparation.num_classes
        if volume not in self._places:
            find = monai.ClassesToIndices(num_classes=num_classes, max_samples_per_class=_PLACES)
            self._places[volume] = find(labels[None])
        places = self._places[volume]
        cut = monai.RandCropByLabelClasses(
            self.size, ratios=class_weights([len(of) for of in places], self.foreground), num_classes=num_classes
        )
        cut.set_random_state(seed=seed)
        cut.randomize(label=labels[None], indices=places)
        (center,) = cut.centers
        window = monai.SpatialCrop(roi_center=center, roi_size=self.size)
        return lambda values: plain(window(values))


class WholeVolumes(SizedDataset):
    """Prepared volumes one by one; without labels the target is void, 255, everywhere.

    Args:
        source: the prepared volumes.

    Shape:
        A sample is ``(x, target)``: x ``(C, D, H, W)`` float32, target ``(D, H, W)`` int64.
    """

    def __init__(self, source: PreparedCases) -> None:
        self.source = source

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        volume = self.source[index]
        if volume.labels is None:
            return volume.images, torch.full(volume.images.shape[1:], VOID)
        return volume.images, volume.labels.long()


def class_weights(counts: list[int], foreground: float) -> list[float]:
    """Return how likely each class is to give a patch's center: classes that do not occur never do.

    >>> class_weights([900, 5, 0, 70], foreground=0.5)
    [0.5, 0.25, 0.0, 0.25]
    >>> class_weights([900, 0], foreground=1.0)
    [1.0, 0.0]
    """
    others = sum(count > 0 for count in counts[1:])
    share = 0.0 if others == 0 else 1.0 if counts[0] == 0 else foreground
    return [1.0 - share, *(share / others if count else 0.0 for count in counts[1:])]
