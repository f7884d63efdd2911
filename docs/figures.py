"""Draws the documentation's figures: ``python docs/figures.py docs/images``."""

import sys
from math import pi
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from lpsc_nd import LogPolarPartition, build_mask
from lpsc_nd.inspect import draw_region_map


def main(folder: Path) -> None:
    """Write every figure into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in {"region_maps": kinds, "conventions": conventions, "shapes": shapes, "space": space}.items():
        path = folder / f"{name}.png"
        draw().savefig(path, dpi=110)
        print(path)


def row(
    title: str, panels: dict[str, tuple[np.ndarray, int]], width: float = 3.6, centers: tuple[str, ...] | None = None
) -> Figure:
    """Draw masks side by side; each comes with its number of directions. ``centers`` names those that hold a centre."""
    figure = Figure(figsize=(width * len(panels), width + 0.9), layout="constrained")
    for part, (label, (mask, directions)) in zip(
        figure.subfigures(1, len(panels), squeeze=False)[0], panels.items(), strict=True
    ):
        draw_region_map(mask, directions, title=label, figure=part, center=centers is None or label in centers)
    figure.suptitle(title, fontsize=12)
    return figure


def grid_mask(size: tuple[int, ...], levels: int, directions: Any, growth: float, **options: Any) -> np.ndarray:
    """Return the mask of a window."""
    partition = LogPolarPartition.for_grid(size, levels, directions, growth, **options)
    return build_mask(partition, size, spacing=options.get("spacing"))


def kinds() -> Figure:
    """Draw the README's picture."""
    return row(
        "One weight per region: the hue tells the direction, the lightness the level",
        {
            "9 x 9: 12 regions, cells written in": (grid_mask((9, 9), 2, 6, 3.0), 6),
            "31 x 31: 24 regions": (grid_mask((31, 31), 3, 8, 2.0), 8),
            "31 x 31, eccentricity 0.5, angle 30°": (
                grid_mask((31, 31), 3, 8, 2.0, eccentricity=0.5, angle=pi / 6),
                8,
            ),
        },
    )


def conventions() -> Figure:
    """Draw the three readings of the paper on one window."""
    panels = {
        f'"{name}"': (grid_mask((9, 9), 2, 8, 2.0, convention=name), 8) for name in ("paper", "official", "literal")
    }
    return row("9 x 9, 2 levels, 8 directions, growth 2, read in three ways", panels)


def shapes() -> Figure:
    """Draw fields that are not round."""
    return row(
        "Shapes of the field, 3 levels, 6 directions, growth 2",
        {
            "window 15 x 31": (grid_mask((15, 31), 3, 6, 2.0), 6),
            "eccentricity 2": (grid_mask((31, 31), 3, 6, 2.0, eccentricity=2.0), 6),
            "angle 45°": (grid_mask((31, 31), 3, 6, 2.0, eccentricity=0.4, angle=pi / 4), 6),
            "rows 3 mm, columns 1 mm": (grid_mask((11, 31), 3, 6, 2.0, spacing=(3.0, 1.0)), 6),
        },
    )


def space() -> Figure:
    """Draw slices of a ball."""
    mask = grid_mask((11, 11, 11), 2, (2, 4), 2.0)
    panels = {f"z = {z - 5}": (mask[z], 8) for z in (2, 4, 5, 6, 8)}
    title = "Slices of an 11 x 11 x 11 ball: 2 levels, 2 polar bands x 4 azimuth sectors"
    return row(title, panels, width=3.0, centers=("z = 0",))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
