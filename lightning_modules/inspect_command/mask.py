"""The regions of a window: a table of cells, and a picture as in the paper's Fig. 1."""

from __future__ import annotations

import argparse

from lightning_modules.inspect_command.output import Output, Table
from lightning_modules.inspect_command.sources import Sources
from lightning_modules.inspect_command.windows import Window, add_window_arguments, make_window
from lpsc_nd.inspect import empty_regions, region_table
from lpsc_nd.inspect.masks import mask_pictures

_HEADINGS = ("region", "level", "direction", "from radius", "to radius", "cells", "tap")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``lpsc inspect mask``."""
    add_window_arguments(parser, kernel_size=9)
    parser.add_argument("--ndim", type=int, help="number of axes, where one entry stands for all (default: 2)")
    parser.add_argument("--no-center", action="store_true", help="the centre cell has no weight of its own")


def run(options: argparse.Namespace, sources: Sources, output: Output) -> None:
    """Print and write the table of regions, and draw the map.

    Raises:
        ValueError, TypeError: arguments out of range.
    """
    if options.ndim is not None and options.ndim < 1:
        raise ValueError(f"--ndim must be at least 1, got {options.ndim}")
    window = make_window(options, options.ndim)
    output.table("mask", regions(window))
    drawn = mask_pictures(
        window.mask,
        window.num_directions,
        center=not options.no_center,
        title=window.title,
        num_levels=window.partition.num_levels,
        spacing=window.spacing,
    )
    for name, figure in drawn.items():
        output.figure(f"mask_{name}", figure)
    if not drawn:
        print(f"no picture of {window.ndim} axes; the table is all there is")


def regions(window: Window) -> Table:
    """Return the regions as rows: radii, cells, and the tap that a weight of one is on each of them."""
    rows = region_table(window.partition, window.kernel_size, spacing=window.spacing)
    radii = (0.0, *window.partition.level_radii)
    cells = [
        (
            str(row.region),
            str(row.level),
            str(row.direction),
            f"{radii[row.level - 1]:.3f}",
            f"{radii[row.level]:.3f}",
            str(row.count),
            f"{1 / row.count:.4f}" if row.count else "empty",
        )
        for row in rows
    ]
    inside, mask = sum(row.count for row in rows), window.mask
    empty = ", ".join(str(row.region) for row in empty_regions(rows)) or "none"
    notes = (f"{len(rows)} regions hold {inside} of {mask.size} cells", f"empty regions: {empty}")
    return Table(window.title, _HEADINGS, cells, notes)
