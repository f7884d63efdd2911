"""How pixels of images correlate with the centre of a window, per region (paper, Appendix A.1)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lightning_modules.inspect_command.output import Output, Table, file_name
from lightning_modules.inspect_command.progress import tracked
from lightning_modules.inspect_command.sources import NamedImages, Sources
from lightning_modules.inspect_command.windows import Window, add_window_arguments, make_window
from lpsc_nd.inspect.correlation import correlation_map, region_correlations
from lpsc_nd.inspect.correlation_figure import draw_correlations

_HEADINGS = ("region", "level", "direction", "cells", "mean", "least", "largest")
FloatArray = NDArray[np.float64]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``lpsc inspect correlation``."""
    add_window_arguments(parser, kernel_size=7)
    parser.add_argument(
        "--images", type=Path, help="folder of images (default: scikit-learn's sample photographs and digits)"
    )


def run(options: argparse.Namespace, sources: Sources, output: Output) -> None:
    """Print and write the correlations of each set of images per region, and draw them.

    Raises:
        ValueError: a window that no image can hold, or that is not 2-D; images that do not vary.
        FileNotFoundError: no images there.
    """
    window = make_window(options, 2)
    found = {}
    for name, read in sources.images(options.images).items():
        # Of the embedded sets those are taken that the window fits; a folder's images must all fit.
        if options.images is None and any(_too_small(image, window) for _, image in read()):
            print(f"{name} left out: an image is smaller than the window", file=sys.stderr)
            continue
        found[name] = correlation_map(_arrays(tracked(read(), name), window), window.kernel_size)
    if not found:
        raise ValueError(
            f"--kernel-size {window.kernel_size} is larger than the images; give a smaller one or --images"
        )
    for name, correlation in found.items():
        output.table(f"correlation_{file_name(name)}", per_region(name, correlation, window))
    output.figure("correlation", draw_correlations(found, window.mask, window.num_directions, title=window.title))


def per_region(name: str, correlation: FloatArray, window: Window) -> Table:
    """Return the regions as rows, and the levels' means below."""
    directions, mask = window.num_directions, window.mask
    rows = region_correlations(correlation, mask, window.partition.num_regions)
    cells = []
    for row in rows:
        level, direction = divmod(row.region - 1, directions)
        numbers = ["empty" if value is None else f"{value:.4f}" for value in (row.mean, row.least, row.largest)]
        cells.append((str(row.region), str(level + 1), str(direction + 1), str(row.count), *numbers))
    notes = []
    for level in range(window.partition.num_levels):
        inside = [row for row in rows[level * directions : (level + 1) * directions] if row.mean is not None]
        if inside:
            mean = sum((row.mean or 0.0) * row.count for row in inside) / sum(row.count for row in inside)
            notes.append(f"level {level + 1}: mean {mean:.4f}")
    return Table(f"{name}: correlation with the centre, {window.title}", _HEADINGS, cells, notes)


def _arrays(images: NamedImages, window: Window) -> Iterator[FloatArray]:
    for name, image in images:
        if _too_small(image, window):
            raise ValueError(f"{name}: must be at least as large as the window {window.kernel_size}, got {image.shape}")
        yield image


def _too_small(image: FloatArray, window: Window) -> bool:
    return any(size < k for size, k in zip(image.shape[-2:], window.kernel_size, strict=True))
