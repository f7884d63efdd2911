"""ScanObjectNN: scanned objects of 15 classes, with what was around them."""

from pathlib import Path
from typing import Any, Literal

import numpy as np

from datamodules.data_files import DataFileError, require
from datamodules.hdf5 import read_clouds
from datamodules.points.datasets import ArrayPoints, CloudArrays, check_fraction, cut_validation
from datamodules.points.module import PointDataModule, PointSources
from lpsc_nd._checks import choice

TREE = """h5_files/
    main_split/ or main_split_nobg/
        training_objectdataset*.h5    data (N, 2048, 3), label (N), mask (N, 2048)
        test_objectdataset*.h5"""
CLASSES = (
    *("bag", "bin", "box", "cabinet", "chair", "desk", "display", "door"),
    *("shelf", "table", "bed", "pillow", "sink", "sofa", "toilet"),
)
VARIANTS = {
    "OBJ": "",
    "PB_T25": "_augmented25_norot",
    "PB_T25_R": "_augmented25rot",
    "PB_T50_R": "_augmentedrot",
    "PB_T50_RS": "_augmentedrot_scale75",
}
_BACKGROUND = -1


class ScanObjectNNDataModule(PointDataModule):
    """ScanObjectNN (Uy et al., 2019): real scans, 15 classes, y upwards.

    The set has no validation part; a share of each training class is cut off, always the same. The PB variants hold
    several versions of each object, which are not marked: there, validation sees objects of the training part, and
    its accuracy is too high. The test part is independent.

    Args:
        root: folder that holds ``h5_files``.
        variant: "OBJ" has each object once; the others are perturbed by translation (T), rotation (R), scale (S).
        split: folder in ``h5_files``; those ending in ``_nobg`` have no background points.
        drop_background: leave out the points that the mask gives to the background; clouds then differ in size.
        val_fraction: share of each training class for validation.
        **loading: arguments of :class:`~datamodules.points.module.PointDataModule`.

    Shape:
        The part labels, where the files have a mask, are 0 for background and 1 for the object.

    Raises:
        FileNotFoundError: a file is missing when the data is loaded; the message shows the tree.
        DataFileError: a file is damaged, or a cloud is all background and that is to be left out.
        ValueError: an argument is out of range.
    """

    def __init__(
        self,
        root: str | Path,
        variant: Literal["OBJ", "PB_T25", "PB_T25_R", "PB_T50_R", "PB_T50_RS"] = "PB_T50_RS",
        split: str = "main_split",
        drop_background: bool = False,
        val_fraction: float = 0.1,
        **loading: Any,
    ) -> None:
        super().__init__(**loading)
        self.root = Path(root)
        self.variant = choice("variant", variant, VARIANTS)
        self.split = split
        self.drop_background = drop_background
        self.val_fraction = check_fraction(val_fraction)

    def load_sources(self) -> PointSources:
        """Read both files, and cut off the validation part."""
        folder = self.root / "h5_files" / self.split
        paths = [folder / f"{part}_objectdataset{VARIANTS[self.variant]}.h5" for part in ("training", "test")]
        require([folder, *paths], self.root, TREE)
        training, test = (self._read(path) for path in paths)
        train, val = cut_validation(training, self.val_fraction)
        if training.arrays.parts is None:
            return PointSources(train, val, test, CLASSES)
        parts = ("background", "object")
        return PointSources(train, val, test, CLASSES, parts, ((0, 1),) * len(CLASSES))

    def _read(self, path: Path) -> ArrayPoints:
        required, optional = (["mask"], []) if self.drop_background else ([], ["mask"])
        clouds = read_clouds([path], len(CLASSES), required, optional)
        mask = clouds.extras.get("mask")
        foreground = None if mask is None else mask != _BACKGROUND
        kept = foreground if self.drop_background else None
        if kept is not None and not kept.any(axis=1).all():
            raise DataFileError(path, f"cloud {kept.any(axis=1).argmin()} has no point outside the background")
        parts = None if foreground is None else foreground.astype(np.int64)
        return ArrayPoints(CloudArrays(clouds.positions, clouds.labels, clouds.names, parts=parts, kept=kept))
