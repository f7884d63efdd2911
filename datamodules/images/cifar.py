"""CIFAR-10 and CIFAR-100: 60 000 photographs of 32 x 32 pixels, from the published Python files."""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import TensorDataset

from datamodules.base import Splits
from datamodules.data_files import DataFileError, check_range, check_shape, require, whole_numbers
from datamodules.images.augmentation import Augmentation, CropFlip
from datamodules.images.module import ImageDataModule
from datamodules.images.pickles import read_pickle

CIFAR10_TREE = """cifar-10-batches-py/
    data_batch_1 ... data_batch_5
    test_batch
    batches.meta"""
CIFAR100_TREE = """cifar-100-python/
    train
    test
    meta"""
_SIDE = 32
_SPLIT_SEED = 0  # one split for all runs: results of different training seeds are comparable

Part = tuple[NDArray[np.uint8], NDArray[np.int64]]


class CifarDataModule(ImageDataModule):
    """Base of both sets; a subclass names the files.

    Training images are padded by 4 black pixels, cut at random to 32 x 32 and mirrored; all are standardised with the
    mean and standard deviation of the paper's recipe.

    Args:
        root: folder that holds the published folder.
        batch_size: images per batch.
        num_workers: processes that load batches.
        val_fraction: share of the training images, drawn evenly from the classes and always the same, for validation.
            0 trains on all of them, as the paper does, and validates on the test images: then no checkpoint may be
            chosen by its validation.
        augment: vary the training images.

    Shape:
        A batch is ``(images, labels)``: images ``(B, 3, 32, 32)`` float32, labels ``(B,)`` int64.

    Raises:
        FileNotFoundError: a file is missing when the data is loaded; the message shows the tree.
        DataFileError: a file is damaged, or asks for code to be run.
        ValueError: an argument is out of range.
    """

    mean: ClassVar[tuple[float, float, float]] = (0.4914, 0.4822, 0.4465)
    std: ClassVar[tuple[float, float, float]] = (0.2023, 0.1994, 0.2010)
    folder: ClassVar[str]
    tree: ClassVar[str]
    train_files: ClassVar[tuple[str, ...]]
    test_file: ClassVar[str]
    meta_file: ClassVar[str]
    labels_key: ClassVar[str]
    names_key: ClassVar[str]

    def __init__(
        self,
        root: str | Path,
        batch_size: int = 128,
        num_workers: int = 0,
        val_fraction: float = 0.1,
        augment: bool = True,
    ) -> None:
        super().__init__(batch_size, num_workers, augment)
        if not 0 <= val_fraction < 1:
            raise ValueError(f"val_fraction must be at least 0 and less than 1, got {val_fraction:g}")
        self.root = Path(root)
        self.val_fraction = val_fraction
        self._class_names: tuple[str, ...] = ()

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the labels."""
        _ = self.splits
        return self._class_names

    def augmentation(self) -> Augmentation:
        """Return the random crop with padding, and the mirroring."""
        return CropFlip()

    def load_splits(self) -> Splits:
        """Read all files, and cut off the validation part."""
        base = self.root / self.folder
        paths = [base / name for name in (self.meta_file, *self.train_files, self.test_file)]
        require(paths, self.root, self.tree)
        self._class_names = _class_names(paths[0], self.names_key)
        parts = [_read(path, self.labels_key, len(self._class_names)) for path in paths[1:]]
        images, labels = (np.concatenate(arrays) for arrays in zip(*parts[:-1], strict=True))
        test = _dataset(*parts[-1])
        if self.val_fraction == 0:
            return Splits(_dataset(images, labels), test, test)
        rest, share = _cut(labels, self.val_fraction)
        return Splits(_dataset(images[rest], labels[rest]), _dataset(images[share], labels[share]), test)


class CIFAR10DataModule(CifarDataModule):
    """CIFAR-10 (Krizhevsky, 2009): ten classes; see :class:`CifarDataModule`."""

    folder = "cifar-10-batches-py"
    tree = CIFAR10_TREE
    train_files = tuple(f"data_batch_{number}" for number in range(1, 6))
    test_file = "test_batch"
    meta_file = "batches.meta"
    labels_key = "labels"
    names_key = "label_names"


class CIFAR100DataModule(CifarDataModule):
    """CIFAR-100 (Krizhevsky, 2009): a hundred classes, the fine labels; see :class:`CifarDataModule`."""

    folder = "cifar-100-python"
    tree = CIFAR100_TREE
    train_files = ("train",)
    test_file = "test"
    meta_file = "meta"
    labels_key = "fine_labels"
    names_key = "fine_label_names"


def _class_names(path: Path, key: str) -> tuple[str, ...]:
    names = _entry(path, read_pickle(path), key)
    if not isinstance(names, list) or not names or not all(isinstance(name, (bytes, str)) for name in names):
        raise DataFileError(path, f"{key} must be a list of names, got {type(names).__name__}")
    return tuple(name.decode("utf-8", "replace") if isinstance(name, bytes) else name for name in names)


def _read(path: Path, labels_key: str, num_classes: int) -> Part:
    table = read_pickle(path)
    data, labels = (_entry(path, table, key) for key in ("data", labels_key))
    if not isinstance(data, np.ndarray):
        raise DataFileError(path, f"data must be an array, got {type(data).__name__}")
    check_shape(path, "data", data, ("N", 3 * _SIDE * _SIDE))
    if not isinstance(labels, list) or not all(type(label) is int for label in labels):
        raise DataFileError(path, f"{labels_key} must be a list of integers")
    numbers = whole_numbers(path, labels_key, np.array(labels))
    check_shape(path, labels_key, numbers, (len(data),))
    check_range(path, labels_key, numbers, num_classes)
    return data.reshape(-1, 3, _SIDE, _SIDE), numbers


def _entry(path: Path, table: dict[str, Any], key: str) -> Any:
    if key not in table:
        raise DataFileError(path, f"must hold {key!r}, got {sorted(table)}")
    return table[key]


def _cut(labels: NDArray[np.int64], fraction: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    from sklearn.model_selection import train_test_split

    count, least = round(fraction * len(labels)), len(np.unique(labels))
    if not least <= count <= len(labels) - least:
        raise ValueError(
            f"val_fraction={fraction:g} makes {count} of {len(labels)} images the validation part; "
            f"either part must have at least one of each of the {least} classes"
        )
    rest, share = train_test_split(np.arange(len(labels)), test_size=count, random_state=_SPLIT_SEED, stratify=labels)
    return np.sort(rest), np.sort(share)


def _dataset(images: NDArray[np.uint8], labels: NDArray[np.int64]) -> TensorDataset:
    return TensorDataset(torch.from_numpy(images), torch.from_numpy(labels))
