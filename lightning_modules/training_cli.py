"""Lightning's command line with the project's defaults: the one file, beside the demo, that sees tasks and data.

Configurations name tasks and data sets by class; what a run writes is told in :class:`LpscCLI`.
"""

import warnings
from collections.abc import Sequence
from typing import Any

from jsonargparse import Namespace
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
import datamodules.sequences.cylinder_bell_funnel
import datamodules.sequences.digits
import datamodules.sequences.mackey_glass
import datamodules.sequences.ucr
import datamodules.volumes.decathlon
import datamodules.volumes.folder
import datamodules.volumes.medmnist
import datamodules.volumes.solids
import datamodules.volumes.vessel_trees
import lightning_modules.classification
import lightning_modules.forecasting
import lightning_modules.masks
import lightning_modules.part_segmentation
import lightning_modules.point_classification
import lightning_modules.rates
import lightning_modules.segmentation
import lightning_modules.vessel_segmentation
import lightning_modules.volumes.pictures
import lightning_modules.volumes.segmentation
import lightning_modules.volumes.writer
from datamodules.base import BaseDataModule
from lightning_modules.base import BaseTask
from lightning_modules.callbacks import EpochTimer, PredictionWriter
from lightning_modules.epoch_checkpoint import EpochCheckpoint
from lightning_modules.volumes.spacing import set_layer_spacing

# Imported for their names: --help lists these classes, and a configuration may name them without their module.
TASKS = (
    lightning_modules.classification.ClassificationTask,
    lightning_modules.segmentation.SegmentationTask,
    lightning_modules.vessel_segmentation.VesselSegmentationTask,
    lightning_modules.volumes.segmentation.VolumeSegmentationTask,
    lightning_modules.point_classification.PointClassificationTask,
    lightning_modules.part_segmentation.PartSegmentationTask,
    lightning_modules.forecasting.ForecastingTask,
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
    datamodules.sequences.cylinder_bell_funnel.CylinderBellFunnelDataModule,
    datamodules.sequences.digits.DigitSequencesDataModule,
    datamodules.sequences.ucr.UCRDataModule,
    datamodules.sequences.mackey_glass.MackeyGlassDataModule,
    datamodules.volumes.solids.SolidsDataModule,
    datamodules.volumes.vessel_trees.VesselTreesDataModule,
    datamodules.volumes.medmnist.MedMNIST3DDataModule,
    datamodules.volumes.decathlon.DecathlonDataModule,
    datamodules.volumes.folder.NiftiFolderDataModule,
)

_CHECKPOINT_DEFAULTS = {
    "checkpoint.monitor": "val/loss",
    "checkpoint.mode": "min",
    "checkpoint.filename": "best",
}

_IGNORED_WARNINGS = (
    ".*is called with Trainer configured with multiple `ModelCheckpoint`",  # the first, which keeps the best, is meant
    ".*does not have many workers",  # data held in memory loads fastest in the main process
    ".*scheduler is using 'interval': 'epoch'",  # all schedules of the tasks step once per epoch, as they say
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
        parser.add_argument("--test_after_fit", type=bool, default=False, help="after fit, test the best checkpoint")
        parser.add_argument(
            "--spacing_from_data", type=bool, default=False, help="give layers without a spacing that of the data"
        )

    def before_instantiate_classes(self) -> None:
        """Write the data's spacing into the configuration of the network's layers, if that is asked for."""
        if self._get(self.config, "spacing_from_data"):
            set_layer_spacing(self._get(self.config, "model"), _data_of(self._get(self.config, "data")))

    def after_instantiate_classes(self) -> None:
        """Warn when an evaluation is about to judge a network that nobody trained."""
        command = self.subcommand
        if command in ("validate", "test", "predict") and not self.config[command]["ckpt_path"]:
            rank_zero_warn(f"lpsc {command} without --ckpt_path: the network has its initial weights")

    def after_fit(self) -> None:
        """Test the best checkpoint, or the last weights where none is kept, if that is asked for."""
        if self._get(self.config, "test_after_fit"):
            best = getattr(self.trainer.checkpoint_callback, "best_model_path", "") or None
            self.trainer.test(self.model, datamodule=self.datamodule, ckpt_path=best)

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


def _data_of(settings: Namespace) -> Any:
    """Build a data module from its part of the configuration."""
    parser = LightningArgumentParser()
    parser.add_lightning_class_args(BaseDataModule, "data", subclass_mode=True)
    return parser.instantiate_classes(Namespace(data=settings)).data  # type: ignore[no-untyped-call]


def _loggers(root: str) -> list[Logger]:
    table = CSVLogger(root, name="")
    return [table, TensorBoardLogger(root, name="", version=table.version, default_hp_metric=False)]
