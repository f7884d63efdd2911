"""How many threads the training process takes beside the processes that load its batches."""

import torch
from pytorch_lightning import Callback, LightningModule, Trainer


class LeaveCores(Callback):
    """Takes one thread less for every loading process, and at least one; afterwards as many as before.

    Threads of one operation wait for each other actively. Where loading processes need the same cores, all of them
    wait for the one that was interrupted: on two busy cores, two threads beside one loading process take several
    times as long as one.
    """

    def __init__(self) -> None:
        self._before: int | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Take fewer threads, as the data module's ``num_workers`` says."""
        self._before = torch.get_num_threads()
        workers = int(getattr(getattr(trainer, "datamodule", None), "num_workers", 0))
        torch.set_num_threads(max(1, self._before - workers))

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Take as many threads as before."""
        if self._before is not None:
            torch.set_num_threads(self._before)
            self._before = None
