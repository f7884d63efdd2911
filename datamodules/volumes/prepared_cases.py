"""Prepared volumes of a set, kept in memory or in a folder."""

from __future__ import annotations

import hashlib
import io
import pickle
import warnings
from collections.abc import Sequence
from pathlib import Path

import torch

from datamodules.base import SizedDataset
from datamodules.volumes.cases import Case
from datamodules.volumes.prepared import Preparation, PreparedVolume, prepare
from lpsc_nd._files import write_whole

_FORMAT = 1
"""To be raised whenever the same files and preparation give another volume than before."""


class PreparedCases(SizedDataset):
    """The prepared volumes of cases, each prepared when it is first asked for.

    A file's name in the folder is a hash of the source files' paths, sizes and times, and of the preparation, so a
    change of any of them prepares anew. Any number of processes may use a folder at once, as files appear whole. One
    that was damaged since is written again, with a warning. Volumes are mapped into memory from there: of a volume
    only what is cut out is read.

    Args:
        cases: the cases.
        preparation: how they are prepared.
        in_memory: keep them in memory, in each loading process.
        folder: where to keep them; made if it is missing.
    """

    def __init__(
        self, cases: Sequence[Case], preparation: Preparation, in_memory: bool = True, folder: Path | None = None
    ) -> None:
        self.cases = tuple(cases)
        self.preparation = preparation
        self.in_memory = in_memory
        self.folder = folder
        self._kept: dict[int, PreparedVolume] = {}

    def __len__(self) -> int:
        return len(self.cases)

    def __getitem__(self, index: int) -> PreparedVolume:
        if index in self._kept:
            return self._kept[index]
        case = self.cases[index]
        volume = prepare(case, self.preparation) if self.folder is None else self._filed(case, self.folder)
        if self.in_memory:
            self._kept[index] = volume
        return volume

    def path(self, case: Case, folder: Path) -> Path:
        """Return where the prepared volume of a case is kept."""
        sources = [path for path in (case.image, case.labels) if path is not None]
        marks = [(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in sources]
        words = repr((_FORMAT, self.preparation, marks)).encode()
        return folder / f"{case.name}-{hashlib.blake2b(words, digest_size=12).hexdigest()}.volume"

    def _filed(self, case: Case, folder: Path) -> PreparedVolume:
        path = self.path(case, folder)
        found = _load(path)
        if found is None:
            volume = prepare(case, self.preparation)
            folder.mkdir(parents=True, exist_ok=True)
            buffer = io.BytesIO()
            torch.save({"images": volume.images.contiguous(), "labels": volume.labels}, buffer)
            write_whole(path, [buffer.getbuffer()])
            found = _load(path) or volume
        return found


def _load(path: Path) -> PreparedVolume | None:
    try:
        parts = torch.load(path, mmap=True, weights_only=True)
        return PreparedVolume(parts["images"], parts["labels"])
    except FileNotFoundError:
        return None
    except (RuntimeError, EOFError, OSError, KeyError, TypeError, pickle.UnpicklingError) as error:
        warnings.warn(f"{path} is damaged ({error}); it is prepared and written again", stacklevel=4)
        return None
