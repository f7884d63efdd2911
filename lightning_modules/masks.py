"""Predicted masks as images on disk."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import BasePredictionWriter
from torch import Tensor


class MaskWriter(BasePredictionWriter):
    """Writes what ``predict`` returns per pixel as PNG files, ``<folder>/<name>/<index>.png``, batch by batch.

    Of every batch, a dict, the entries with values per pixel are written: classes ``(B, H, W)`` uint8 as palette
    images whose indices are the classes, in VOC's colours, and probabilities ``(B, H, W)`` floating as grey images,
    255 for 1. The index is the sample's number in the data set.

    Args:
        folder: where to write; relative paths start from the run's own folder.
    """

    def __init__(self, folder: str = "masks") -> None:
        super().__init__(write_interval="batch")
        self.folder = folder

    def write_on_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        prediction: Mapping[str, Tensor],
        batch_indices: Sequence[int] | None,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int,
    ) -> None:
        """Write the images of one batch."""
        root = Path(trainer.log_dir or trainer.default_root_dir, self.folder)
        for name, masks in prediction.items():
            if masks.ndim == 3:
                for index, mask in zip(batch_indices or (), masks, strict=True):
                    write_mask(root / name / f"{index:06d}.png", mask)


def write_mask(path: Path, mask: Tensor) -> None:
    """Write one mask ``(H, W)``: uint8 as palette indices, floating values from 0 to 1 as grey.

    Raises:
        ModuleNotFoundError: Pillow is not installed.
    """
    try:
        from PIL import Image
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "masks are written by Pillow, which is not installed: pip install 'lpsc-nd[images]'", name=error.name
        ) from error
    path.parent.mkdir(parents=True, exist_ok=True)
    if mask.is_floating_point():
        image = Image.fromarray((255 * mask.detach().cpu().float().clamp(0, 1)).round().byte().numpy())
    else:
        image = Image.fromarray(mask.cpu().numpy().astype(np.uint8)).convert("P")
        image.putpalette(voc_palette())
    image.save(path)


def voc_palette() -> list[int]:
    """Return VOC's 256 colours, red, green and blue in turn.

    The bits of a class, from the lowest, go to red, green and blue in turn, into their highest bits first.
    """
    return [
        sum(((label >> (3 * bit + channel)) & 1) << (7 - bit) for bit in range(3))
        for label in range(256)
        for channel in range(3)
    ]
