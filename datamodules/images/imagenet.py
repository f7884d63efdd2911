"""ImageNet, or any photographs sorted into a folder per class."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from datamodules.base import SizedDataset, Splits
from datamodules.data_files import missing_data, require
from datamodules.images.augmentation import Augmentation, ResizedCropFlip, unit
from datamodules.images.files import center_crop, read_rgb, resize_shorter
from datamodules.images.module import ImageDataModule
from lpsc_nd._checks import integer

IMAGENET_TREE = """train/<class>/*.JPEG
val/<class>/*.JPEG      the same classes"""
SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")


class ImageFolder(SizedDataset):
    """Photographs on disk and their classes; a file is decoded when it is asked for.

    Args:
        paths: the files.
        labels: the class of each.
        resize_to: length of the shorter side before the middle is cut out; None gives the photograph as it is.
        size: side of the square that is cut out.
    """

    def __init__(
        self, paths: Sequence[Path], labels: Sequence[int], resize_to: int | None = None, size: int = 224
    ) -> None:
        self.paths = tuple(paths)
        self.labels = tuple(labels)
        self.resize_to = resize_to
        self.size = size

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = read_rgb(self.paths[index])
        if self.resize_to is not None:
            image = middle(image, self.resize_to, self.size)
        return image, self.labels[index]


class ImageNetDataModule(ImageDataModule):
    """ImageNet (Russakovsky et al., 2015), or any other tree of a folder per class.

    Classes are the sorted names of the folders. Training cuts 8 to 100 % of a photograph, resizes it to 224 x 224 and
    mirrors it; evaluation resizes the shorter side to 256 and cuts out the middle. The test part is the validation
    part: labels of ImageNet's own test images are not public.

    Args:
        root: folder that holds ``train`` and ``val``.
        batch_size: images per batch.
        num_workers: processes that decode; give as many as there are cores.
        size: side of the square that the network sees.
        resize_to: length of the shorter side in evaluation.
        augment: vary the training images; without, they are cut as in evaluation.

    Shape:
        A batch is ``(images, labels)``: images ``(B, 3, size, size)`` float32, labels ``(B,)`` int64.

    Raises:
        FileNotFoundError: a folder is missing or empty when the data is loaded; the message shows the tree.
        DataFileError: an image is damaged, when it is asked for.
        ValueError: an argument is out of range, or the classes of both folders differ.
    """

    uneven_training: ClassVar[bool] = True

    def __init__(
        self,
        root: str | Path,
        batch_size: int = 64,
        num_workers: int = 0,
        size: int = 224,
        resize_to: int = 256,
        augment: bool = True,
    ) -> None:
        super().__init__(batch_size, num_workers, augment)
        self.root = Path(root)
        self.size = integer("size", size, minimum=1)
        self.resize_to = integer("resize_to", resize_to, minimum=self.size)
        self._class_names: tuple[str, ...] = ()

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the labels."""
        _ = self.splits
        return self._class_names

    def augmentation(self) -> Augmentation:
        """Return the random resized crop, and the mirroring."""
        return ResizedCropFlip((self.size, self.size))

    def plain(self, images: list[Tensor], target: Tensor) -> tuple[Tensor, Tensor]:
        """Cut training images as in evaluation."""
        return torch.stack([unit(middle(image, self.resize_to, self.size)) for image in images]), target

    def load_splits(self) -> Splits:
        """List the files of both folders."""
        require([self.root / "train", self.root / "val"], self.root, IMAGENET_TREE)
        train, val = (self._classes(part) for part in ("train", "val"))
        if train != val:
            differing = sorted(set(train) ^ set(val))
            raise ValueError(f"{self.root / 'val'}: its classes must be those of train, got differing {differing[:5]}")
        self._class_names = tuple(train)
        evaluated = self._part("val", self.resize_to)
        return Splits(self._part("train", None), evaluated, evaluated)

    def _classes(self, part: str) -> list[str]:
        folders = (self.root / part).iterdir()
        names = sorted(path.name for path in folders if path.is_dir() and not path.name.startswith("."))
        if not names:
            raise missing_data(self.root / part / "<class>", self.root, IMAGENET_TREE)
        return names

    def _part(self, part: str, resize_to: int | None) -> ImageFolder:
        found = [
            (path, label)
            for label, name in enumerate(self._class_names)
            for path in _images(self.root / part / name, self.root)
        ]
        paths, labels = zip(*found, strict=True)
        return ImageFolder(paths, labels, resize_to, self.size)


def middle(image: Tensor, resize_to: int, size: int) -> Tensor:
    """Resize the shorter side to ``resize_to`` and cut out the middle ``size`` x ``size`` pixels."""
    return center_crop(resize_shorter(image, resize_to), (size, size))


def _images(folder: Path, root: Path) -> list[Path]:
    def wanted(path: Path) -> bool:
        return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")

    found: list[Any] = sorted(filter(wanted, folder.iterdir()))
    if not found:
        raise missing_data(folder / "<image>", root, IMAGENET_TREE)
    return found
