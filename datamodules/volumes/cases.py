"""Cases of a segmentation set: pairs of files, checked before any work begins, and cut into parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datamodules.data_files import DataFileError
from datamodules.volumes.module import Spacing
from datamodules.volumes.nifti import read_grid
from datamodules.volumes.nifti_grid import NiftiGrid
from lpsc_nd._checks import number, shape_text

_SPLIT_SEED = 0  # one split for all runs: results of different training seeds are comparable
_ENDINGS = (".nii.gz", ".nii")


@dataclass(frozen=True)
class Case:
    """An image and its labels, which a case of the test may lack."""

    name: str
    image: Path
    labels: Path | None = None


@dataclass(frozen=True)
class CaseList:
    """What a segmentation set consists of.

    Args:
        labelled: cases for training, and for validation.
        tested: labelled cases for the test; if there are none, some of the others are set aside.
        predicted: cases for prediction; if there are none, those of the test.
        class_names: in the order of the labels, the background first.
        channel_names: of the images.
    """

    labelled: tuple[Case, ...]
    tested: tuple[Case, ...]
    predicted: tuple[Case, ...]
    class_names: tuple[str, ...]
    channel_names: tuple[str, ...]


@dataclass(frozen=True)
class CaseParts:
    """The cases of the four parts; prediction may be on those of the test."""

    train: tuple[Case, ...]
    val: tuple[Case, ...]
    test: tuple[Case, ...]
    predict: tuple[Case, ...]


def case_name(path: Path) -> str:
    """Return the name of a file without ``.nii.gz`` or ``.nii``."""
    for ending in _ENDINGS:
        if path.name.endswith(ending):
            return path.name.removesuffix(ending)
    return path.name


def check_case(case: Case, channels: int) -> NiftiGrid:
    """Read the headers of a case, and return the grid of its image.

    Raises:
        FileNotFoundError: a file is missing.
        DataFileError: a file is damaged or of another kind, or the labels have other voxels than the image.
    """
    grid = read_grid(case.image, channels)
    if case.labels is not None:
        other = read_grid(case.labels)
        if other.size != grid.size:
            expected, got = shape_text(grid.size), shape_text(other.size)
            raise DataFileError(
                case.labels,
                f"must have the shape {expected} (z, y, x) of {case.image.name}, got {got}; are they a pair?",
            )
        if not other.is_like(grid):
            raise DataFileError(
                case.labels,
                f"must lie on the voxels of {case.image.name}, got another affine; resample it, or copy the image's"
                " affine if only the header is wrong",
            )
    return grid


def cut_parts(cases: CaseList, val_fraction: float, test_fraction: float) -> CaseParts:
    """Cut the labelled cases into parts, at random but always the same.

    Raises:
        ValueError: nothing is left for training.
    """
    order = np.random.default_rng(_SPLIT_SEED).permutation(len(cases.labelled)).tolist()
    num_test = 0 if cases.tested or test_fraction == 0 else max(1, round(test_fraction * len(order)))
    num_val = max(1, round(val_fraction * len(order)))
    if num_test + num_val >= len(order):
        raise ValueError(
            f"val_fraction={val_fraction:g} and test_fraction={test_fraction:g} leave none of the {len(order)} labelled"
            " case(s) for training; give smaller ones, or more cases"
        )
    held, rest = sorted(order[num_test : num_test + num_val]), sorted(order[num_test + num_val :])
    val = tuple(cases.labelled[index] for index in held)
    test = cases.tested or tuple(cases.labelled[index] for index in sorted(order[:num_test])) or val
    return CaseParts(tuple(cases.labelled[index] for index in rest), val, test, cases.predicted or test)


def check_fractions(val_fraction: float, test_fraction: float) -> None:
    """Raise a ValueError unless the validation part is from 0, exclusive, and the test part from 0, inclusive, to 1."""
    if not 0 < number("val_fraction", val_fraction) < 1:
        raise ValueError(f"val_fraction must be between 0 and 1, got {val_fraction:g}")
    if not 0 <= number("test_fraction", test_fraction) < 1 - val_fraction:
        raise ValueError(f"test_fraction must be at least 0 and less than 1 - val_fraction, got {test_fraction:g}")


def median_spacing(grids: Sequence[NiftiGrid]) -> Spacing:
    """Return the median spacing of a set, axis by axis."""
    z, y, x = np.median([grid.spacing for grid in grids], axis=0).tolist()
    return z, y, x
