"""The 1797 handwritten digits that ship with scikit-learn."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import TensorDataset

from datamodules.base import BaseDataModule, Splits

_SPLIT_SEED = 0  # one split for all runs: results of different training seeds are comparable
_LEAST_FRACTION = 0.01  # 18 samples
_INK_MAX = 16.0  # the images hold counts of ink from 0 to 16


class DigitsDataModule(BaseDataModule):
    """Handwritten digits, 8 x 8 pixels, ten classes: the smallest real images at hand without a download.

    The split is stratified by class and always the same, whatever the seed of the training. Images are divided by
    16, then standardised with the mean and standard deviation of the training part.

    Args:
        batch_size: samples per batch.
        num_workers: processes that load batches.
        val_fraction: part of all samples that goes to validation.
        test_fraction: part of all samples that goes to the test.

    Shape:
        A batch is ``(images, labels)``: images ``(B, 1, 8, 8)`` float32, labels ``(B,)`` int64 from 0 to 9.

    Raises:
        ValueError: an argument is out of range, or too little is left for training.
        ModuleNotFoundError: scikit-learn is missing when the data is loaded.
    """

    def __init__(
        self,
        batch_size: int = 64,
        num_workers: int = 0,
        val_fraction: float = 0.15,
        test_fraction: float = 0.25,
    ) -> None:
        super().__init__(batch_size, num_workers)
        train_fraction = 1 - val_fraction - test_fraction
        for name, value in (("val", val_fraction), ("test", test_fraction), ("train", train_fraction)):
            if not _LEAST_FRACTION <= value < 1:
                raise ValueError(
                    f"{name}_fraction must be at least {_LEAST_FRACTION} (one sample of each class), got {value:.4g}"
                    f" (val_fraction={val_fraction}, test_fraction={test_fraction}, train the rest)"
                )
        self.val_fraction = val_fraction
        self.test_fraction = test_fraction

    def load_splits(self) -> Splits:
        """Read the digits, split them, and standardise the three parts."""
        images, labels = _read()
        train, val, test = _split_indices(labels, self.val_fraction, self.test_fraction)
        mean, std = images[train].mean(), images[train].std()
        standard = torch.from_numpy((images - mean) / std)
        target = torch.from_numpy(labels)
        return Splits(*(TensorDataset(standard[part], target[part]) for part in (train, val, test)))


def _read() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "the digits come with scikit-learn, which is not installed: pip install 'lpsc-nd[train]'", name=error.name
        ) from error
    digits = load_digits()
    images = (digits.images / _INK_MAX).astype(np.float32)
    return images[:, None], digits.target.astype(np.int64)  # (n, 1, 8, 8), (n,)


def _split_indices(
    labels: NDArray[np.int64], val_fraction: float, test_fraction: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    from sklearn.model_selection import train_test_split

    def cut(indices: NDArray[np.int64], size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        rest, taken = train_test_split(indices, test_size=size, random_state=_SPLIT_SEED, stratify=labels[indices])
        return np.sort(rest), np.sort(taken)

    rest, test = cut(np.arange(len(labels)), round(test_fraction * len(labels)))
    train, val = cut(rest, round(val_fraction * len(labels)))
    return train, val, test
