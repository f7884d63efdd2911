"""PASCAL VOC 2012: photographs whose pixels belong to 20 classes or the background."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader

from datamodules.base import SizedDataset, Splits
from datamodules.data_files import missing_data, read_lines, require
from datamodules.images.augmentation import Augmentation, ScaleCropFlip, unit
from datamodules.images.files import center_crop, check_same_size, read_indices, read_rgb
from datamodules.images.module import ImageDataModule
from datamodules.labels import VOID
from lpsc_nd._checks import integer

VOC_TREE = """VOCdevkit/VOC2012/
    JPEGImages/<name>.jpg
    SegmentationClass/<name>.png         palette images: class indices, 255 for void
    SegmentationClassAug/<name>.png      the same with the extra annotations of Hariharan et al. (2011)
    ImageSets/Segmentation/
        trainaug.txt or train_aug.txt    names that have extra annotations or VOC's own; train.txt without
        val.txt"""
CLASS_NAMES = (
    *("background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)


class LabelledImages(SizedDataset):
    """Photographs on disk and their label images; a pair is decoded when it is asked for.

    Args:
        images: the photographs.
        labels: the label image of each.
        num_classes: number of classes; other indices than these and 255 are an error.
    """

    def __init__(self, images: Sequence[Path], labels: Sequence[Path], num_classes: int) -> None:
        self.images = tuple(images)
        self.labels = tuple(labels)
        self.num_classes = num_classes

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        path = self.labels[index]
        image, labels = read_rgb(self.images[index]), read_indices(path, self.num_classes)
        check_same_size(path, labels, image, self.images[index])
        return image, labels


class VOC2012DataModule(ImageDataModule):
    """PASCAL VOC 2012 segmentation (Everingham et al., 2010), with the extra annotations that the paper trains on.

    Training scales photographs by 0.5 to 2, cuts 513 x 513 pixels and mirrors; what lies outside the photograph is
    black, and void among the labels. Validation photographs come whole, one by one. The test part is the validation
    part, as in the paper: VOC's test labels are not public.

    Args:
        root: folder that holds ``VOCdevkit``.
        batch_size: images per training batch.
        num_workers: processes that decode; give as many as there are cores.
        crop: side of the training windows.
        augmented: train with the extra annotations; False trains on VOC's own train.txt.
        augment: vary the training images; without, their middle is cut out.

    Shape:
        A batch is ``(images, labels)``: images ``(B, 3, H, W)`` float32, labels ``(B, H, W)`` int64 from 0 to 20, or
        255 for void.

    Raises:
        FileNotFoundError: a file is missing when the data is loaded; the message shows the tree.
        DataFileError: an image is damaged, or labels do not fit, when the pair is asked for.
        ValueError: an argument is out of range.
    """

    uneven_training: ClassVar[bool] = True

    def __init__(
        self,
        root: str | Path,
        batch_size: int = 16,
        num_workers: int = 0,
        crop: int = 513,
        augmented: bool = True,
        augment: bool = True,
    ) -> None:
        super().__init__(batch_size, num_workers, augment)
        self.root = Path(root)
        self.crop = integer("crop", crop, minimum=1)
        self.augmented = augmented

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the labels."""
        return CLASS_NAMES

    def augmentation(self) -> Augmentation:
        """Return the random scale, crop and mirroring."""
        return ScaleCropFlip((self.crop, self.crop))

    def plain(self, images: list[Tensor], target: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Cut the middle out of training images, with black and void around those that are smaller."""
        size = (self.crop, self.crop)
        cut = torch.stack([center_crop(_padded(image, self.crop, 0), size) for image in images])
        return unit(cut), torch.stack([center_crop(_padded(labels, self.crop, VOID), size) for labels in target])

    def val_dataloader(self) -> DataLoader[Any]:
        """Return the loader of the validation set: one photograph of its own size at a time, in order."""
        return self._one_by_one(self.splits.val)

    def test_dataloader(self) -> DataLoader[Any]:
        """Return the loader of the validation set."""
        return self._one_by_one(self.splits.test)

    def predict_dataloader(self) -> DataLoader[Any]:
        """Return the loader of the validation set."""
        return self._one_by_one(self.splits.test)

    def load_splits(self) -> Splits:
        """Read the lists of names, and check that every file is there."""
        base = self.root / "VOCdevkit" / "VOC2012"
        lists = base / "ImageSets" / "Segmentation"
        train_list = self._train_list(lists)
        require([lists, train_list, lists / "val.txt"], self.root, VOC_TREE)
        labels = "SegmentationClassAug" if self.augmented else "SegmentationClass"
        val = self._listed(base, lists / "val.txt", "SegmentationClass")
        return Splits(self._listed(base, train_list, labels), val, val)

    def _train_list(self, lists: Path) -> Path:
        names = ("trainaug.txt", "train_aug.txt") if self.augmented else ("train.txt",)
        return next((lists / name for name in names if (lists / name).exists()), lists / names[0])

    def _listed(self, base: Path, listing: Path, folder: str) -> LabelledImages:
        # Some releases list paths of an image and its labels, others bare names.
        names = [Path(line.split()[0]).stem for line in read_lines(listing)]
        images = [base / "JPEGImages" / f"{name}.jpg" for name in names]
        labels = [base / folder / f"{name}.png" for name in names]
        for path in (*images, *labels):
            if not path.exists():
                raise missing_data(path, self.root, f"{VOC_TREE}\n\n{listing.name} lists {path.stem}")
        return LabelledImages(images, labels, len(CLASS_NAMES))

    def _one_by_one(self, dataset: Any) -> DataLoader[Any]:
        return DataLoader(
            dataset=dataset,
            batch_size=1,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            pin_memory=torch.cuda.is_available(),
        )


def _padded(image: Tensor, side: int, value: int) -> Tensor:
    """Surround an image or labels evenly until both sides are at least ``side``."""
    missing = [max(0, side - extent) for extent in image.shape[-2:]]
    top, left = (count // 2 for count in missing)
    return F.pad(image, (left, missing[1] - left, top, missing[0] - top), value=value)
