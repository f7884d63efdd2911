"""Arguments that describe a log-polar window."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TypeVar

from lpsc_nd import LogPolarPartition, build_mask
from lpsc_nd.geometry._types import IntArray
from lpsc_nd.geometry.levels import CONVENTIONS
from lpsc_nd.layers.options import LogPolarOptions, choose_window

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
        cells = "" if set(self.spacing) == {1.0} else f" of {' x '.join(f'{length:g}' for length in self.spacing)}"
        return (
            f"{size}{cells}, {shape.num_levels} levels, {self.num_directions} directions, growth {shape.growth:g}, "
            f'"{shape.convention}"'
        )


def add_window_arguments(parser: argparse.ArgumentParser, kernel_size: int) -> None:
    """Add the keywords of a log-polar layer, with ``kernel_size`` as the default of the window."""
    parser.add_argument(
        "--kernel-size",
        type=int,
        nargs="+",
        help=f"cells, once or per axis (default: {kernel_size}, or what holds the radius)",
    )
    parser.set_defaults(default_kernel_size=kernel_size)
    parser.add_argument("--num-levels", type=int, default=2, help="distance levels (default: %(default)s)")
    parser.add_argument(
        "--num-directions", type=int, nargs="+", help="directions; in space bands and azimuth (default: as the layers)"
    )
    parser.add_argument("--growth", type=float, default=2.0, help="ratio of successive radii (default: %(default)s)")
    parser.add_argument("--convention", choices=list(CONVENTIONS), default="paper", help="(default: %(default)s)")
    parser.add_argument("--eccentricity", type=float, default=1.0, help="height / width of the field, in 2-D")
    parser.add_argument("--angle", type=float, default=0.0, help="radians by which field and directions are turned")
    parser.add_argument("--spacing", type=float, nargs="+", help="size of a cell, once or per axis (default: 1)")
    parser.add_argument("--radius", type=float, help="of the field, in the unit of the spacing; the field is a ball")


def make_window(options: argparse.Namespace, ndim: int | None = None) -> Window:
    """Build the window that the arguments describe.

    Args:
        options: as :func:`add_window_arguments` reads them.
        ndim: number of axes; by default as many as the arguments have entries, or 2.

    Raises:
        ValueError, TypeError: values out of range, or a number of entries that does not fit.
    """
    entries = options.kernel_size or ([options.default_kernel_size] if options.radius is None else None)
    lengths = {len(values) for values in (entries, options.spacing) if values and len(values) > 1}
    axes = ndim or max(lengths, default=2)
    given = None if entries is None else _per_axis("kernel-size", entries, axes)
    spacing = _per_axis("spacing", options.spacing or [1.0], axes)
    size = choose_window(axes, given, options.radius, spacing)
    directions = options.num_directions
    if directions is not None and len(directions) == 1:
        directions = directions[0]
    shape = LogPolarOptions(
        options.num_levels,
        directions,
        options.growth,
        options.eccentricity,
        options.angle,
        options.convention,
        options.radius,
    )
    return Window(shape.partition(size, spacing), size, spacing)


def _per_axis(name: str, values: list[T], ndim: int) -> tuple[T, ...]:
    if len(values) not in (1, ndim):
        raise ValueError(f"--{name} must have one entry or {ndim}, one per axis, got {len(values)}: {values}")
    return tuple(values * ndim if len(values) == 1 else values)
