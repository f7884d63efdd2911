"""How neighbouring pixels of the images that a network is shown correlate, written when it is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor

from lightning_modules.inspect_command.correlation import per_region
from lightning_modules.inspect_command.output import Output
from lightning_modules.inspect_command.windows import Window
from lpsc_nd import LogPolarPartition, _checks
from lpsc_nd.inspect.correlation import correlation_map
from lpsc_nd.inspect.correlation_figure import draw_correlations


class CorrelationPictures(Callback):
    """Writes how pixels correlate with the centre of a window, per region (paper, Appendix A.1).

    The images are those of the first training batches, as the network is shown them. ``correlation`` goes into
    ``<run>/pictures/``, as ``lpsc inspect correlation`` writes it: a table as text and CSV, a picture as PNG and SVG.

    Args:
        kernel_size: cells of the square window along each axis.
        num_levels: distance levels.
        num_directions: directions.
        growth: ratio of successive radii.
        batches: how many batches are taken, or all of an epoch that has fewer.

    Raises:
        ValueError, TypeError: an argument out of its range; while training, batches that do not begin with images
            (B, C, H, W), or images smaller than the window.
    """

    def __init__(
        self,
        kernel_size: int = 7,
        num_levels: int = 2,
        num_directions: int = 6,
        growth: float = 2.0,
        batches: int = 8,
    ) -> None:
        size = (_checks.integer("kernel_size", kernel_size, minimum=1),) * 2
        partition = LogPolarPartition.for_grid(size, num_levels, num_directions, growth)
        self.window = Window(partition, size, (1.0, 1.0))
        self.batches = _checks.integer("batches", batches, minimum=1)
        self._images: list[NDArray[np.float32]] | None = []

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Keep the images of a batch, and write when there are enough."""
        if self._images is None or not trainer.is_global_zero:
            return
        images = batch[0] if isinstance(batch, (list, tuple)) and batch else batch
        if not isinstance(images, Tensor) or images.ndim != 4:
            raise ValueError(f"a batch must begin with images (B, C, H, W), got {type(images).__name__}")
        self._images.append(images.detach().cpu().float().numpy())
        if len(self._images) == self.batches:
            self._write(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write what an epoch of fewer batches has shown."""
        if self._images:
            self._write(trainer)

    def _write(self, trainer: Trainer) -> None:
        images, self._images = self._images or [], None
        found = correlation_map(images, self.window.kernel_size)
        output = Output(Path(trainer.log_dir or trainer.default_root_dir, "pictures"), quiet=True)
        output.table("correlation", per_region("training images", found, self.window))
        figure = draw_correlations(
            {"training images": found}, self.window.mask, self.window.num_directions, title=self.window.title
        )
        output.figure("correlation", figure)
