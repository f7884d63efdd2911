"""The layers and the receptive field of a network, written when it is trained."""

from __future__ import annotations

import copy
from pathlib import Path

from pytorch_lightning import Callback, LightningModule, Trainer
from torch import nn

from lightning_modules.inspect_command import erf, model
from lightning_modules.inspect_command.output import Output
from lpsc_nd import _checks


class NetworkPictures(Callback):
    """Writes a network's layers and its receptive field when training starts.

    They go into ``<run>/pictures/``, as ``lpsc inspect model`` and ``lpsc inspect erf`` write them: ``layers`` and
    ``erf``, tables as text and CSV, and the input gradient of one position as in the paper's Fig. 5, ``erf`` (on a line
    ``erf_lines``, in space ``erf_slices``) as PNG and SVG. Both belong to the architecture, not to what is learned, so
    they are written once.

    Args:
        input_shape: channels and size of an input, such as 3, 32, 32.
        network: name of the network within the task.
        layer: name of the part whose field is drawn; by default the last map of several positions.

    Raises:
        ValueError: a shape without channels and size; when training starts, a network or a layer that is not there,
            or an input that does not fit the network.
    """

    def __init__(self, input_shape: list[int], network: str = "network", layer: str | None = None) -> None:
        self.input_shape = tuple(_checks.integer("input_shape", entry, minimum=1) for entry in input_shape)
        if len(self.input_shape) < 2:
            raise ValueError(f"input_shape must be channels and sizes, such as [3, 32, 32], got {list(input_shape)}")
        self.network = network
        self.layer = layer

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the tables and the picture."""
        network, shape = self._copy(pl_module), (1, *self.input_shape)
        layers = model.describe(self.network, network, shape)
        row, gradient = erf.measure(self.network, network, self.input_shape, self.layer)
        if trainer.is_global_zero:
            output = Output(Path(trainer.log_dir or trainer.default_root_dir, "pictures"), quiet=True)
            output.table("layers", model.per_layer(self.network, layers, shape))
            output.table("erf", erf.table([row]))
            erf.draw({self.network: gradient}, output)

    def _copy(self, pl_module: LightningModule) -> nn.Module:
        """Return a copy of the network on the CPU, which is not trained on."""
        parts = dict(pl_module.named_modules())
        if self.network not in parts:
            raise ValueError(f"network must be a part of the task, such as 'network', got {self.network!r}")
        return copy.deepcopy(parts[self.network]).cpu()
