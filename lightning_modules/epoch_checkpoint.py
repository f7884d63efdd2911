"""A checkpoint after every epoch, from which a run goes on, with what was logged so far."""

from pathlib import Path
from typing import Any

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint


class EpochCheckpoint(Checkpoint):
    """Writes a checkpoint after every epoch, and keeps the values of ``train/`` and ``val/`` of all epochs in it.

    A run that goes on from the checkpoint knows exactly the epochs that are in it, whatever ended the run before.
    Lightning runs checkpoint callbacks behind all others, so it holds what they did in the epoch. Lightning's own
    ``last.ckpt`` is no such checkpoint: it is written only when the monitored value has improved.

    Args:
        path: the file to write; relative paths start from the run's own folder.
    """

    def __init__(self, path: str = "checkpoints/last.ckpt") -> None:
        self.path = path
        self.epochs: dict[int, dict[str, float]] = {}

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the values of the validation."""
        if not trainer.sanity_checking:
            self._take(trainer, "val/")

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the values of the training, and write the checkpoint."""
        self._take(trainer, "train/")
        trainer.save_checkpoint(Path(trainer.log_dir or trainer.default_root_dir, self.path))

    def state_dict(self) -> dict[str, Any]:
        """Return the epochs so far, plain."""
        return {"epochs": {epoch: dict(values) for epoch, values in self.epochs.items()}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from the epochs of a checkpoint."""
        self.epochs = {epoch: dict(values) for epoch, values in state_dict["epochs"].items()}

    def rows(self) -> list[dict[str, float]]:
        """Return the epochs in order, each with its number."""
        return [{"epoch": epoch, **values} for epoch, values in sorted(self.epochs.items())]

    def _take(self, trainer: Trainer, stage: str) -> None:
        values = {name: float(value) for name, value in trainer.callback_metrics.items() if name.startswith(stage)}
        self.epochs.setdefault(trainer.current_epoch, {}).update(values)
