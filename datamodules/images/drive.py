"""DRIVE: 40 photographs of the retina in which the vessels were drawn by hand."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from datamodules.base import Splits
from datamodules.data_files import require, require_some
from datamodules.images.augmentation import Augmentation, FundusJitter
from datamodules.images.files import check_same_size, read_binary, read_rgb, resize, resize_labels
from datamodules.images.module import ImageDataModule
from datamodules.labels import VOID
from lpsc_nd._checks import integer

DRIVE_TREE = """training/ and test/, each with
    images/NN_<part>.tif
    1st_manual/NN_manual1.gif       vessels, drawn by hand; the test part may come without
    mask/NN_<part>_mask.gif         field of view"""
_SPLIT_SEED = 0


@dataclass(frozen=True)
class Fundus:
    """A photograph's three files."""

    image: Path
    manual: Path
    mask: Path


class DRIVEDataModule(ImageDataModule):
    """DRIVE (Staal et al., 2004): 20 photographs for training, 20 for the test, 584 x 565 pixels each.

    Photographs are resized for the network. Training labels are resized with them; those of evaluation keep their
    size, and the task brings the network's output to it. Pixels outside the field of view are void.

    Args:
        root: folder that holds ``training`` and ``test``.
        batch_size: images per batch.
        num_workers: processes that load batches.
        size: side of the square that the network sees.
        num_val: training photographs used for validation instead, always the same. 0 trains on all 20, as the paper
            does, and validates on the test photographs: then no checkpoint may be chosen by its validation.
        augment: vary the training images.

    Shape:
        A batch is ``(images, target)``: images ``(B, 3, size, size)`` float32; target ``(B, size, size)`` in training,
        else ``(B, 584, 565)``, int64: 1 in vessels, 0 elsewhere, 255 outside the field of view.

    Raises:
        FileNotFoundError: a file is missing when the data is loaded; the message shows the tree. Drawings of the test
            part may be missing until the test: without them, prediction has targets that are void everywhere.
        DataFileError: a file is damaged or has another size than its photograph.
        ValueError: an argument is out of range.
    """

    def __init__(
        self,
        root: str | Path,
        batch_size: int = 8,
        num_workers: int = 0,
        size: int = 448,
        num_val: int = 4,
        augment: bool = True,
    ) -> None:
        super().__init__(batch_size, num_workers, augment)
        self.root = Path(root)
        self.size = integer("size", size, minimum=1)
        self.num_val = integer("num_val", num_val, minimum=0)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the labels."""
        return ("background", "vessel")

    def augmentation(self) -> Augmentation:
        """Return mirroring, quarter turns, shift, scale and tint."""
        return FundusJitter()

    def load_splits(self) -> Splits:
        """Read all photographs, and set the validation part aside."""
        known, tested = self._list("training"), self._list("test")
        require([files.manual for files in known], self.root, DRIVE_TREE)
        if self.num_val >= len(known):
            raise ValueError(f"num_val must be less than the {len(known)} training photographs, got {self.num_val}")
        order = torch.randperm(len(known), generator=torch.Generator().manual_seed(_SPLIT_SEED)).tolist()
        held, rest = sorted(order[: self.num_val]), sorted(order[self.num_val :])
        train = self._read([known[index] for index in rest], resized=True)
        test = self._read(tested, resized=False)
        val = self._read([known[index] for index in held], resized=False) if held else test
        return Splits(train, val, test)

    def val_dataloader(self) -> DataLoader[Any]:
        """Return the loader of the validation set, in order."""
        if self.num_val == 0:
            self._require_test_drawings()
        return super().val_dataloader()

    def test_dataloader(self) -> DataLoader[Any]:
        """Return the loader of the test set, in order; an error if its drawings are missing."""
        self._require_test_drawings()
        return super().test_dataloader()

    def _require_test_drawings(self) -> None:
        require([files.manual for files in self._list("test")], self.root, DRIVE_TREE)

    def _list(self, part: str) -> list[Fundus]:
        base = self.root / part
        require([base / "images", base / "mask"], self.root, DRIVE_TREE)
        images = require_some(base / "images", "*.tif", self.root, DRIVE_TREE)
        files = [
            Fundus(
                path,
                base / "1st_manual" / f"{path.stem.partition('_')[0]}_manual1.gif",
                base / "mask" / f"{path.stem}_mask.gif",
            )
            for path in images
        ]
        require([entry.mask for entry in files], self.root, DRIVE_TREE)
        return files

    def _read(self, listed: list[Fundus], resized: bool) -> TensorDataset:
        size = (self.size, self.size)
        pairs = [_read_fundus(files) for files in listed]
        for files, (_, target) in zip(listed, pairs, strict=True):
            check_same_size(files.image, target, pairs[0][1], listed[0].image)
        targets = [resize_labels(target, size) if resized else target for _, target in pairs]
        return TensorDataset(torch.stack([resize(image, size) for image, _ in pairs]), torch.stack(targets))


def _read_fundus(files: Fundus) -> tuple[Tensor, Tensor]:
    """Read a photograph and its target; the target is void everywhere where there is no drawing."""
    image, field = read_rgb(files.image), read_binary(files.mask)
    check_same_size(files.mask, field, image, files.image)
    if not files.manual.exists():
        return image, torch.full(field.shape, VOID)
    vessels = read_binary(files.manual)
    check_same_size(files.manual, vessels, image, files.image)
    return image, torch.where(field, vessels.long(), VOID)
