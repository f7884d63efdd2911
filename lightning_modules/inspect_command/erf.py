"""The estimated receptive field of networks and their input gradients, as in the paper's Fig. 5."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from torch import Tensor, nn

from lightning_modules.inspect_command.networks import (
    add_network_arguments,
    chosen_networks,
    first_convolution,
    refusing_input,
)
from lightning_modules.inspect_command.output import Output, Table, times
from lightning_modules.inspect_command.progress import tracked
from lightning_modules.inspect_command.sources import Sources
from lpsc_nd.inspect.gradient_lines import draw_gradient_lines
from lpsc_nd.inspect.gradient_maps import draw_gradient_maps, effective_cells
from lpsc_nd.inspect.gradient_slices import draw_gradient_slices
from lpsc_nd.inspect.receptive_field import bounding_box, input_gradient, last_map, reaches_border

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PICTURES: dict[int, tuple[str, Callable[..., Figure]]] = {
    1: ("erf_lines", draw_gradient_lines),
    2: ("erf", draw_gradient_maps),
    3: ("erf_slices", draw_gradient_slices),
}
_HEADINGS = ("network", "layer", "input", "estimated field", "cells with gradient", "cells over 4.55 %")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``lpsc inspect erf``."""
    add_network_arguments(parser)
    parser.add_argument(
        "--size", type=int, nargs="+", default=[96], help="input size, once or per axis (default: %(default)s)"
    )
    parser.add_argument("--layer", help="name of the part to look at (default: the last map of several positions)")


def run(options: argparse.Namespace, sources: Sources, output: Output) -> None:
    """Print and write the fields, and draw the gradients side by side.

    Raises:
        ValueError: no network, a size that does not fit, or no such layer.
    """
    rows, gradients = [], {}
    for name, network in tracked(chosen_networks(options, sources).items(), "gradients"):
        row, gradients[name] = measure(name, network, input_shape(network, options.size), options.layer)
        rows.append(row)
    output.table("erf", table(rows))
    draw(gradients, output)


def measure(
    name: str, network: nn.Module, shape: tuple[int, ...], layer: str | None = None
) -> tuple[tuple[str, ...], Tensor]:
    """Return a network's row of the table of fields, and its input gradient.

    Args:
        name: what the network is called.
        network: not changed.
        shape: (C, *size) of the input.
        layer: name of the part to look at, by default the last map of several positions.

    Raises:
        ValueError: a shape that does not fit, or no such layer.
    """
    with refusing_input(name, shape):
        layer = last_map(network, shape) if layer is None else layer
        gradient = input_gradient(network, shape, layer=layer or None)
    field = (">= " if reaches_border(gradient) else "") + times(bounding_box(gradient))
    reached, effective = str(int((gradient > 0).sum())), str(effective_cells(gradient))
    return (name, layer or "output", times(shape[1:]), field, reached, effective), gradient


def table(rows: Sequence[Sequence[str]]) -> Table:
    """Return the table of fields of some networks."""
    return Table("Estimated receptive fields", _HEADINGS, rows, texts=2)


def draw(gradients: Mapping[str, Tensor], output: Output) -> None:
    """Draw fields of one axis as lines, of two as maps and of three as slices."""
    drawn: set[str] = set()
    for ndim, (name, draw_kind) in _PICTURES.items():
        shown = {network: g for network, g in gradients.items() if g.ndim == ndim and g.any()}
        if shown:
            output.figure(name, draw_kind(shown, title="Input gradient of one position of the output"))
            drawn.update(shown)
    for network in gradients:
        if network not in drawn:
            print(f"no picture of {network}, whose input does not matter or has more than three axes")


def input_shape(network: nn.Module, size: list[int]) -> tuple[int, ...]:
    """Return the channels that the network's first convolution takes, and the size along each of its axes.

    Raises:
        ValueError: a number of entries other than one or one per axis.
    """
    channels, ndim = first_convolution(network)
    if len(size) not in (1, ndim):
        raise ValueError(f"--size must have one entry or {ndim}, one per axis, got {len(size)}: {size}")
    return (channels, *(size * ndim if len(size) == 1 else size))
