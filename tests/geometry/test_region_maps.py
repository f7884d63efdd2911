"""The region maps that the authors' published program prints, cell by cell."""

import json
from pathlib import Path

import numpy as np
import pytest

from lpsc_nd import LogPolarPartition, Stencil, build_mask
from lpsc_nd.geometry import map_layout

MAPS = json.loads(Path(__file__).with_name("region_maps.json").read_text(encoding="utf-8"))
SETTINGS = [(m["kernel_size"], m["num_levels"], m["num_directions"], m["growth"]) for m in MAPS]

each_map = pytest.mark.parametrize("official", MAPS, ids=[",".join(map(str, setting)) for setting in SETTINGS])


def fit(official):
    size = (official["kernel_size"],) * 2
    counts = official["num_levels"], official["num_directions"], official["growth"]
    return LogPolarPartition.for_grid(size, *counts, convention="official")


def differing_cells(got, expected):
    """List (row, column, got, expected) wherever two maps of equal size differ."""
    assert len(got) == len(expected)
    cells = []
    for row, (got_row, expected_row) in enumerate(zip(got, expected, strict=True)):
        for column, (here, there) in enumerate(zip(got_row, expected_row, strict=True)):
            if int(here) != int(there):
                cells.append((row, column, int(here), int(there)))
    return cells


def place_in_tile(level, direction, num_levels, num_directions):
    """Return the 1-based row-major place of a region in the authors' 2 L x A/2 tile."""
    half = num_directions // 2
    if direction <= half:
        row, column = num_levels - level, half - direction
    else:
        row, column = num_levels + level - 1, direction - half - 1
    return row * half + column + 1


def test_there_are_eight_different_settings():
    assert len(set(SETTINGS)) == 8


@each_map
def test_every_cell_has_the_region_of_the_official_map(official):
    assert differing_cells(build_mask(fit(official), official["kernel_size"]), official["region"]) == []


@each_map
def test_every_cell_has_its_place_in_the_official_tile(official):
    tile = map_layout(fit(official)).ravel()
    shown = [[tile[index - 1] for index in row] for row in official["official_index"]]
    assert differing_cells(shown, official["region"]) == []


@each_map
def test_the_tile_is_the_weight_layout_of_the_checkpoints(official):
    levels, directions = official["num_levels"], official["num_directions"]
    tile = map_layout(fit(official)).ravel().tolist()
    for level in range(1, levels + 1):
        for direction in range(1, directions + 1):
            region = (level - 1) * directions + direction
            assert tile[place_in_tile(level, direction, levels, directions) - 1] == region


@each_map
def test_no_region_is_empty_and_every_cell_counts(official):
    stencil = Stencil.build(fit(official), official["kernel_size"])
    assert stencil.empty_regions == ()
    assert stencil.counts.sum() == official["kernel_size"] ** 2


def test_one_wrong_cell_is_found():
    wrong = np.array(MAPS[0]["region"])
    wrong[2, 3] = 0
    assert differing_cells(wrong, MAPS[0]["region"]) == [(2, 3, 0, MAPS[0]["region"][2][3])]


def test_maps_of_other_sizes_are_not_compared():
    with pytest.raises(AssertionError):
        differing_cells(MAPS[0]["region"], MAPS[1]["region"])


def test_another_convention_would_differ():
    paper = LogPolarPartition.for_grid((11, 11), 3, 8, 2.0)
    assert differing_cells(build_mask(paper, 11), MAPS[0]["region"]) != []
