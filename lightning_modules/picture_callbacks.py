"""Pictures of log-polar layers, drawn while a network trains."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytorch_lightning import Callback, LightningModule, Trainer

from lightning_modules.inspect_command.kernels import Values, log_polar_layers, picture
from lightning_modules.inspect_command.output import Output, file_name
from lpsc_nd import _checks
from lpsc_nd.inspect.masks import mask_pictures
from lpsc_nd.layers import LPSConvNd

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class LayerPictures(Callback):
    """Draws the regions of every log-polar layer once, and its kernels every few epochs and at the end.

    They go into ``<run>/pictures/``, as PNG and SVG: ``regions_<layer>_map``, and ``kernels_<layer>_epoch_<n>``, n
    being the number of epochs trained, 0 before the first. A network without log-polar layers is left alone.

    Args:
        every_n_epochs: epochs from one picture of the kernels to the next.
        layers: names of layers within the task, such as ``network.stem.0``; by default all log-polar ones.
        values: ``"weights"`` paints regions with their weights, ``"taps"`` draws the dense kernel.

    Raises:
        ValueError: ``every_n_epochs`` is below 1, unknown ``values``; when training starts, a layer that is not there.
    """

    def __init__(self, every_n_epochs: int = 5, layers: list[str] | None = None, values: Values = "weights") -> None:
        self.every_n_epochs = _checks.integer("every_n_epochs", every_n_epochs, minimum=1)
        _checks.choice("values", values, ("weights", "taps"))
        self.layers = layers
        self.values: Values = values
        self._drawn: int | None = None

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw the regions, and the kernels that training starts from."""
        known = log_polar_layers(pl_module)
        unknown = [name for name in self.layers or () if name not in known]
        if unknown:
            raise ValueError(f"layers must be among {', '.join(known) or 'none'}, got {', '.join(unknown)}")
        if not trainer.is_global_zero:
            return
        for name in self.layers or known:
            for kind, figure in _regions(name, known[name]).items():
                self._output(trainer).figure(f"regions_{file_name(name)}_{kind}", figure)
        self._draw(trainer, pl_module, trainer.current_epoch)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw the kernels, if it is their epoch."""
        epochs = trainer.current_epoch + 1
        if epochs % self.every_n_epochs == 0:
            self._draw(trainer, pl_module, epochs)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw the kernels that training ended with."""
        if self._drawn != trainer.current_epoch:
            self._draw(trainer, pl_module, trainer.current_epoch)

    def _draw(self, trainer: Trainer, pl_module: LightningModule, epochs: int) -> None:
        if not trainer.is_global_zero:
            return
        known = log_polar_layers(pl_module)
        for name in self.layers or known:
            figure = picture(name, known[name], self.values, note=f"after {epochs} epochs")
            self._output(trainer).figure(f"kernels_{file_name(name)}_epoch_{epochs:04d}", figure)
        self._drawn = epochs

    @staticmethod
    def _output(trainer: Trainer) -> Output:
        return Output(Path(trainer.log_dir or trainer.default_root_dir, "pictures"), quiet=True)


def _regions(name: str, layer: LPSConvNd) -> dict[str, Figure]:
    levels = int(getattr(layer.partition, "num_levels", 1))
    return mask_pictures(
        layer.mask,
        layer.partition.num_regions // levels,
        center=layer.center_weight is not None,
        title=f"{name}: cells per region",
        num_levels=levels,
        spacing=None if layer.spacing is None else _checks.numbers("spacing", layer.spacing, layer.ndim, above=0.0),
    )
