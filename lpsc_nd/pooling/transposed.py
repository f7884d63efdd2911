"""The transposed bag sum: a site adds up, over the cells of its window, what each cell has for the bag that holds it.

The table has a row for each (padded cell, bag). It is what carries gradients of pooled regions back to the cells, and
what mixes before it pools.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from lpsc_nd.pooling.plan import Step, transposed_plan
from lpsc_nd.pooling.scratch import scratch
from lpsc_nd.pooling.table import spread_size
from lpsc_nd.pooling.window import Window

Fill = Callable[[Tensor, int, list[int]], None]
"""Write the table (images, *padded, bags * C), given its first image and where the first cell goes, per axis."""


def summed_tiles(
    fill: Fill,
    batch: int,
    channels: int,
    size: tuple[int, ...],
    window: Window,
    steps: tuple[int, ...],
    dtype: torch.dtype,
    device: torch.device,
) -> Iterator[tuple[Step, Tensor]]:
    """Yield each tile of a call with its sums (sites, C), in ``dtype``.

    Args:
        fill: writes a slab's table.
        batch: number of images.
        channels: C.
        size: cells that the table holds, per axis.
        window: how the stencil slides over them.
        steps: distance at which they are put, with zeros between them.
        dtype: type of the table.
        device: its device.
    """
    spread = spread_size(size, steps)
    padded, sites, bags = window.padded_size(spread), window.output_size(spread), window.num_bags
    planned = transposed_plan(window, batch, padded, sites, channels, str(device))
    most = max((slab.grid.table_rows for slab, _ in planned.slabs), default=0)
    with scratch((most * bags, channels), dtype, device) as tables:
        for slab, slab_steps in planned.slabs:
            grid = slab.grid
            table = tables[: grid.table_rows * bags]
            place = table.view(grid.batch, *grid.padded, bags * channels)
            fill(place, slab.corner[0], slab.starts(window))
            for step in slab_steps:
                yield step, sum_bags(table[step.first_row :], step.indices, step.offsets)


def sum_bags(rows: Tensor, indices: Tensor, offsets: Tensor) -> Tensor:
    """Sum bags of rows: (rows, C) -> (bags, C)."""
    return torch.embedding_bag(rows, indices, offsets, mode=0, include_last_offset=True)[0]
