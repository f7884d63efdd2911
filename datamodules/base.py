"""What all data modules share: batch size, workers, and loaders over a training, validation and test set."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
from pytorch_lightning import LightningDataModule
from torch.utils.data import DataLoader, Dataset, TensorDataset

from datamodules.sampling import SeededShuffle


class SizedDataset(Dataset[Any], ABC):
    """A map-style data set that knows its length."""

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of samples."""


@dataclass(frozen=True)
class Splits:
    """The three disjoint parts of a data set."""

    train: TensorDataset | SizedDataset
    val: TensorDataset | SizedDataset
    test: TensorDataset | SizedDataset


class BaseDataModule(LightningDataModule, ABC):
    """Base of the data modules: a subclass says how to load its :class:`Splits`.

    The training set is shuffled by :class:`~datamodules.sampling.SeededShuffle`; validation, test and prediction run
    over their set in order. Prediction runs over the test set.

    Args:
        batch_size: samples per batch.
        num_workers: processes that load batches; 0 loads in the main process, the best for data held in memory.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(self, batch_size: int = 64, num_workers: int = 0) -> None:
        super().__init__()
        check_at_least("batch_size", batch_size, 1)
        check_at_least("num_workers", num_workers, 0)
        self.batch_size = batch_size
        self.num_workers = num_workers
        self._splits: Splits | None = None

    @abstractmethod
    def load_splits(self) -> Splits:
        """Load and prepare the three parts; called once."""

    @property
    def splits(self) -> Splits:
        """The three parts, loaded at the first use."""
        if self._splits is None:
            self._splits = self.load_splits()
        return self._splits

    def setup(self, stage: str) -> None:
        """Load the data; ``stage`` does not matter, all parts come together."""
        _ = self.splits

    def train_dataloader(self) -> DataLoader[Any]:
        """Return the loader of the training set, in shuffled order."""
        return self._loader(self.splits.train, sampler=SeededShuffle(self.splits.train))

    def val_dataloader(self) -> DataLoader[Any]:
        """Return the loader of the validation set, in order."""
        return self._loader(self.splits.val)

    def test_dataloader(self) -> DataLoader[Any]:
        """Return the loader of the test set, in order."""
        return self._loader(self.splits.test)

    def predict_dataloader(self) -> DataLoader[Any]:
        """Return the loader of the test set, in order."""
        return self._loader(self.splits.test)

    def _loader(self, dataset: Dataset[Any], **options: Any) -> DataLoader[Any]:
        # Every argument by keyword: Lightning rebuilds the loader from them when it predicts.
        return DataLoader(
            dataset=dataset,
            batch_size=self.batch_size,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            pin_memory=torch.cuda.is_available(),
            **options,
        )


def check_at_least(name: str, value: int, least: int) -> None:
    """Raise a ValueError that names the argument, the value got and the least allowed, if ``value < least``."""
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")
