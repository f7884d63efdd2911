"""The tile in which a position's regions are shown: 2 L x A/2 in the plane."""

import numpy as np
import pytest

from lpsc_nd import CellPartition, LogPolarPartition
from lpsc_nd.geometry import map_layout


def partition(ndim, num_levels, num_directions):
    return LogPolarPartition(ndim, 8.0, num_levels, num_directions, 2.0)


def expected_tile(num_levels, num_directions):
    """Fill the tile place by place: upper half plane above, seen from left to right, the nearest levels inside."""
    half = num_directions // 2
    tile = []
    for row in range(2 * num_levels):
        if row < num_levels:
            level, directions = num_levels - row, [half - column for column in range(half)]
        else:
            level, directions = row - num_levels + 1, [half + column + 1 for column in range(half)]
        tile.append([(level - 1) * num_directions + direction for direction in directions])
    return tile


@pytest.mark.parametrize("num_levels", [1, 2, 3, 5])
@pytest.mark.parametrize("num_directions", [2, 4, 6, 8, 12])
def test_the_tile_in_the_plane_is_filled_as_stated(num_levels, num_directions):
    tile = map_layout(partition(2, num_levels, num_directions))
    assert tile.shape == (2 * num_levels, num_directions // 2)
    assert tile.tolist() == expected_tile(num_levels, num_directions)


@pytest.mark.parametrize(
    ("ndim", "directions"), [(1, 2), (2, 2), (2, 10), (3, (2, 6)), (3, (3, 4)), (4, (2, 3, 4)), (5, (1, 2, 1, 2))]
)
def test_every_region_is_shown_once(ndim, directions):
    part = partition(ndim, 3, directions)
    assert sorted(map_layout(part).ravel().tolist()) == list(range(1, part.num_regions + 1))


def test_the_codes_are_int64():
    assert map_layout(partition(2, 2, 6)).dtype == np.int64


def test_a_line_is_shown_from_far_minus_to_far_plus():
    assert map_layout(partition(1, 3, 2)).tolist() == [6, 4, 2, 1, 3, 5]


def test_regions_on_a_line_lie_where_their_cells_lie():
    part = LogPolarPartition(1, 4.0, 2, 2, 4.0)
    order = part.region([[-4.0], [-1.0], [1.0], [4.0]]).tolist()
    assert map_layout(part).tolist() == order


def test_regions_in_the_plane_lie_above_or_below_as_their_cells_do():
    part = partition(2, 1, 4)
    corners = part.region([[[-1, -1], [-1, 1]], [[1, -1], [1, 1]]])
    assert map_layout(part).tolist() == corners.tolist()


def test_polar_bands_come_in_front_as_axes():
    tile = map_layout(partition(3, 2, (3, 4)))
    assert tile.shape == (3, 4, 2)
    inner = np.array(expected_tile(1, 4))
    for band in range(3):
        for level in (1, 2):
            rows = [2 - level, 1 + level]
            first = (level - 1) * 12 + band * 4
            assert (tile[band, rows] == inner + first).all()


def test_one_azimuth_pair_in_four_dimensions():
    assert map_layout(partition(4, 1, (2, 2, 2))).shape == (2, 2, 2, 1)


@pytest.mark.parametrize(("ndim", "directions"), [(2, 5), (2, 1), (1, 1), (3, (2, 3))])
def test_an_odd_number_of_directions_has_no_tile(ndim, directions):
    with pytest.raises(ValueError, match="even") as error:
        map_layout(partition(ndim, 2, directions))
    odd = directions[-1] if isinstance(directions, tuple) else directions
    assert str(odd) in str(error.value)


def test_unit_vectors_have_no_tile():
    with pytest.raises(ValueError, match="vectors"):
        map_layout(partition(3, 2, 12))


def test_cells_have_no_tile():
    with pytest.raises(ValueError, match="CellPartition"):
        map_layout(CellPartition((3, 3)))


def test_the_expected_tile_is_not_trivial():
    assert expected_tile(2, 6) == [[9, 8, 7], [3, 2, 1], [4, 5, 6], [10, 11, 12]]
    assert expected_tile(2, 6) != [[7, 8, 9], [1, 2, 3], [4, 5, 6], [10, 11, 12]]
