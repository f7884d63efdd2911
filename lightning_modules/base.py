"""What all tasks share: the network, the optimiser, its schedule, and which arguments a checkpoint keeps."""

import warnings
from inspect import currentframe
from typing import Any

from pytorch_lightning import LightningModule
from pytorch_lightning.cli import LRSchedulerCallable, OptimizerCallable
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import ReduceLROnPlateau

_PLAIN = (str, int, float, bool, type(None))


class BaseTask(LightningModule):
    """Base of the tasks: a network, an optimiser, and a schedule that steps once per epoch.

    A subclass writes the steps, and calls :meth:`save_plain_hyperparameters` in its constructor.

    Args:
        network: what is trained.
        optimizer: builder of the optimiser from the parameters.
        scheduler: builder of the learning rate schedule from the optimiser; without one the rate stays.
        monitor: logged value that a ``ReduceLROnPlateau`` schedule watches; other schedules do not need it.
    """

    def __init__(
        self,
        network: nn.Module,
        optimizer: OptimizerCallable = AdamW,
        scheduler: LRSchedulerCallable | None = None,
        monitor: str = "val/loss",
    ) -> None:
        super().__init__()
        self.network = network
        self.optimizer = optimizer
        self.scheduler = scheduler
        self.monitor = monitor

    def forward(self, x: Tensor) -> Tensor:
        """Return the network's output."""
        out: Tensor = self.network(x)
        return out

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Build the optimiser, and the schedule if there is one."""
        optimizer = self.optimizer(self.parameters())
        if self.scheduler is None:
            return optimizer
        scheduler = self.scheduler(optimizer)
        if isinstance(scheduler, ReduceLROnPlateau):
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "monitor": self.monitor}}
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler}}

    def save_plain_hyperparameters(self) -> None:
        """Record the constructor's arguments as far as they are plain: numbers, strings, and lists and dicts of them.

        The command line builds a task from a configuration, which is plain: everything is recorded, and
        ``load_from_checkpoint(path)`` builds the task again. Built in Python, a task is given objects, such as the
        network; they are left out, so that ``torch.load(path, weights_only=True)`` always reads the checkpoint, and
        are passed anew: ``load_from_checkpoint(path, network=...)``. To be called in the constructor of the subclass.
        """
        frame = currentframe()
        caller = None if frame is None else frame.f_back
        with warnings.catch_warnings():
            # Objects among the arguments are left out two lines further on.
            warnings.filterwarnings("ignore", message="Attribute .* is an instance of `nn.Module`")
            self.save_hyperparameters(frame=caller)
        objects = [name for name, value in self.hparams.items() if not is_plain(value)]
        self.save_hyperparameters(ignore=objects, frame=caller)


def is_plain(value: Any) -> bool:
    """Whether ``value`` is a number, a string, a boolean, None, or a list, tuple or dict of such values."""
    if isinstance(value, dict):
        return all(is_plain(item) for pair in value.items() for item in pair)
    if isinstance(value, (list, tuple)):
        return all(is_plain(item) for item in value)
    return type(value) in _PLAIN
