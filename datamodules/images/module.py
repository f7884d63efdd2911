"""What all data modules of images share: batches of uint8, varied in training and standardised on their device."""

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from datamodules.base import BaseDataModule
from datamodules.images.augmentation import Augmentation, unit

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

_AUGMENTATION_STREAM = 3  # keeps these random numbers apart from others of the same seed


class ImageDataModule(BaseDataModule):
    """Base of the data modules of images: a subclass loads its parts and says how training images vary.

    Loaders give ``(images, target)`` with images of uint8. Once a batch is on its device, Lightning calls
    :meth:`on_after_batch_transfer`, which varies it if it is for training, and standardises it. The random numbers
    depend on the seed last given to :func:`torch.manual_seed`, the process, and the number of the training batch
    alone; torch's global generator is left as it was.

    Args:
        batch_size: images per batch.
        num_workers: processes that load batches; 0 loads in the main process.
        augment: vary the training images.

    Shape:
        A batch that reaches the task is ``(images, target)``, images ``(B, 3, H, W)`` float32.

    Raises:
        ValueError: an argument is out of range.
        ModuleNotFoundError: kornia is missing when the first training batch is varied.
    """

    mean: ClassVar[tuple[float, float, float]] = IMAGENET_MEAN
    std: ClassVar[tuple[float, float, float]] = IMAGENET_STD
    uneven_training: ClassVar[bool] = False  # training images differ in size: a batch is two lists

    def __init__(self, batch_size: int, num_workers: int = 0, augment: bool = True) -> None:
        super().__init__(batch_size, num_workers)
        self.augment = augment

    @abstractmethod
    def augmentation(self) -> Augmentation:
        """Return how a training batch is varied."""

    def plain(self, images: Any, target: Any) -> tuple[Tensor, Any]:
        """Return a training batch that is not varied, floating; sets of uneven images bring it to one size."""
        return unit(images), target

    def on_after_batch_transfer(self, batch: tuple[Any, Any], dataloader_idx: int) -> tuple[Tensor, Any]:
        """Prepare a batch that Lightning moved to its device."""
        trainer = self.trainer
        if trainer is None or not trainer.training:
            images, target = self.evaluation_batch(batch)
        else:
            number = trainer.fit_loop.epoch_loop.total_batch_idx + 1
            images, target = self.training_batch(batch, number, trainer.global_rank)
        # Lightning converts batches before their transfer, when these were still bytes.
        return images if trainer is None else trainer.precision_plugin.convert_input(images), target

    def training_batch(self, batch: tuple[Any, Any], number: int, rank: int = 0) -> tuple[Tensor, Any]:
        """Vary and standardise a batch; ``number`` counts the training batches from 0, ``rank`` is the process's."""
        if not self.augment:
            images, target = self.plain(*batch)
        else:
            key = (_AUGMENTATION_STREAM, torch.initial_seed() % 2**64, number, rank)
            seed = int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> 1)
            with torch.random.fork_rng(devices=[]):
                torch.default_generator.manual_seed(seed)
                images, target = self.augmentation()(*batch)
        return self.standardize(images), target

    def evaluation_batch(self, batch: tuple[Tensor, Any]) -> tuple[Tensor, Any]:
        """Standardise a batch of validation, test or prediction."""
        images, target = batch
        return self.standardize(unit(images)), target

    def standardize(self, images: Tensor) -> Tensor:
        """Return ``(images - mean) / std`` by channel, for images ``(B, 3, H, W)`` from 0 to 1."""
        mean, std = (images.new_tensor(values).view(3, 1, 1) for values in (self.mean, self.std))
        return (images - mean) / std

    def _loader(self, dataset: Dataset[Any], **options: Any) -> DataLoader[Any]:
        if self.uneven_training and dataset is self.splits.train:
            options["collate_fn"] = collate_lists
        return super()._loader(dataset, **options)


def collate_lists(samples: list[tuple[Tensor, Any]]) -> tuple[list[Tensor], Any]:
    """Collate images of uneven size as a list; targets that are numbers become one tensor."""
    images, targets = zip(*samples, strict=True)
    return list(images), list(targets) if isinstance(targets[0], Tensor) else torch.tensor(targets)
