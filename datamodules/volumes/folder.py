"""Segmented volumes of one's own: a folder of NIfTI images and a folder of labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datamodules.data_files import DataFileError, missing_data, require
from datamodules.labels import VOID
from datamodules.volumes.cases import Case, CaseList, case_name
from datamodules.volumes.segmentation import SegmentationDataModule
from lpsc_nd._checks import integer

FOLDER_TREE = """images/<case>.nii.gz          3-D, or 4-D with the channels last; .nii too
labels/<case>.nii.gz          3-D, whole numbers from 0, the background
test/images/<case>.nii.gz     optional
test/labels/<case>.nii.gz     optional, for all cases of the test or none"""
_PATTERN = "*.nii*"


class NiftiFolderDataModule(SegmentationDataModule):
    """Segmented volumes of one's own, an image and a label file of the same name for each case.

    Where ``test/`` has labels it is the test part; where it has none it is what prediction runs over, and the test
    part is a share of the labelled cases. Hidden files, such as macOS's ``._*``, are passed over.

    Args:
        root: folder that holds ``images`` and ``labels``.
        class_names: in the order of the labels, the background first.
        num_channels: of the images.
        **options: arguments of :class:`~datamodules.volumes.segmentation.SegmentationDataModule`.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of range; and as its base class.
    """

    def __init__(
        self,
        root: str | Path,
        class_names: Sequence[str] = ("background", "foreground"),
        num_channels: int = 1,
        **options: Any,
    ) -> None:
        super().__init__(root, **options)
        if isinstance(class_names, str) or not 2 <= len(class_names) <= VOID:
            raise ValueError(f"class_names must be from 2 to {VOID} names, the background first, got {class_names!r}")
        self._names = tuple(class_names)
        self._channels = integer("num_channels", num_channels, minimum=1)

    def load_cases(self) -> CaseList:
        """List the files of the folders."""
        labelled = self._cases_in(self.root, labelled=True)
        extra: tuple[Case, ...] = ()
        if (self.root / "test").is_dir():
            extra = self._cases_in(self.root / "test", labelled=(self.root / "test" / "labels").is_dir())
        has_labels = bool(extra) and extra[0].labels is not None
        channels = tuple(f"channel {number}" for number in range(self._channels))
        return CaseList(labelled, extra if has_labels else (), () if has_labels else extra, self._names, channels)

    def _cases_in(self, folder: Path, labelled: bool) -> tuple[Case, ...]:
        images = _volumes(folder / "images")
        if not images:
            raise missing_data(folder / "images" / _PATTERN, self.root, FOLDER_TREE)
        if not labelled:
            return tuple(Case(name, path) for name, path in images.items())
        labels = _volumes(folder / "labels")
        require(
            [folder / "labels" / path.name for name, path in images.items() if name not in labels],
            self.root,
            FOLDER_TREE,
        )
        return tuple(Case(name, path, labels[name]) for name, path in images.items())


def _volumes(folder: Path) -> dict[str, Path]:
    """Return the visible volumes in a folder by case name, in the order of the names."""
    found = sorted(path for path in folder.glob(_PATTERN) if path.is_file() and not path.name.startswith("."))
    volumes: dict[str, Path] = {}
    for path in found:
        if path.name.endswith((".nii", ".nii.gz")):
            first = volumes.setdefault(case_name(path), path)
            if first != path:
                raise DataFileError(
                    path, f"must be the only file of its case, but {first.name} is there too; remove one"
                )
    return volumes
