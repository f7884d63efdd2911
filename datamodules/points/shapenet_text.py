"""ShapeNetPart's text release: one file per cloud, a line per point."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from datamodules.data_files import DataFileError, check_finite, read_lines, require, whole_numbers
from datamodules.points.datasets import PointDataset
from datamodules.points.shapenet_parts import CLASS_NAMES, CLASS_PARTS
from datamodules.points.types import IntArray, PointSample

TEXT_FOLDER = "shapenetcore_partanno_segmentation_benchmark_v0_normal"
TEXT_TREE = f"""{TEXT_FOLDER}/
    synsetoffset2category.txt    name and folder of a category per line
    train_test_split/shuffled_{{train,val,test}}_file_list.json
    <folder>/<id>.txt            x y z nx ny nz part"""
_COLUMNS = 7


class TextPoints(PointDataset):
    """Clouds of the text release, read when they are asked for.

    Args:
        paths: the files.
        labels: their categories.
        normals: give the normals as features.
    """

    def __init__(self, paths: Sequence[Path], labels: Sequence[int], normals: bool = False) -> None:
        super().__init__(np.asarray(labels))
        self.paths = tuple(paths)
        self.normals = normals

    def __getitem__(self, index: int) -> PointSample:
        path, label = self.paths[index], int(self.labels[index])
        table = _read_table(path)
        parts = whole_numbers(path, "part", table[:, 6])
        check_parts(path, parts, label)
        numbers = table[:, :6].astype(np.float32)
        return PointSample(
            numbers[:, :3],
            label=label,
            features=numbers[:, 3:] if self.normals else None,
            parts=parts,
            name=f"{CLASS_NAMES[label]}/{path.stem}",
            has_normals=self.normals,
        )


def read_text_part(root: Path, part: Literal["train", "val", "test"], normals: bool) -> TextPoints:
    """Find the files of a part.

    Raises:
        FileNotFoundError: a list or a cloud is missing; the message shows the tree.
        DataFileError: a list is malformed.
    """
    base = root / TEXT_FOLDER
    listing = base / "train_test_split" / f"shuffled_{part}_file_list.json"
    categories = base / "synsetoffset2category.txt"
    require([base, categories, listing], root, TEXT_TREE)
    label_of = _read_categories(categories)
    found = [_locate(base, listing, entry, label_of) for entry in _read_list(listing)]
    require((path for path, _ in found), root, TEXT_TREE)
    paths, labels = zip(*found, strict=True)
    return TextPoints(paths, labels, normals)


def check_parts(path: Path, parts: IntArray, label: int) -> None:
    """Raise a DataFileError if a part does not belong to the category."""
    own = CLASS_PARTS[label]
    wrong = (parts < own[0]) | (parts > own[-1])
    if wrong.any():
        got = f"{parts[wrong][0]} at point {wrong.argmax()}"
        raise DataFileError(
            path, f"parts of category {CLASS_NAMES[label]} must be from {own[0]} to {own[-1]}, got {got}"
        )


def _read_categories(path: Path) -> dict[str, int]:
    """Return folder -> label."""
    label_of = {}
    for line in read_lines(path):
        name, _, folder = line.partition("\t") if "\t" in line else line.partition(" ")
        if name not in CLASS_NAMES or not folder.strip():
            raise DataFileError(path, f"each line must be a category and its folder, got {line!r}")
        label_of[folder.strip()] = CLASS_NAMES.index(name)
    return label_of


def _read_list(path: Path) -> list[str]:
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataFileError(path, f"must be JSON: {error}") from error
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, str) for entry in entries):
        raise DataFileError(path, "must be a list of one or more file names")
    return entries


def _locate(base: Path, listing: Path, entry: str, label_of: dict[str, int]) -> tuple[Path, int]:
    """Return the file and label of an entry such as "shape_data/02691156/1a04e3ea"."""
    *_, folder, name = ["", *entry.split("/")]
    if folder not in label_of or not name:
        raise DataFileError(listing, f"must list .../<folder>/<id> with a known folder, got {entry!r}")
    return base / folder / f"{name}.txt", label_of[folder]


def _read_table(path: Path) -> NDArray[np.float64]:
    lines = read_lines(path)
    try:
        table = np.loadtxt(lines, ndmin=2, comments=None)
    except ValueError as error:
        raise DataFileError(path, f"must be a table of numbers: {error}") from error
    if table.shape[1] != _COLUMNS:
        raise DataFileError(path, f"must have {_COLUMNS} numbers per line, got {table.shape[1]}")
    with np.errstate(over="ignore"):
        check_finite(path, "numbers", table.astype(np.float32))
    return table
