"""Random changes to batches of training images, and of label images along with them; the random laws are kornia's.

An augmentation is called as ``augmentation(images, target)`` with images of uint8 and gives floating ones from 0 to 1.
It draws from torch's global generator on the CPU, whatever device the images are on.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from datamodules.images.files import resize
from datamodules.labels import VOID

Images = Tensor | Sequence[Tensor]
Augmentation = Callable[[Any, Any], tuple[Tensor, Any]]


class CropFlip:
    """Pads with black, cuts a window of the old size at random, and mirrors half of the images left to right.

    Args:
        padding: pixels on each side.

    Shape:
        images ``(B, 3, H, W)`` uint8 to the same shape, floating; the target passes.
    """

    def __init__(self, padding: int = 4) -> None:
        self.padding = padding

    def __call__(self, images: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Change a batch."""
        kornia = _kornia()
        height, width = images.shape[-2:]
        crop = kornia.RandomCrop((height, width), padding=self.padding)
        return kornia.RandomHorizontalFlip()(crop(unit(images))), target


class ResizedCropFlip:
    """Cuts 8 to 100 % of each image at an aspect ratio of 3:4 to 4:3, resizes it, and mirrors half of the images.

    The windows are those of kornia's RandomResizedCrop, which would resize without averaging.

    Args:
        size: height and width of the result.

    Shape:
        images: B tensors ``(3, H, W)`` uint8, to ``(B, 3, *size)`` floating; the target passes.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = size

    def __call__(self, images: Sequence[Tensor], target: Tensor) -> tuple[Tensor, Tensor]:
        """Change a batch."""
        kornia = _kornia()
        window = kornia.RandomResizedCrop(self.size)
        cut = torch.stack([self._cut(image, window) for image in images])
        return kornia.RandomHorizontalFlip()(cut), target

    def _cut(self, image: Tensor, window: Any) -> Tensor:
        corners = window.forward_parameters(torch.Size((1, *image.shape)))["src"][0].long()  # (4, 2): x, y, inclusive
        (left, top), (right, bottom) = corners.amin(dim=0).tolist(), corners.amax(dim=0).tolist()
        return resize(unit(image[:, top : bottom + 1, left : right + 1]), self.size)


class ScaleCropFlip:
    """Scales each image and its labels by one factor, cuts a window of one size, and mirrors half of them.

    Where the scaled image is smaller than the window, the rest is black and its label void.

    Args:
        size: height and width of the window.
        scale: least and largest factor.

    Shape:
        images: B tensors ``(3, H, W)`` uint8, to ``(B, 3, *size)`` floating; target: B tensors ``(H, W)`` int64, to
        ``(B, *size)``.
    """

    def __init__(self, size: tuple[int, int], scale: tuple[float, float] = (0.5, 2.0)) -> None:
        self.size = size
        self.scale = scale

    def __call__(self, images: Sequence[Tensor], target: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Change a batch."""
        kornia = _kornia()
        crop = kornia.RandomCrop(self.size, pad_if_needed=True)
        both = kornia.AugmentationSequential(crop, kornia.RandomHorizontalFlip(), data_keys=["input", "mask"])
        pairs = [both(*self._scaled(*pair)) for pair in zip(images, target, strict=True)]
        return torch.cat([image for image, _ in pairs]), _from_mask(torch.cat([mask for _, mask in pairs]))

    def _scaled(self, image: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        low, high = self.scale
        factor = low + (high - low) * torch.rand(()).item()
        height, width = (max(1, round(side * factor)) for side in labels.shape)
        mask = F.interpolate(_as_mask(labels[None]), size=(height, width), mode="nearest-exact")
        return resize(unit(image), (height, width))[None], mask


class FundusJitter:
    """Mirrors, turns, shifts, scales and tints photographs of the retina, and their labels along with them.

    Mirroring left to right, upside down and, for square images, quarter turns; half of the images are shifted and
    scaled by up to 10 %; hue, saturation and brightness vary. What comes in from outside is black and void.

    Shape:
        images ``(B, 3, H, W)`` uint8 to the same shape, floating; target ``(B, H, W)`` int64.
    """

    def __call__(self, images: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Change a batch."""
        kornia = _kornia()
        steps = [kornia.RandomHorizontalFlip(), kornia.RandomVerticalFlip()]
        if images.shape[-1] == images.shape[-2]:
            steps.append(kornia.RandomRotation90((0, 3), p=1.0))
        steps.append(kornia.RandomAffine(0.0, translate=(0.1, 0.1), scale=(0.9, 1.1), p=0.5))
        steps.append(kornia.ColorJiggle(brightness=0.06, saturation=0.02, hue=1 / 6, p=0.5))
        changed, mask = kornia.AugmentationSequential(*steps, data_keys=["input", "mask"])(
            unit(images), _as_mask(target)
        )
        return changed, _from_mask(mask)


def unit(images: Tensor) -> Tensor:
    """Return images of uint8 as floating ones from 0 to 1."""
    return images.float() / 255


def _as_mask(labels: Tensor) -> Tensor:
    """Labels ``(B, H, W)`` as ``(B, 1, H, W)`` floating, with void as 0: what kornia fills with becomes void."""
    return (VOID - labels[:, None]).float()


def _from_mask(mask: Tensor) -> Tensor:
    return VOID - mask[:, 0].round().long()


def _kornia() -> Any:
    try:
        with warnings.catch_warnings():
            # kornia 0.8, the last for Python 3.10, still uses it when it is imported.
            warnings.filterwarnings("ignore", message="`torch.jit.script` is deprecated", category=DeprecationWarning)
            import kornia.augmentation
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "training images are varied by kornia, which is not installed: pip install 'lpsc-nd[images]', "
            "or give augment=False",
            name=error.name,
        ) from error
    return kornia.augmentation
