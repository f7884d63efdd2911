"""The table of regions."""

import numpy as np
import pytest

from lpsc_nd import CellPartition, LogPolarPartition
from lpsc_nd.inspect import Region, empty_regions, region_table


class Halves:
    """A partition of one's own: left of the centre and the rest."""

    num_regions = 2

    def region(self, offsets):
        return np.where(np.asarray(offsets)[..., 1] < 0, 1, 2)


def test_rows_of_a_partition_worked_out_by_hand():
    # 3 x 3, one level: right and the diagonals belong to the quadrant that starts at them, counter-clockwise.
    table = region_table(LogPolarPartition.for_grid((3, 3), 1, 4, 2.0), (3, 3))
    assert table == [Region(m, 1, m, 2) for m in (1, 2, 3, 4)]


def test_levels_and_directions_number_the_regions():
    table = region_table(LogPolarPartition.for_grid((9, 9), 2, 8, 2.0), (9, 9))
    assert [(row.level, row.direction) for row in table] == [(lv, m) for lv in (1, 2) for m in range(1, 9)]
    assert [row.region for row in table] == list(range(1, 17))


def test_the_official_regions_count_the_whole_window():
    table = region_table(LogPolarPartition.for_grid((5, 5), 2, 6, 3.0, convention="official"), (5, 5))
    assert sum(row.count for row in table) == 25
    assert empty_regions(table) == []


def test_empty_regions_are_found():
    table = region_table(LogPolarPartition.for_grid((5, 5), 3, 8, 2.0, convention="official"), (5, 5))
    assert len(empty_regions(table)) == 8


def test_any_partition_object_works():
    assert region_table(Halves(), (3, 5)) == [Region(1, 1, 1, 6), Region(2, 1, 2, 9)]
    assert [row.count for row in region_table(CellPartition((2, 3)), (2, 3))] == [1] * 6


def test_spacing_reaches_the_partition():
    partition = LogPolarPartition(2, 2.0, 1, 1, 2.0)
    assert region_table(partition, (5, 5))[0].count == 12
    assert region_table(partition, (5, 5), spacing=(2.0, 2.0))[0].count == 4


def test_a_window_of_another_dimension_is_refused():
    with pytest.raises(ValueError, match="kernel_size"):
        region_table(LogPolarPartition.for_grid((3, 3), 1, 4, 2.0), (3, 3, 3))
