"""The Medical Segmentation Decathlon: ten tasks of segmented volumes, each described by its dataset.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from datamodules.data_files import DataFileError, missing_data
from datamodules.labels import VOID
from datamodules.volumes.cases import Case, CaseList, case_name
from datamodules.volumes.segmentation import SegmentationDataModule

DECATHLON_TREE = """dataset.json                  names of labels and modalities, pairs of files
imagesTr/<case>.nii.gz        3-D, or 4-D with the modalities last
labelsTr/<case>.nii.gz        3-D, whole numbers
imagesTs/<case>.nii.gz        without labels; for prediction"""


class DecathlonDataModule(SegmentationDataModule):
    """One task of the Medical Segmentation Decathlon (Antonelli et al., 2022), such as ``Task04_Hippocampus``.

    The cases, labels and modalities are those of ``dataset.json``. The published test part has no labels: it is what
    prediction runs over, and the test part here is a share of the labelled cases. Files that macOS left, ``._*``, are
    passed over. The arguments are those of :class:`~datamodules.volumes.segmentation.SegmentationDataModule`; ``root``
    is the folder of the task, which holds ``dataset.json``.
    """

    def load_cases(self) -> CaseList:
        """Read ``dataset.json``."""
        path = self.root / "dataset.json"
        if not path.is_file():
            raise missing_data(path, self.root, DECATHLON_TREE)
        content = _read_json(path)
        labelled = tuple(self._case(path, entry) for entry in _list(path, content, "training") if not _is_stray(entry))
        predicted = tuple(self._case(path, entry) for entry in content.get("test") or () if not _is_stray(entry))
        if not labelled:
            raise DataFileError(path, "training must list at least one case, got none")
        return CaseList(
            labelled, (), predicted, _names(path, content, "labels", 2), _names(path, content, "modality", 1)
        )

    def _case(self, path: Path, entry: Any) -> Case:
        words = {"image": entry} if isinstance(entry, str) else entry
        if not isinstance(words, dict) or not all(isinstance(words.get(key, ""), str) for key in ("image", "label")):
            raise DataFileError(path, f'cases must be "file" or {{"image": "file", "label": "file"}}, got {entry!r}')
        if "image" not in words or (isinstance(entry, dict) and "label" not in words):
            raise DataFileError(path, f"cases must have image and label, got {entry!r}")
        image = self._file(words["image"])
        return Case(case_name(image), image, self._file(words["label"]) if "label" in words else None)

    def _file(self, name: str) -> Path:
        path = self.root / name
        if not path.is_file():
            raise missing_data(path, self.root, DECATHLON_TREE)
        return path


def _is_stray(entry: Any) -> bool:
    name = entry.get("image", "") if isinstance(entry, dict) else entry
    return isinstance(name, str) and Path(name).name.startswith("._")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:  # also of bytes that are no text
        raise DataFileError(path, f"cannot be read as JSON, is it complete? ({error})") from error
    if not isinstance(content, dict):
        raise DataFileError(path, f"must be an object with training, labels and modality, got {type(content).__name__}")
    return content


def _list(path: Path, content: dict[str, Any], key: str) -> list[Any]:
    if not isinstance(content.get(key), list):
        raise DataFileError(path, f"{key} must be a list, got {content.get(key)!r}")
    return content[key]


def _names(path: Path, content: dict[str, Any], key: str, least: int) -> tuple[str, ...]:
    """Return the names under "0", "1", ..., in order."""
    table = content.get(key)
    expected = f'{key} must be an object from "0", "1", ... to at least {least} and at most {VOID} name(s)'
    if not isinstance(table, dict) or not least <= len(table) <= VOID:
        raise DataFileError(path, f"{expected}, got {table!r}")
    if set(table) != {str(number) for number in range(len(table))}:
        raise DataFileError(path, f"{expected}, got the keys {sorted(table)}")
    return tuple(str(table[str(number)]) for number in range(len(table)))
