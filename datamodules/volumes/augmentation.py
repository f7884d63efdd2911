"""Random changes to a training volume, and to its labels along with it; the random laws are MONAI's."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from torch import Tensor

from datamodules.sampling import SampleKey
from datamodules.volumes.optional import monai_transforms, plain
from lpsc_nd._checks import integer

_AUGMENTATION_STREAM = 5  # keeps these random numbers apart from others of the same seed
_SEED_RANGE = 2**64


class VolumeAugmentation:
    """Mirrors a volume along each of some axes with probability one half, and varies its brightness and contrast.

    Contrast changes by up to a tenth, brightness by up to 0.1, each in half of the samples.

    Args:
        flip_axes: axes that may be mirrored: 0 slices, 1 rows, 2 columns. Leave out an axis whose sides have names, as
            left and right kidney do.
        intensity: vary brightness and contrast.

    Shape:
        images ``(C, D, H, W)`` floating and labels ``(D, H, W)``, or None, to the same.

    Raises:
        TypeError: an axis is no integer.
        ValueError: there is no such axis, or it comes twice.
        ModuleNotFoundError: MONAI is missing when the first volume is varied.
    """

    def __init__(self, flip_axes: Sequence[int] = (0, 1, 2), intensity: bool = True) -> None:
        self.flip_axes = checked_axes("flip_axes", flip_axes)
        self.intensity = intensity

    def __call__(self, images: Tensor, labels: Tensor | None, key: SampleKey) -> tuple[Tensor, Tensor | None]:
        """Change a volume; what is drawn depends on ``key`` alone."""
        data = {"images": images} if labels is None else {"images": images, "labels": labels[None]}
        self._transform.set_random_state(seed=draw_seed(_AUGMENTATION_STREAM, key))
        varied = self._transform(data)
        return plain(varied["images"]), None if labels is None else plain(varied["labels"])[0]

    @cached_property
    def _transform(self) -> Any:
        monai = monai_transforms()
        keys = ("images", "labels")
        steps = [monai.RandFlipd(keys, prob=0.5, spatial_axis=axis, allow_missing_keys=True) for axis in self.flip_axes]
        if self.intensity:
            steps += [
                monai.RandScaleIntensityd("images", factors=0.1, prob=0.5),
                monai.RandShiftIntensityd("images", offsets=0.1, prob=0.5),
            ]
        return monai.Compose(steps)


def draw_seed(stream: int, key: SampleKey) -> int:
    """Return a seed of 32 bits, as MONAI takes, that depends on the stream and the key alone."""
    words = (stream, key.seed % _SEED_RANGE, key.epoch, key.index)
    return int(np.random.SeedSequence(words).generate_state(1)[0])


def checked_axes(name: str, axes: Sequence[int]) -> tuple[int, ...]:
    """Return different axes from 0 to 2."""
    checked = tuple(integer(f"{name}[{place}]", axis, minimum=0) for place, axis in enumerate(axes))
    if len(set(checked)) < len(checked) or any(axis > 2 for axis in checked):
        raise ValueError(f"{name} must be different axes from 0 to 2, got {checked}")
    return checked
