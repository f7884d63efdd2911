"""What all data modules of volumes share: voxel spacing, names of the classes, keyed training samples."""

from abc import abstractmethod
from typing import Any

from torch.utils.data import DataLoader

from datamodules.base import BaseDataModule
from datamodules.sampling import KeyedShuffle

Spacing = tuple[float, float, float]


class VolumeDataModule(BaseDataModule):
    """Base of the data modules of volumes.

    Training samples come in the order of :class:`~datamodules.sampling.SeededShuffle`, and what is drawn for them
    depends on seed, epoch and index alone. Evaluation goes in order, without anything drawn.

    Shape:
        A batch is ``(x, target)``: x ``(B, C, D, H, W)`` float32, target ``(B,)`` or ``(B, D, H, W)`` int64.
    """

    @property
    @abstractmethod
    def spacing(self) -> Spacing:
        """Millimetres from voxel to voxel, in the order of the axes: slices, rows, columns."""

    @property
    @abstractmethod
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the labels."""

    @property
    def num_channels(self) -> int:
        """Channels of a volume."""
        return 1

    def train_dataloader(self) -> DataLoader[Any]:
        """Return the loader of the training set, in shuffled order."""
        return self._loader(self.splits.train, sampler=KeyedShuffle(self.splits.train))
