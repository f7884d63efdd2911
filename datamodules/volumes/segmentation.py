"""What data modules of segmented NIfTI volumes share: preparation, patches for training, whole volumes after."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from datamodules.base import Splits
from datamodules.volumes.augmentation import VolumeAugmentation
from datamodules.volumes.cases import (
    Case,
    CaseList,
    CaseParts,
    check_case,
    check_fractions,
    cut_parts,
    median_spacing,
)
from datamodules.volumes.module import Spacing, VolumeDataModule
from datamodules.volumes.nifti import read_grid, write_labels
from datamodules.volumes.patches import VolumePatches, WholeVolumes
from datamodules.volumes.prepared import Preparation, restore
from datamodules.volumes.prepared_cases import PreparedCases
from lpsc_nd._checks import integer, integers, number, numbers


class SegmentationDataModule(VolumeDataModule):
    """Base of the data modules of segmented volumes: a subclass lists the cases.

    Every volume is turned to one orientation, resampled to one spacing, and its intensities are standardised. Training
    takes patches; evaluation takes whole volumes at the prepared spacing, one per batch. All headers are read when the
    data is loaded, so that a volume that does not fit is found before any training; voxels are read when they are
    needed.

    Args:
        root: folder that holds the files.
        batch_size: patches per batch.
        num_workers: processes that load batches.
        spacing: millimetres from voxel to voxel of the prepared volumes, one number or three (slices, rows, columns);
            by default the median of the labelled volumes, which is their own where all agree.
        window: values that become 0 and 1, for CT, such as (-160, 240); by default each channel is brought to mean 0
            and standard deviation 1 over its voxels that are not 0.
        patch_size: voxels of a training patch along each axis, one number or three.
        patches_per_volume: patches of each volume in an epoch.
        foreground: share of the patches about a voxel that is not background.
        val_fraction: share of the labelled cases for validation, always the same cases.
        test_fraction: share for the test, where the set has no labelled test part. 0 tests on the validation part:
            then no checkpoint may be chosen by its validation.
        augment: mirror patches, and vary their brightness and contrast.
        flip_axes: axes along which they are mirrored.
        in_memory: keep prepared volumes in memory, in each loading process.
        cache_dir: folder for prepared volumes, shared by all processes and runs.

    Shape:
        A batch is ``(x, target)``: x ``(B, C, *patch_size)`` float32 and target ``(B, *patch_size)`` int64 in training,
        else ``(1, C, D, H, W)`` and ``(1, D, H, W)``. Where prediction has no labels, its target is 255 everywhere.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of range, or nothing is left for training.
        FileNotFoundError: a file is missing when the data is loaded; the message shows the tree.
        DataFileError: a file is damaged, or does not hold what it should.
        ModuleNotFoundError: MONAI or nibabel is missing when the data is loaded.
    """

    def __init__(
        self,
        root: str | Path,
        batch_size: int = 2,
        num_workers: int = 0,
        spacing: float | tuple[float, float, float] | None = None,
        window: tuple[float, float] | None = None,
        patch_size: int | tuple[int, int, int] = 64,
        patches_per_volume: int = 4,
        foreground: float = 0.5,
        val_fraction: float = 0.2,
        test_fraction: float = 0.2,
        augment: bool = True,
        flip_axes: Sequence[int] = (0, 1, 2),
        in_memory: bool = True,
        cache_dir: str | Path | None = None,
    ) -> None:
        super().__init__(batch_size, num_workers)
        self.root = Path(root)
        self._given_spacing = None if spacing is None else _spacing(spacing)
        self.window = None if window is None else _window(window)
        depth, height, width = integers("patch_size", patch_size, 3, minimum=1)
        self.patch_size = (depth, height, width)
        self.patches_per_volume = integer("patches_per_volume", patches_per_volume, minimum=1)
        if not 0 <= number("foreground", foreground) <= 1:
            raise ValueError(f"foreground must be from 0 to 1, got {foreground:g}")
        self.foreground = foreground
        check_fractions(val_fraction, test_fraction)
        self.val_fraction = val_fraction
        self.test_fraction = test_fraction
        self.augmentation = VolumeAugmentation(flip_axes) if augment else None
        self.in_memory = in_memory
        self.cache_dir = None if cache_dir is None else Path(cache_dir)
        self._cases: CaseList | None = None
        self._preparation: Preparation | None = None

    @abstractmethod
    def load_cases(self) -> CaseList:
        """List the cases; called once."""

    @property
    def cases(self) -> CaseList:
        """The cases of the set, listed at the first use."""
        if self._cases is None:
            self._cases = self.load_cases()
        return self._cases

    @property
    def parts(self) -> CaseParts:
        """The cases of each part, in the order of its loader."""
        return cut_parts(self.cases, self.val_fraction, self.test_fraction)

    @property
    def preparation(self) -> Preparation:
        """How the volumes are prepared; the headers of all cases are read at the first use."""
        if self._preparation is None:
            self._preparation = self._prepare()
        return self._preparation

    @property
    def spacing(self) -> Spacing:
        """Millimetres from voxel to voxel of the prepared volumes."""
        return self.preparation.spacing

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the labels."""
        return self.cases.class_names

    @property
    def num_channels(self) -> int:
        """Channels of a volume."""
        return len(self.cases.channel_names)

    def load_splits(self) -> Splits:
        """Check all cases, and cut them into parts."""
        parts, _ = self.parts, self.preparation
        train, val, test = (self._prepared(cases) for cases in (parts.train, parts.val, parts.test))
        patches = VolumePatches(train, self.patch_size, self.patches_per_volume, self.foreground, self.augmentation)
        return Splits(patches, WholeVolumes(val), WholeVolumes(test))

    def predict_dataloader(self) -> DataLoader[Any]:
        """Return the loader of the volumes to predict, in the order of ``parts.predict``."""
        parts = self.parts
        return self._loader(
            self.splits.test if parts.predict == parts.test else WholeVolumes(self._prepared(parts.predict))
        )

    def write_prediction(self, case: Case, labels: Tensor, folder: str | Path) -> Path:
        """Write labels predicted at the prepared spacing onto the voxels of a case's image file.

        Args:
            case: one of ``parts.predict`` or of another part.
            labels: ``(D, H, W)``, whole numbers.
            folder: where ``<case>.nii.gz`` is written; made if it is missing.

        Returns:
            The path of the file, which has the shape, orientation and affine of the image.
        """
        grid = read_grid(case.image, self.num_channels)
        path = Path(folder) / f"{case.name}.nii.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_labels(path, restore(labels.cpu(), self.spacing, grid), grid)
        return path

    def _prepare(self) -> Preparation:
        cases = self.cases
        grids = [check_case(case, self.num_channels) for case in cases.labelled]
        for case in (*cases.tested, *cases.predicted):
            check_case(case, self.num_channels)
        spacing = self._given_spacing or median_spacing(grids)
        return Preparation(spacing, self.num_channels, len(cases.class_names), self.window)

    def _prepared(self, cases: Sequence[Case]) -> PreparedCases:
        return PreparedCases(cases, self.preparation, self.in_memory, self.cache_dir)

    def _loader(self, dataset: Dataset[Any], **options: Any) -> DataLoader[Any]:
        if isinstance(dataset, WholeVolumes):
            # Whole volumes differ in size: one makes a batch.
            return DataLoader(
                dataset=dataset,
                batch_size=1,
                num_workers=self.num_workers,
                persistent_workers=self.num_workers > 0,
                pin_memory=torch.cuda.is_available(),
                **options,
            )
        return super()._loader(dataset, **options)


def _spacing(value: float | tuple[float, float, float]) -> Spacing:
    z, y, x = numbers("spacing", value, 3, above=0)
    return z, y, x


def _window(value: tuple[float, float]) -> tuple[float, float]:
    low, high = numbers("window", value, 2)
    if low >= high:
        raise ValueError(f"window must be (low, high) with low < high, got {(low, high)}")
    return low, high
