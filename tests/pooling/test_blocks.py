"""Blocks cover each bag once, and tables are doubled where that spares taps."""

from itertools import chain, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lpsc_nd import LogPolarPartition, Stencil
from lpsc_nd.native.structures import MOST_DOUBLINGS
from lpsc_nd.pooling.blocks import blocks, shapes
from lpsc_nd.pooling.compiled_tables import candidates, least_reading, reading
from lpsc_nd.testing import layer_cases


def cells_of(stencil, cell, shape):
    """Return the cells of a block that begins at ``cell``; a block that leaves the window is an error."""
    corner = np.unravel_index(cell, stencil.kernel_size)
    ranges = [range(at, at + side) for at, side in zip(corner, shape, strict=True)]
    return np.ravel_multi_index(np.meshgrid(*ranges, indexing="ij"), stencil.kernel_size).ravel().tolist()


def read_by_bags(stencil, center, axes):
    """Return the cells that each bag reads, block by block."""
    found, sides = blocks(stencil, center, axes), shapes(axes, len(stencil.kernel_size))
    entries = zip(found.cells, found.tables, strict=True)
    cells = [cells_of(stencil, cell, sides[table]) for cell, table in entries]
    return [sorted(chain.from_iterable(cells[start:stop])) for start, stop in pairwise(found.indptr)]


def bags_of(stencil, center):
    indptr, cells = stencil.bags(center=center)
    return [cells[start:stop].tolist() for start, stop in pairwise(indptr)]


@given(
    case=layer_cases(ndim=st.integers(1, 4)),
    doubled=st.lists(st.integers(0, 3), max_size=MOST_DOUBLINGS),
    center=st.booleans(),
)
def test_blocks_hold_each_cell_of_a_bag_once(case, doubled, center):
    stencil = case.layer().stencil
    axes = tuple(axis % len(stencil.kernel_size) for axis in doubled)
    assert read_by_bags(stencil, center, axes) == bags_of(stencil, center)


@given(
    codes=st.lists(st.integers(0, 3), min_size=1, max_size=40),
    doubled=st.integers(0, 3),
    center=st.booleans(),
)
def test_a_centre_that_is_a_region_s_cell_as_well_is_read_twice(codes, doubled, center):
    stencil = Stencil.from_mask(np.asarray(codes), num_regions=3)
    assert read_by_bags(stencil, center, (0,) * doubled) == bags_of(stencil, center)


def test_shapes_are_doubled_one_after_another():
    assert shapes((1, 0, 1), 3) == [(1, 1, 1), (1, 2, 1), (2, 2, 1), (2, 4, 1)]


def test_entries_follow_one_another_in_memory():
    found = blocks(STENCIL, True, (0, 1, 0))
    for start, stop in pairwise(found.indptr):
        entries = list(zip(found.tables[start:stop], found.cells[start:stop], strict=True))
        assert entries == sorted(entries)


STENCIL = Stencil.build(LogPolarPartition.for_grid((31, 31), 3, 8, 2.0), (31, 31))


def test_blocks_spare_most_of_a_large_window():
    assert len(blocks(STENCIL, True, ()).cells) == STENCIL.counts.sum() + 1
    assert len(blocks(STENCIL, True, (0, 0, 1)).cells) < len(blocks(STENCIL, True, ()).cells) / 3


@pytest.mark.parametrize("kind", ["mixed", "depthwise"])
def test_high_blocks_share_more_lines_than_long_ones(kind):
    assert (
        reading(STENCIL, True, (0, 0), kind) < reading(STENCIL, True, (1, 1), kind) < reading(STENCIL, True, (), kind)
    )


@pytest.mark.parametrize("ndim", [1, 2, 3, 4])
def test_candidates_are_of_the_window_s_axes_and_few_enough(ndim):
    for axes in candidates(ndim):
        assert len(axes) <= MOST_DOUBLINGS
        assert all(0 <= axis < ndim for axis in axes)


def test_the_least_reading_is_a_candidate_s():
    assert least_reading(STENCIL, True, "mixed") == min(reading(STENCIL, True, a, "mixed") for a in candidates(2))
