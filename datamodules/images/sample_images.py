"""Grey images to take statistics of: those that ship with scikit-learn, or those of a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.data_files import missing_data
from datamodules.images.files import read_rgb

GreyImage = tuple[str, NDArray[np.float64]]

_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])  # of red, green and blue, ITU-R BT.709
_INK_MAX = 16.0  # the digits hold counts of ink from 0 to 16


def image_sets(folder: Path | None = None) -> dict[str, Callable[[], Iterator[GreyImage]]]:
    """Return sets of images by name, as functions that read them: those of a folder, else the embedded ones."""
    if folder is None:
        return {"photographs": embedded_photographs, "digits": embedded_digits}
    return {folder.resolve().name: partial(folder_images, folder)}


def embedded_photographs() -> Iterator[GreyImage]:
    """Yield the two photographs of scikit-learn, 427 x 640, from 0 to 1.

    Raises:
        ModuleNotFoundError: scikit-learn is not installed.
    """
    for image, path in zip(*_from_sklearn("load_sample_images", "images", "filenames"), strict=True):
        yield Path(path).name, luminance(np.moveaxis(image, -1, 0))


def embedded_digits() -> Iterator[GreyImage]:
    """Yield scikit-learn's handwritten digits as one array (1797, 8, 8), from 0 to 1.

    Raises:
        ModuleNotFoundError: scikit-learn is not installed.
    """
    (images,) = _from_sklearn("load_digits", "images")
    yield "digits", images / _INK_MAX


def folder_images(folder: Path) -> Iterator[GreyImage]:
    """Yield the images in a folder by name, each with its path, from 0 to 1; folders inside it are not searched.

    Raises:
        FileNotFoundError: no folder, or no image in it.
        DataFileError: an image that cannot be read.
    """
    paths = sorted(path for path in folder.glob("*") if path.suffix.lower() in _SUFFIXES and path.is_file())
    if not paths:
        raise missing_data(folder / "*", folder, f"images ({' '.join(_SUFFIXES)}), at least one")
    for path in paths:
        yield str(path), luminance(read_rgb(path).numpy())


def luminance(image: NDArray[Any]) -> NDArray[np.float64]:
    """Return the brightness of red, green and blue from 0 to 255, as 0 to 1.

    Shape:
        ``(3, H, W) -> (H, W)``.

    >>> luminance(np.full((3, 1, 1), 255)).round(6)
    array([[1.]])
    """
    return np.tensordot(_LUMINANCE, image.astype(np.float64) / 255, axes=1)


def _from_sklearn(loader: str, *fields: str) -> tuple[Any, ...]:
    try:
        from sklearn import datasets
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "these images come with scikit-learn, which is not installed: pip install 'lpsc-nd[train]'", name=error.name
        ) from error
    loaded = getattr(datasets, loader)()
    return tuple(getattr(loaded, field) for field in fields)
