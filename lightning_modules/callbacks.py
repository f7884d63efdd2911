"""Callbacks of every run: the time per epoch, and predictions as a table on disk."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import BasePredictionWriter
from torch import Tensor

from lpsc_nd._files import write_csv


class EpochTimer(Callback):
    """Logs ``train/seconds``: how long the training batches of an epoch took, loading included, validation not."""

    def __init__(self) -> None:
        self._start = 0.0
        self._seconds = 0.0

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self._start = perf_counter()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Read the clock."""
        self._seconds = perf_counter() - self._start

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the time of the epoch's last batch."""
        pl_module.log("train/seconds", self._seconds)


class PredictionWriter(BasePredictionWriter):
    """Writes what ``predict`` returns as one CSV table, a row per sample.

    Every batch is a dict of tensors of one length: a vector is a column under its name, a matrix is columns
    ``name_0``, ``name_1`` and so on; maps of more axes are left to a writer of pictures, such as
    :class:`~lightning_modules.masks.MaskWriter`. The column ``index`` is the sample's number in the data set. The file
    appears complete or not at all. With several processes each writes its own samples, and its rank ends the file's
    stem.

    Args:
        path: the file to write; relative paths start from the run's own folder.
    """

    def __init__(self, path: str = "predictions.csv") -> None:
        super().__init__(write_interval="epoch")
        self.path = path

    def write_on_epoch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        predictions: Sequence[Mapping[str, Tensor]],
        batch_indices: Sequence[Any],
    ) -> None:
        """Write the table of all batches."""
        path = Path(trainer.log_dir or trainer.default_root_dir, self.path)
        if trainer.world_size > 1:
            path = path.with_stem(f"{path.stem}_{trainer.global_rank}")
        indices = [index for loader in batch_indices for batch in loader for index in batch]
        rows = (row for batch in predictions for row in _rows(batch))
        write_csv(path, ({"index": index, **row} for index, row in zip(indices, rows, strict=True)))
        print(f"predictions: {path}")


def _rows(batch: Mapping[str, Tensor]) -> Iterator[dict[str, Any]]:
    columns: dict[str, list[Any]] = {}
    for name, values in batch.items():
        if values.ndim == 1:
            columns[name] = values.tolist()
        elif values.ndim == 2:
            columns |= {f"{name}_{i}": column.tolist() for i, column in enumerate(values.unbind(dim=1))}
    for row in zip(*columns.values(), strict=True):
        yield dict(zip(columns, row, strict=True))
