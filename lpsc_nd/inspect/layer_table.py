"""A network's layers as rows: parameters, output sizes, windows, operations."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from lpsc_nd import _checks
from lpsc_nd.inspect.flops import Work, extent, module_work

HEADERS = ("layer", "kind", "parameters", "calls", "output", "window", "conv FLOPs", "other FLOPs", "pooling additions")


@dataclass(frozen=True)
class LayerRow:
    """One module of a network.

    Attributes:
        name: dotted name in the network; empty for the network itself.
        kind: name of its class.
        parameters: elements of its own parameters, without its children's and those listed in a row above.
        calls: how often the network calls it in one pass.
        output_shape: of its last call; None if it was not called.
        window: cells that its window spans along each axis, if it has one.
        work: what all its calls compute; None where no rule is known.
    """

    name: str
    kind: str
    parameters: int
    calls: int = 0
    output_shape: tuple[int, ...] | None = None
    window: tuple[int, ...] | None = None
    work: Work | None = None

    def cells(self) -> tuple[str, ...]:
        """Return the row as text, in the order of ``HEADERS``."""
        work = ("?", "?", "?") if self.work is None else _numbers(self.work)
        shapes = (_shape(self.output_shape), _shape(self.window))
        return (self.name, self.kind, str(self.parameters), str(self.calls), *shapes, *work)


@dataclass(frozen=True)
class LayerTable:
    """The layers of a network on an input of one size.

    Attributes:
        rows: every module that has parameters of its own or does work that a rule knows, in the network's order.
    """

    rows: tuple[LayerRow, ...]

    @property
    def parameters(self) -> int:
        """Elements of all parameters."""
        return sum(row.parameters for row in self.rows)

    @property
    def work(self) -> Work:
        """What all counted layers compute together."""
        return sum((row.work for row in self.rows if row.work is not None), Work())

    @property
    def uncounted(self) -> tuple[str, ...]:
        """Names of the layers with parameters whose work no rule knows."""
        return tuple(row.name for row in self.rows if row.work is None)

    def to_text(self) -> str:
        """Return the table in aligned columns, the totals last."""
        total = ("total", "", str(self.parameters), "", "", "", *_numbers(self.work))
        lines = [HEADERS, *(row.cells() for row in self.rows), total]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        text = [_aligned(line, widths) for line in lines]
        if self.uncounted:
            text.append(f"not counted: {', '.join(self.uncounted)}")
        return "\n".join(text)

    def to_csv(self) -> str:
        """Return the rows as comma-separated values under a line of headers."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(HEADERS)
        writer.writerows(row.cells() for row in self.rows)
        return out.getvalue()


def layer_table(module: nn.Module, input_shape: Sequence[int]) -> LayerTable:
    """List the layers of a network: parameters, output shapes, windows, operations.

    The network runs once in evaluation mode on tensors without values, whatever its size; it is left as it was.

    Args:
        module: maps one tensor of float values to anything.
        input_shape: (B, C, *size).

    Raises:
        ValueError, TypeError: an extent below 1 or of another type.

    >>> table = layer_table(nn.Sequential(nn.Conv2d(3, 8, 5), nn.ReLU(), nn.Conv2d(8, 4, 3)), (1, 3, 32, 32))
    >>> [row.name for row in table.rows], table.parameters, table.work.conv_flops
    (['0', '2'], 900, 665088)
    """
    shape = tuple(_checks.integer(f"input_shape[{i}]", size, minimum=1) for i, size in enumerate(input_shape))
    rows = {name: _row(name, part, own) for name, part, own in _own_parameters(module)}
    with _observed(module, rows), torch.no_grad():
        _run_without_values(module, shape)
    return LayerTable(tuple(row for row in rows.values() if row.parameters or (row.calls and row.work is not None)))


def _own_parameters(module: nn.Module) -> Iterator[tuple[str, nn.Module, int]]:
    seen: set[int] = set()
    for name, part in module.named_modules():
        own = [p for p in part.parameters(recurse=False) if id(p) not in seen]
        seen.update(map(id, own))
        yield name, part, sum(p.numel() for p in own)


def _row(name: str, part: nn.Module, parameters: int) -> LayerRow:
    return LayerRow(name, type(part).__name__, parameters, window=extent(part), work=Work())


@contextmanager
def _observed(module: nn.Module, rows: dict[str, LayerRow]) -> Iterator[None]:
    """Write every call of a part into its row, and put training modes back at the end."""
    training = {part: part.training for part in module.modules()}
    handles = [
        part.register_forward_hook(_recorder(name, rows), with_kwargs=True) for name, part in module.named_modules()
    ]
    module.eval()
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
        for part, mode in training.items():
            part.training = mode


def _recorder(name: str, rows: dict[str, LayerRow]) -> Callable[..., None]:
    def record(part: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        row = rows[name]
        x = next((value for value in (*args, *kwargs.values()) if isinstance(value, Tensor)), None)
        work = module_work(part, x, output) if isinstance(x, Tensor) and isinstance(output, Tensor) else None
        shape = tuple(output.shape) if isinstance(output, Tensor) else None
        together = None if row.work is None or work is None else row.work + work
        rows[name] = replace(row, calls=row.calls + 1, output_shape=shape, work=together)

    return record


def _run_without_values(module: nn.Module, shape: tuple[int, ...]) -> None:
    state = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    empty = {name: torch.empty_like(value, device="meta") for name, value in state.items()}
    dtype = next((p.dtype for p in module.parameters() if p.is_floating_point()), torch.float32)
    torch.func.functional_call(module, empty, (torch.empty(shape, dtype=dtype, device="meta"),))


def _numbers(work: Work) -> tuple[str, str, str]:
    return str(work.conv_flops), str(work.other_flops), str(work.pooling_additions)


def _shape(shape: tuple[int, ...] | None) -> str:
    return "" if shape is None else " x ".join(map(str, shape))


def _aligned(line: Sequence[str], widths: Sequence[int]) -> str:
    cells = [
        cell.ljust(width) if i < 2 else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(line, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()
