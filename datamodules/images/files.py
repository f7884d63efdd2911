"""Images as files: read whole, with an error that names the file, and resized."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from datamodules.data_files import DataFileError
from datamodules.labels import VOID
from lpsc_nd._checks import shape_text

if TYPE_CHECKING:
    from PIL.Image import Image

INDEX_MODES = ("P", "L", "1")


def read_rgb(path: Path) -> Tensor:
    """Read an image of any kind as red, green and blue.

    Shape:
        ``(3, H, W)`` uint8.

    Raises:
        ModuleNotFoundError: Pillow is not installed.
        DataFileError: the file is damaged or no image.
    """
    return _read(path, lambda image: image.convert("RGB")).permute(2, 0, 1).contiguous()


def read_indices(path: Path, num_classes: int) -> Tensor:
    """Read an image of class numbers: the indices of a palette, not its colours, or grey values.

    Shape:
        ``(H, W)`` int64, from 0 to ``num_classes - 1``, or 255 for void.

    Raises:
        ModuleNotFoundError: Pillow is not installed.
        DataFileError: the file is damaged, holds colours, or a class that does not exist.
    """
    indices = _read(path, lambda image: _of_mode(path, image))
    wrong = indices[(indices >= num_classes) & (indices != VOID)]
    if len(wrong):
        raise DataFileError(path, f"classes must be from 0 to {num_classes - 1}, or {VOID} for void, got {wrong[0]}")
    return indices.long()


def read_binary(path: Path) -> Tensor:
    """Read a black and white image: true where it is brighter than half.

    Shape:
        ``(H, W)`` bool.

    Raises:
        ModuleNotFoundError: Pillow is not installed.
        DataFileError: the file is damaged or no image.
    """
    return _read(path, lambda image: image.convert("L")) > 127


def check_same_size(path: Path, image: Tensor, other: Tensor, of: Path) -> None:
    """Raise a DataFileError unless the image at ``path`` has the height and width of the image ``of``."""
    if image.shape[-2:] != other.shape[-2:]:
        expected, got = shape_text(other.shape[-2:]), shape_text(image.shape[-2:])
        raise DataFileError(path, f"must have the size {expected} of {of.name}, got {got}")


def resize(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize an image ``(C, H, W)``, uint8 or floating, bilinearly, averaging where it shrinks."""
    # Through floats: torch's own way for uint8 fails on results of one pixel.
    resized = F.interpolate(image[None].float(), size=size, mode="bilinear", antialias=True)[0]
    return resized.round().to(torch.uint8) if image.dtype == torch.uint8 else resized


def resize_labels(labels: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize labels ``(H, W)`` int64: each new pixel takes the label of the nearest old one."""
    # Labels go through uint8, which holds classes and void: interpolation takes no int64.
    return F.interpolate(labels.to(torch.uint8)[None, None], size=size, mode="nearest-exact")[0, 0].long()


def resize_shorter(image: Tensor, length: int) -> Tensor:
    """Resize an image so that its shorter side has ``length`` pixels, at the same aspect ratio."""
    height, width = image.shape[-2:]
    scale = length / min(height, width)
    return resize(image, (max(length, round(height * scale)), max(length, round(width * scale))))


def center_crop(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Cut the middle out of an image that is at least as large."""
    top, left = ((have - want) // 2 for have, want in zip(image.shape[-2:], size, strict=True))
    return image[..., top : top + size[0], left : left + size[1]]


def _of_mode(path: Path, image: Image) -> Image:
    if image.mode not in INDEX_MODES:
        raise DataFileError(path, f"must hold class indices, one channel of mode {INDEX_MODES}, got mode {image.mode}")
    return image


def _read(path: Path, convert: Callable[[Image], Image]) -> Tensor:
    try:
        from PIL import Image
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "images are read by Pillow, which is not installed: pip install 'lpsc-nd[images]'", name=error.name
        ) from error
    # What Pillow's decoders are seen to raise on damaged files.
    damaged = (OSError, SyntaxError, ValueError, TypeError, EOFError, IndexError, KeyError, OverflowError, MemoryError)
    try:
        with path.open("rb") as file, Image.open(file) as image:
            pixels = np.array(convert(image), dtype=np.uint8)
    except (FileNotFoundError, DataFileError):
        raise
    except (*damaged, Image.DecompressionBombError) as error:
        raise DataFileError(path, f"cannot be read as an image, is it complete? ({error})") from error
    return torch.from_numpy(pixels)
