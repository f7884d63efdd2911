"""Arguments that describe a log-polar window."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TypeVar

from lpsc_nd import LogPolarPartition, build_mask
from lpsc_nd.geometry._types import IntArray
from lpsc_nd.geometry.levels import CONVENTIONS
from lpsc_nd.layers.options import LogPolarOptions

T = TypeVar("T")


@dataclass(frozen=True)
class Window:
    """A partition on a window.

    Args:
        partition: levels and directions.
        kernel_size: cells per axis.
        spacing: size of a cell per axis.
    """

    partition: LogPolarPartition
    kernel_size: tuple[int, ...]
    spacing: tuple[float, ...]

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.kernel_size)

    @property
    def num_directions(self) -> int:
        """Directions per level, all bands together."""
        return self.partition.directions.count

    @property
    def mask(self) -> IntArray:
        """Region of each cell."""
        return build_mask(self.partition, self.kernel_size, spacing=self.spacing)

    @property
    def title(self) -> str:
        """The window in words."""
        size, shape = " x ".join(map(str, self.kernel_size)), self.partition
        return (
            f"{size}, {shape.num_levels} levels, {self.num_directions} directions, growth {shape.growth:g}, "
            f'"{shape.convention}"'
        )


def add_window_arguments(parser: argparse.ArgumentParser, kernel_size: int) -> None:
    """Add the keywords of a log-polar layer, with ``kernel_size`` as the default of the window."""
    parser.add_argument(
        "--kernel-size",
        type=int,
        nargs="+",
        default=[kernel_size],
        help="cells, once or per axis (default: %(default)s)",
    )
    parser.add_argument("--num-levels", type=int, default=2, help="distance levels (default: %(default)s)")
    parser.add_argument(
        "--num-directions", type=int, nargs="+", help="directions; in space bands and azimuth (default: as the layers)"
    )
    parser.add_argument("--growth", type=float, default=2.0, help="ratio of successive radii (default: %(default)s)")
    parser.add_argument("--convention", choices=list(CONVENTIONS), default="paper", help="(default: %(default)s)")
    parser.add_argument("--eccentricity", type=float, default=1.0, help="height / width of the field, in 2-D")
    parser.add_argument("--angle", type=float, default=0.0, help="radians by which field and directions are turned")
    parser.add_argument("--spacing", type=float, nargs="+", help="size of a cell, once or per axis (default: 1)")


def make_window(options: argparse.Namespace, ndim: int | None = None) -> Window:
    """Build the window that the arguments describe.

    Args:
        options: as :func:`add_window_arguments` reads them.
        ndim: number of axes; by default as many as the arguments have entries, or 2.

    Raises:
        ValueError, TypeError: values out of range, or a number of entries that does not fit.
    """
    lengths = {len(values) for values in (options.kernel_size, options.spacing or ()) if len(values) > 1}
    axes = ndim or max(lengths, default=2)
    size = _per_axis("kernel-size", options.kernel_size, axes)
    spacing = _per_axis("spacing", options.spacing or [1.0], axes)
    directions = options.num_directions
    if directions is not None and len(directions) == 1:
        directions = directions[0]
    shape = LogPolarOptions(
        options.num_levels, directions, options.growth, options.eccentricity, options.angle, options.convention
    )
    return Window(shape.partition(size, spacing), size, spacing)


def _per_axis(name: str, values: list[T], ndim: int) -> tuple[T, ...]:
    if len(values) not in (1, ndim):
        raise ValueError(f"--{name} must have one entry or {ndim}, one per axis, got {len(values)}: {values}")
    return tuple(values * ndim if len(values) == 1 else values)
