"""MedMNIST3D: six sets of small medical volumes, and any other set in the same layout."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from datamodules.base import Splits
from datamodules.data_files import DataFileError, check_range, check_shape, missing_data, whole_numbers
from datamodules.volumes.augmentation import VolumeAugmentation, checked_axes
from datamodules.volumes.module import Spacing, VolumeDataModule
from datamodules.volumes.samples import ArrayVolumes, StandardVolumes, VolumeDataset, stack
from lpsc_nd._checks import choice, numbers
from lpsc_nd._files import write_whole

PARTS = ("train", "val", "test")
CLASS_NAMES: Mapping[str, tuple[str, ...]] = {
    "organmnist3d": (
        *("liver", "right kidney", "left kidney", "right femur", "left femur", "bladder", "heart"),
        *("right lung", "left lung", "spleen", "pancreas"),
    ),
    "nodulemnist3d": ("benign", "malignant"),
    "adrenalmnist3d": ("normal", "hyperplasia"),
    "fracturemnist3d": ("buckle rib fracture", "nondisplaced rib fracture", "displaced rib fracture"),
    "vesselmnist3d": ("vessel", "aneurysm"),
    "synapsemnist3d": ("inhibitory synapse", "excitatory synapse"),
}
_TREE = """<name>.npz         28 x 28 x 28, such as organmnist3d.npz
<name>_64.npz      64 x 64 x 64"""
_SIZES = (28, 64)


class MedMNIST3DDataModule(VolumeDataModule):
    """A set of MedMNIST3D (Yang et al., 2023): six tasks of classifying volumes of 28 or 64 voxels a side.

    The names are ``organmnist3d`` (11 classes), ``nodulemnist3d``, ``adrenalmnist3d``, ``vesselmnist3d``,
    ``synapsemnist3d`` (2 each) and ``fracturemnist3d`` (3). The published parts are used as they are. Any other file in
    the layout is read with ``class_names`` of its own.

    Args:
        root: folder that holds the files.
        name: of the set.
        size: 28, or 64 for ``<name>_64.npz``; for other sets 28 reads ``<name>.npz``, whatever the size of its volumes.
        batch_size: volumes per batch.
        num_workers: processes that load batches.
        spacing: millimetres from voxel to voxel, one number or three; the files do not tell.
        class_names: of a set that is not one of the six.
        augment: mirror the training volumes along ``flip_axes``, and vary their brightness and contrast; needs MONAI.
        flip_axes: axes along which they are mirrored; none by default, as organs have sides.

    Shape:
        A batch is ``(x, target)``: x ``(B, 1, D, H, W)`` float32 from -1 to 1, target ``(B,)`` int64.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of range.
        FileNotFoundError: the file is missing when the data is loaded.
        DataFileError: the file is damaged, or does not hold what it should.
    """

    def __init__(
        self,
        root: str | Path,
        name: str = "organmnist3d",
        size: Literal[28, 64] = 28,
        batch_size: int = 32,
        num_workers: int = 0,
        spacing: float | tuple[float, float, float] = 1.0,
        class_names: Sequence[str] | None = None,
        augment: bool = False,
        flip_axes: Sequence[int] = (),
    ) -> None:
        super().__init__(batch_size, num_workers)
        if size not in _SIZES:
            raise ValueError(f"size must be one of {_SIZES}, got {size!r}")
        self.name = name if class_names is not None else choice("name", name, CLASS_NAMES)
        self._class_names = CLASS_NAMES[name] if class_names is None else tuple(class_names)
        self.root = Path(root)
        self.size = size
        z, y, x = numbers("spacing", spacing, 3, above=0)
        self._spacing = (z, y, x)
        self.augmentation = VolumeAugmentation(checked_axes("flip_axes", flip_axes)) if augment else None

    @property
    def spacing(self) -> Spacing:
        """Millimetres from voxel to voxel, as given."""
        return self._spacing

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the labels."""
        return self._class_names

    @property
    def path(self) -> Path:
        """Where the file is expected."""
        return self.root / (f"{self.name}.npz" if self.size == _SIZES[0] else f"{self.name}_{self.size}.npz")

    def load_splits(self) -> Splits:
        """Read the file."""
        if not self.path.is_file():
            raise missing_data(self.path, self.root, _TREE)
        shape = (self.size,) * 3 if self.name in CLASS_NAMES else None
        train, val, test = read_medmnist(self.path, len(self.class_names), shape=shape)
        return Splits(StandardVolumes(train, self.augmentation), StandardVolumes(val), StandardVolumes(test))


def read_medmnist(
    path: Path, num_classes: int, *, shape: tuple[int, ...] | None = None, segmented: bool = False
) -> tuple[ArrayVolumes, ArrayVolumes, ArrayVolumes]:
    """Read the three parts of a file in the layout of MedMNIST3D.

    Args:
        path: the ``.npz`` file, with ``train_images``, ``train_labels``, and the same for ``val`` and ``test``.
        num_classes: labels are from 0 to one less.
        shape: of the volumes; by default that of the file's first part.
        segmented: labels are volumes, one class per voxel, instead of one class per volume.

    Raises:
        DataFileError: the file is damaged, lacks an array, or an array has a wrong shape or wrong values.
    """
    arrays = _read_arrays(path)
    if shape is None:
        check_shape(path, "train_images", arrays["train_images"], ("N", "D", "H", "W"))
        shape = arrays["train_images"].shape[1:]
    parts = []
    for part in PARTS:
        images, labels = arrays[f"{part}_images"], arrays[f"{part}_labels"]
        check_shape(path, f"{part}_images", images, ("N", *shape))
        if images.dtype != np.uint8:
            raise DataFileError(path, f"{part}_images must be uint8, got {images.dtype}")
        if not segmented and labels.shape == (len(images),):
            labels = labels[:, None]
        check_shape(path, f"{part}_labels", labels, (len(images), *(shape if segmented else (1,))))
        classes = whole_numbers(path, f"{part}_labels", labels)
        check_range(path, f"{part}_labels", classes, num_classes)
        parts.append(ArrayVolumes(images, labels.astype(np.uint8) if segmented else classes[:, 0]))
    train, val, test = parts
    return train, val, test


def write_medmnist(path: str | Path, train: VolumeDataset, val: VolumeDataset, test: VolumeDataset) -> None:
    """Write three sets of volumes, such as a generated one's ``volumes()``, in the layout of MedMNIST3D.

    Args:
        path: the ``.npz`` file; it is there as a whole or not at all.
        train: training part.
        val: validation part.
        test: test part.
    """
    arrays: dict[str, Any] = {}
    for part, dataset in zip(PARTS, (train, val, test), strict=True):
        images, targets = stack(dataset)
        arrays[f"{part}_images"] = images
        arrays[f"{part}_labels"] = (targets if targets.ndim > 1 else targets[:, None]).astype(np.uint8)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    write_whole(path, [buffer.getbuffer()])


def _read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    names = [f"{part}_{kind}" for part in PARTS for kind in ("images", "labels")]
    # What numpy and zipfile are seen to raise on damaged files.
    damaged = (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error, MemoryError)
    try:
        with path.open("rb") as stream:
            file = np.load(stream, allow_pickle=False)
            present = sorted(file.files) if isinstance(file, np.lib.npyio.NpzFile) else []
            if not set(names) <= set(present):
                raise DataFileError(path, f"must hold the arrays {names}, got {present}")
            return {name: file[name] for name in names}
    except (FileNotFoundError, DataFileError):
        raise
    except (*damaged, NotImplementedError, RuntimeError, SyntaxError) as error:
        raise DataFileError(path, f"cannot be read as .npz, is it complete? ({error})") from error
