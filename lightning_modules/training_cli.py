"""Lightning's command line with the project's defaults: the one file, beside the demo, that sees tasks and data.

Configurations name tasks and data sets by class; what a run writes is told in :class:`LpscCLI`.
"""

import warnings
from collections.abc import Sequence
from typing import Any

from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI
from pytorch_lightning.loggers import CSVLogger, Logger, TensorBoardLogger
from pytorch_lightning.utilities import rank_zero_warn

import datamodules.digits
import datamodules.images.cifar
import datamodules.images.drive
import datamodules.images.imagenet
import datamodules.images.vessels
import datamodules.images.voc
import datamodules.points.modelnet
import datamodules.points.scanobjectnn
import datamodules.points.shapenet_part
import datamodules.points.shapes
import lightning_modules.classification
import lightning_modules.masks
import lightning_modules.part_segmentation
import lightning_modules.point_classification
import lightning_modules.rates
import lightning_modules.segmentation
import lightning_modules.vessel_segmentation
from datamodules.base import BaseDataModule
from lightning_modules.base import BaseTask
from lightning_modules.callbacks import EpochTimer, PredictionWriter
from lightning_modules.epoch_checkpoint import EpochCheckpoint

# Imported for their names: --help lists these classes, and a configuration may name them without their module.
TASKS = (
    lightning_modules.classification.ClassificationTask,
    lightning_modules.segmentation.SegmentationTask,
    lightning_modules.vessel_segmentation.VesselSegmentationTask,
    lightning_modules.point_classification.PointClassificationTask,
    lightning_modules.part_segmentation.PartSegmentationTask,
)
DATA = (
    datamodules.digits.DigitsDataModule,
    datamodules.images.vessels.VesselsDataModule,
    datamodules.images.cifar.CIFAR10DataModule,
    datamodules.images.cifar.CIFAR100DataModule,
    datamodules.images.imagenet.ImageNetDataModule,
    datamodules.images.voc.VOC2012DataModule,
    datamodules.images.drive.DRIVEDataModule,
    datamodules.points.shapes.SurfacesDataModule,
    datamodules.points.modelnet.ModelNet40DataModule,
    datamodules.points.scanobjectnn.ScanObjectNNDataModule,
    datamodules.points.shapenet_part.ShapeNetPartDataModule,
)

_CHECKPOINT_DEFAULTS = {
    "checkpoint.monitor": "val/loss",
    "checkpoint.mode": "min",
    "checkpoint.filename": "best",
}

_IGNORED_WARNINGS = (
    ".*is called with Trainer configured with multiple `ModelCheckpoint`",  # the first, which keeps the best, is meant
    ".*does not have many workers",  # data held in memory loads fastest in the main process
    "LightningCLI's args parameter is intended",  # main() chose the words, from the process or from its caller
    "`isinstance.treespec, LeafSpec.` is deprecated",  # inside Lightning, about torch
)


class LpscCLI(LightningCLI):
    """A LightningCLI whose runs always keep checkpoints, time their epochs, and log to CSV and TensorBoard.

    A run writes into ``<trainer.default_root_dir>/version_<n>``: ``config.yaml``, ``metrics.csv``, TensorBoard's
    events, ``checkpoints/best.ckpt`` and ``last.ckpt``, and ``predictions.csv`` after a prediction.
    """

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the callbacks of every run, with their arguments open to the configuration."""
        parser.add_lightning_class_args(ModelCheckpoint, "checkpoint")
        parser.set_defaults(_CHECKPOINT_DEFAULTS)
        parser.add_lightning_class_args(EpochCheckpoint, "epoch_checkpoint")
        parser.add_lightning_class_args(EpochTimer, "timer")
        parser.add_lightning_class_args(PredictionWriter, "predictions")

    def after_instantiate_classes(self) -> None:
        """Warn when an evaluation is about to judge a network that nobody trained."""
        command = self.subcommand
        if command in ("validate", "test", "predict") and not self.config[command]["ckpt_path"]:
            rank_zero_warn(f"lpsc {command} without --ckpt_path: the network has its initial weights")

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Build the trainer, with the default loggers unless the configuration has its own or ``false``."""
        settings = self._get(self.config_init, "trainer")
        if settings["logger"] is None:
            kwargs["logger"] = _loggers(settings["default_root_dir"] or "runs")
        return super().instantiate_trainer(**kwargs)


def run(words: Sequence[str]) -> LpscCLI:
    """Run the command line, and return it with its trainer, model and data."""
    return _cli(words, run=True)


def build(words: Sequence[str]) -> LpscCLI:
    """Build trainer, model and data and run nothing: ``build(["--config", path])``, without a subcommand."""
    return _cli(words, run=False)


def _cli(words: Sequence[str], *, run: bool) -> LpscCLI:
    for message in _IGNORED_WARNINGS:
        warnings.filterwarnings("ignore", message=message)
    return LpscCLI(
        model_class=BaseTask,
        datamodule_class=BaseDataModule,
        subclass_mode_model=True,
        subclass_mode_data=True,
        seed_everything_default=0,
        auto_configure_optimizers=False,
        parser_kwargs={"prog": "lpsc", "description": "Train and evaluate log-polar space convolution networks."},
        args=list(words),
        run=run,
    )


def _loggers(root: str) -> list[Logger]:
    table = CSVLogger(root, name="")
    return [table, TensorBoardLogger(root, name="", version=table.version, default_hp_metric=False)]
