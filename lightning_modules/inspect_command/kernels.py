"""The learned kernels of a checkpoint's log-polar layers, as in the paper's Fig. 4."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from torch import Tensor, nn

from lightning_modules.inspect_command.networks import load_task
from lightning_modules.inspect_command.output import Output, Table, file_name, times
from lightning_modules.inspect_command.sources import Sources
from lpsc_nd import LPSConvNd
from lpsc_nd.inspect.kernel_grid import draw_kernel_grid
from lpsc_nd.inspect.kernels import draw_kernels, region_weights, window_taps

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Values = Literal["weights", "taps"]
_HEADINGS = ("layer", "window", "levels", "regions", "empty", "kernels", "channels", "largest weight", "centre")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``lpsc inspect kernels``."""
    parser.add_argument("--checkpoint", type=Path, required=True, help="checkpoint of lpsc fit")
    parser.add_argument("--config", type=Path, help="its configuration, if the checkpoint does not hold one")
    parser.add_argument("--layer", nargs="+", help="names of layers (default: all log-polar layers)")
    parser.add_argument(
        "--values",
        choices=("weights", "taps"),
        default="weights",
        help="paint regions with their weights, or draw the dense kernel: weights over cells, and the centre "
        "(default: %(default)s)",
    )


def run(options: argparse.Namespace, sources: Sources, output: Output) -> None:
    """Draw the kernels of each layer, and print and write a table of the layers.

    Raises:
        FileNotFoundError, CheckpointError: no checkpoint, or one that does not fit.
        ValueError: no log-polar layer of that name, or none at all.
    """
    network = load_task(options.checkpoint, options.config, sources).network
    layers = choose_layers(network, options.layer)
    rows = [row(name, layer) for name, layer in layers.items()]
    output.table("kernels", Table(f"Log-polar layers of {options.checkpoint}", _HEADINGS, rows))
    for name, layer in layers.items():
        output.figure(f"kernels_{file_name(name)}", picture(name, layer, options.values))


def log_polar_layers(network: nn.Module) -> dict[str, LPSConvNd]:
    """Return the log-polar layers of a network by name."""
    return {name: part for name, part in network.named_modules() if isinstance(part, LPSConvNd)}


def choose_layers(network: nn.Module, names: list[str] | None) -> dict[str, LPSConvNd]:
    """Return the log-polar layers of those names, or all of them.

    Raises:
        ValueError: a name that is none, or a network without log-polar layers.
    """
    layers = log_polar_layers(network)
    if not layers:
        raise ValueError(f"the {type(network).__name__} has no log-polar layers, so there are no kernels to draw")
    unknown = [name for name in names or () if name not in layers]
    if unknown:
        raise ValueError(f"--layer must be among {', '.join(layers)}, got {', '.join(unknown)}")
    return {name: layers[name] for name in names} if names else layers


def row(name: str, layer: LPSConvNd) -> tuple[str, ...]:
    """Return what the table says of a layer."""
    center = layer.center_weight
    return (
        name,
        times(layer.window.extent),
        str(getattr(layer.partition, "num_levels", 1)),
        str(layer.stencil.num_regions),
        str(len(layer.stencil.empty_regions)),
        str(layer.out_channels),
        str(layer.weight.shape[1]),
        f"{float(layer.weight.detach().abs().max()):.4f}",
        "none" if center is None else f"{float(center.detach().abs().max()):.4f}",
    )


def picture(name: str, layer: LPSConvNd, values: Values, note: str = "") -> Figure:
    """Draw the kernels of one layer: all of them in the plane, the first eight on a line and in space."""
    painted: Tensor = region_weights(layer) if values == "weights" else window_taps(layer)
    title = f"{name}: {values} of {layer.out_channels} kernels, {times(layer.window.extent)}"
    title += f", {note}" if note else ""
    if layer.ndim == 2:
        return draw_kernel_grid(painted, columns=8 if layer.out_channels <= 64 else 16, title=title)
    return draw_kernels(
        {"slice" if layer.ndim == 3 else "": painted}, title=title, value=f"{values} / largest of the kernel"
    )
