"""Generated vessels on a real photograph of the retina: DRIVE's task at hand without a download."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from datamodules.base import SizedDataset, Splits
from datamodules.images.augmentation import Augmentation, FundusJitter
from datamodules.images.module import ImageDataModule
from datamodules.images.vessel_scenes import FUNDUS_SIZE, draw_scene
from lpsc_nd._checks import integer, integers

_SCENE_STREAM = 4  # keeps these random numbers apart from others of the same seed
_TRAIN, _VAL, _TEST = range(3)


class VesselScenes(SizedDataset):
    """Generated patches; a patch follows from ``seed``, ``part`` and its index alone, and is kept once it was made.

    Args:
        count: number of patches.
        size: height and width of each.
        seed: of all random numbers.
        part: number of the independent set of patches that belongs to the seed.
    """

    def __init__(self, count: int, size: tuple[int, int], seed: int = 0, part: int = 0) -> None:
        self.count = count
        self.size = size
        self.seed = seed
        self.part = part
        self._made: dict[int, tuple[Tensor, Tensor]] = {}

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        if not 0 <= index < self.count:
            raise IndexError(f"index must be from 0 to {self.count - 1}, got {index}")
        if index not in self._made:
            generator = np.random.default_rng((_SCENE_STREAM, self.seed, self.part, index))
            image, target = draw_scene(self.size, generator)
            self._made[index] = torch.from_numpy(image), torch.from_numpy(target)
        return self._made[index]


class VesselsDataModule(ImageDataModule):
    """Generated vessels, labelled exactly, on patches of a real photograph of the retina in DRIVE's scale.

    The photograph is the one that comes with scikit-image, its own vessels removed. Trees of vessels branch and taper
    over it; dark spots, which are no vessels, keep darkness alone from telling. Labels are 1 inside vessels, 0
    elsewhere, and void outside the field of view. The three parts share the photograph, not the vessels.

    Args:
        batch_size: patches per batch.
        num_workers: processes that load batches.
        size: height and width of a patch, one number or two, at most 584 x 565, which is a whole photograph.
        num_train: training patches.
        num_val: validation patches.
        num_test: test patches.
        seed: of the patches; it does not depend on the training's seed.
        augment: vary the training patches.

    Shape:
        A batch is ``(images, target)``: images ``(B, 3, *size)`` float32, target ``(B, *size)`` int64.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of range.
        ModuleNotFoundError: scikit-image is missing when a patch is made.
    """

    def __init__(
        self,
        batch_size: int = 8,
        num_workers: int = 0,
        size: int | tuple[int, int] = 96,
        num_train: int = 40,
        num_val: int = 10,
        num_test: int = 20,
        seed: int = 0,
        augment: bool = True,
    ) -> None:
        super().__init__(batch_size, num_workers, augment)
        height, width = integers("size", size, 2, minimum=8)
        if height > FUNDUS_SIZE[0] or width > FUNDUS_SIZE[1]:
            raise ValueError(f"size must be at most {FUNDUS_SIZE}, got {(height, width)}")
        self.size = (height, width)
        self.num_train = integer("num_train", num_train, minimum=1)
        self.num_val = integer("num_val", num_val, minimum=1)
        self.num_test = integer("num_test", num_test, minimum=1)
        self.seed = integer("seed", seed, minimum=0)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the labels."""
        return ("background", "vessel")

    def augmentation(self) -> Augmentation:
        """Return mirroring, quarter turns of square patches, shift, scale and tint."""
        return FundusJitter()

    def load_splits(self) -> Splits:
        """Return the three independent sets; their patches are made when they are asked for."""
        counts: Any = ((self.num_train, _TRAIN), (self.num_val, _VAL), (self.num_test, _TEST))
        return Splits(*(VesselScenes(count, self.size, self.seed, part) for count, part in counts))
