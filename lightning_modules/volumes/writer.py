"""Predicted masks as NIfTI files, on the voxels of the images that they are of."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import BasePredictionWriter
from torch import Tensor


class _Parts(Protocol):
    predict: Sequence[Any]


class NiftiSource(Protocol):
    """A data module whose volumes are from files, and that writes labels back onto their voxels."""

    @property
    def parts(self) -> _Parts:
        """The cases of each part; ``parts.predict`` are those of the prediction, in the order of its loader."""
        ...

    def write_prediction(self, case: Any, labels: Tensor, folder: str | Path) -> Path:
        """Write labels with the shape, orientation and affine of the case's image, and return the file."""
        ...


class VolumeWriter(BasePredictionWriter):
    """Writes predicted classes as ``<folder>/<case>.nii.gz``, with the source's shape and affine, batch by batch.

    Args:
        folder: where to write; relative paths start from the run's own folder.

    Raises:
        ValueError: when a prediction starts, the data module's volumes are not from files.
    """

    def __init__(self, folder: str = "masks") -> None:
        super().__init__(write_interval="batch")
        self.folder = folder

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """See that the data can be written back."""
        data = getattr(trainer, "datamodule", None)
        if not hasattr(data, "write_prediction"):
            raise ValueError(
                "VolumeWriter needs a data module of NIfTI files, such as NiftiFolderDataModule,"
                f" got {type(data).__name__}; take it out of trainer.callbacks"
            )

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
        """Write the masks of one batch."""
        data: NiftiSource = trainer.datamodule  # type: ignore[attr-defined]
        root = Path(trainer.log_dir or trainer.default_root_dir, self.folder)
        cases = data.parts.predict
        for index, labels in zip(batch_indices or (), prediction["predicted"], strict=True):
            data.write_prediction(cases[index], labels, root)
