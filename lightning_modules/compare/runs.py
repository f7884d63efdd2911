"""One run of a comparison: trained from its last whole epoch on, then tested."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Trainer
from pytorch_lightning.utilities.exceptions import SIGTERMException

from lightning_modules.compare.records import Result, versions
from lightning_modules.epoch_checkpoint import EpochCheckpoint
from lightning_modules.training_cli import LpscCLI, build

OWN_SETTINGS = (
    "--config",
    "--seed_everything",
    "--trainer.default_root_dir",
    "--checkpoint.dirpath",
    "--checkpoint.filename",
    "--checkpoint.save_last",
    "--checkpoint.enable_version_counter",
    "--checkpoint.save_on_exception",
    "--epoch_checkpoint.path",
)

_NO_SUMMARY = "--trainer.enable_model_summary=false"  # the same table for every seed


@dataclass(frozen=True)
class Run:
    """One training of one configuration.

    Args:
        config: the configuration's file.
        seed: of all random numbers.
        folder: what the run writes goes there.
        overrides: words ``--key=value``.
        evaluate: test the ``best`` or the ``last`` checkpoint.
    """

    config: Path
    seed: int
    folder: Path
    overrides: tuple[str, ...] = ()
    evaluate: str = "best"

    @property
    def name(self) -> str:
        """Name of the network: its configuration's."""
        return self.config.stem

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints; the same for all attempts, so that a run that goes on knows the best one."""
        return self.folder / "checkpoints"

    @property
    def words(self) -> list[str]:
        """The command line of the run."""
        # What Lightning saves after an interruption is the middle of an epoch, and takes the place of the best one.
        last = self.checkpoints.absolute() / "last.ckpt"
        own = ("", self.seed, self.folder, self.checkpoints, "best", "false", "false", "false", last)
        settings = [f"{key}={value}" for key, value in zip(OWN_SETTINGS[1:], own[1:], strict=True)]
        return ["--config", str(self.config), _NO_SUMMARY, *self.overrides, *settings]

    def build(self) -> LpscCLI:
        """Build trainer, model and data."""
        return build(self.words)


def execute(run: Run, digest: str) -> Result:
    """Train from the last whole epoch that is there, test, and return what came out.

    Raises:
        KeyboardInterrupt: the user stopped it; Lightning turns that into the end of the process.
        SIGTERMException: a SIGTERM stopped it.
    """
    with _own_surroundings():
        return _execute(run, digest)


def _execute(run: Run, digest: str) -> Result:
    cli = run.build()
    last = run.checkpoints / "last.ckpt"
    callbacks: list[Any] = cli.trainer.callbacks  # type: ignore[attr-defined]
    (history,) = (callback for callback in callbacks if isinstance(callback, EpochCheckpoint))
    try:
        cli.trainer.fit(cli.model, datamodule=cli.datamodule, ckpt_path=str(last) if last.exists() else None)
        epochs = history.rows()  # now: the test sets all callbacks to what the checkpoint knew
        judged = best_checkpoint(cli.trainer) if run.evaluate == "best" else str(last)
        scores = cli.trainer.test(cli.model, datamodule=cli.datamodule, ckpt_path=judged, verbose=False)
    except SIGTERMException:
        raise
    except SystemExit as end:
        raise KeyboardInterrupt from end
    return Result(
        name=run.name,
        seed=run.seed,
        parameters=count_parameters(cli.model),
        scores={name: float(value) for part in scores for name, value in part.items()},
        epochs=epochs,
        digest=digest,
        versions=versions(),
    )


def best_checkpoint(trainer: Trainer) -> str:
    """Return the path of the checkpoint that the configuration's own monitor prefers.

    Raises:
        ValueError: the configuration keeps none.
    """
    path: str = getattr(trainer.checkpoint_callback, "best_model_path", "")
    if not path:
        raise ValueError("there is no best checkpoint to test: set checkpoint.save_top_k to 1, or evaluate 'last'")
    return path


def count_parameters(task: Any) -> int:
    """Return the number of parameters of a task's network."""
    return sum(parameter.numel() for parameter in task.network.parameters())


@contextmanager
def _own_surroundings() -> Iterator[None]:
    """Start with torch's defaults, since a trainer that is not told about determinism keeps what the last one set."""
    deterministic, benchmark = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.benchmark = False
    try:
        with warnings.catch_warnings():
            # A run that goes on keeps the checkpoints of the one before.
            warnings.filterwarnings("ignore", message="Checkpoint directory .* exists and is not empty")
            yield
    finally:
        torch.use_deterministic_algorithms(deterministic)
        torch.backends.cudnn.benchmark = benchmark
