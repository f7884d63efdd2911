"""Networks layer by layer: parameters, operations and receptive fields, side by side."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from lightning_modules.inspect_command.networks import add_network_arguments, chosen_networks, refusing_input
from lightning_modules.inspect_command.output import Output, Table, file_name, times
from lightning_modules.inspect_command.progress import tracked
from lightning_modules.inspect_command.sources import Sources
from lpsc_nd.inspect.layer_table import HEADERS, LayerRow, LayerTable, layer_table
from lpsc_nd.inspect.receptive_field import bounding_box, input_gradients, reaches_border

_TOTALS = ("network", "parameters", "conv FLOPs", "other FLOPs", "pooling additions", "layers not counted")


@dataclass(frozen=True)
class Layers:
    """A network's layers, and the field of each.

    Args:
        table: parameters and operations.
        fields: field of a part's output as text, by the part's name; with ``>=`` where it reaches the input's border,
            empty where fields were not asked for.
    """

    table: LayerTable
    fields: Mapping[str, str]

    def field(self, name: str) -> str:
        """Return the field of a part; empty where there is none."""
        return self.fields.get(name, "")

    def last_field(self) -> str:
        """Return the field of the last map that the network makes; empty where fields were not asked for."""
        return [*self.fields.values()][-1] if self.fields else ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``lpsc inspect model``."""
    add_network_arguments(parser)
    parser.add_argument(
        "--input-shape",
        type=int,
        nargs="+",
        default=[1, 3, 32, 32],
        metavar="N",
        help="batch, channels and size, such as 1 3 32 32 (default)",
    )
    parser.add_argument("--no-field", action="store_true", help="leave out the fields, which take a pass per layer")


def run(options: argparse.Namespace, sources: Sources, output: Output) -> None:
    """Print and write the layers of each network, and the networks side by side.

    Raises:
        ValueError: no network, or an input that does not fit one.
    """
    shape = tuple(options.input_shape)
    if len(shape) < 3 or min(shape) < 1:
        raise ValueError(
            f"--input-shape must be batch, channels and sizes from 1, such as 1 3 32 32, got {list(shape)}"
        )
    networks = chosen_networks(options, sources)
    layers = {
        name: describe(name, network, shape, with_fields=not options.no_field) for name, network in networks.items()
    }
    for name, found in layers.items():
        output.table(f"model_{file_name(name)}", per_layer(name, found, shape))
    output.table("model", totals(layers, shape))
    if len(layers) > 1:
        output.table("model_side_by_side", side_by_side(layers, shape))


def describe(name: str, network: nn.Module, shape: tuple[int, ...], *, with_fields: bool = True) -> Layers:
    """Count a network's layers and find their fields.

    Raises:
        ValueError: the input does not fit the network.
    """
    with refusing_input(name, shape):
        table = layer_table(network, shape)
        gradients = tracked(input_gradients(network, shape[1:]), f"fields of {name}") if with_fields else ()
        return Layers(table, {part: _field(gradient) for part, gradient in gradients})


def per_layer(name: str, layers: Layers, shape: tuple[int, ...]) -> Table:
    """Return one network's layers as rows, the totals last."""
    rows = [(*row.cells(), layers.field(row.name)) for row in layers.table.rows]
    work = layers.table.work
    numbers = (str(work.conv_flops), str(work.other_flops), str(work.pooling_additions))
    total = ("total", "", str(layers.table.parameters), "", "", "", *numbers, "")
    return Table(f"{name} on {times(shape)}", (*HEADERS, "field"), [*rows, total], _uncounted(layers), texts=2)


def totals(layers: Mapping[str, Layers], shape: tuple[int, ...]) -> Table:
    """Return a row for each network."""
    rows = [
        (
            name,
            str(found.table.parameters),
            str(found.table.work.conv_flops),
            str(found.table.work.other_flops),
            str(found.table.work.pooling_additions),
            str(len(found.table.uncounted)),
        )
        for name, found in layers.items()
    ]
    return Table(f"Networks on {times(shape)}", _TOTALS, rows)


def side_by_side(layers: Mapping[str, Layers], shape: tuple[int, ...]) -> Table:
    """Return all layers by name, with parameters, operations and field in each network; blank where one has none.

    The last row has the totals, and as the field that of the last map.
    """
    rows = {name: {row.name: row for row in found.table.rows} for name, found in layers.items()}
    names = list(dict.fromkeys(name for found in rows.values() for name in found))
    headings = ["layer"]
    for quantity in ("parameters", "conv FLOPs", "field"):
        headings += [f"{quantity}: {name}" for name in layers]
    cells = [
        [
            name or "(itself)",
            *(_cell(rows[network].get(name), "parameters") for network in layers),
            *(_cell(rows[network].get(name), "conv FLOPs") for network in layers),
            *(found.field(name) if name in rows[network] else "" for network, found in layers.items()),
        ]
        for name in names
    ]
    cells.append(
        [
            "total",
            *(str(found.table.parameters) for found in layers.values()),
            *(str(found.table.work.conv_flops) for found in layers.values()),
            *(found.last_field() for found in layers.values()),
        ]
    )
    return Table(f"Layers side by side, on {times(shape)}", headings, cells)


def _field(gradient: Tensor) -> str:
    return (">= " if reaches_border(gradient) else "") + times(bounding_box(gradient))


def _cell(row: LayerRow | None, heading: str) -> str:
    return "" if row is None else row.cells()[HEADERS.index(heading)]


def _uncounted(layers: Layers) -> tuple[str, ...]:
    uncounted = layers.table.uncounted
    return (f"not counted: {', '.join(uncounted)}",) if uncounted else ()
