"""Boxes cover each site once, hold what a table may, and are shared out evenly."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lpsc_nd import LPSConv2d, LPSConv3d
from lpsc_nd.pooling.compiled_boxes import boxes, cut, share, table_cells
from tests.pooling.kernel_cases import kernel_cases

FILLING = 0.05


def load_of(window, extents, parts, thread, threads, channel_blocks=1):
    """Return what a thread has to do, box by box as the kernels go through them."""
    total = 0.0
    for index, box in enumerate(itertools.product(boxes(extents, parts), range(channel_blocks))):
        if index % threads == thread:
            images, *counts = (stop - start for start, stop in box[0])
            spans = [(n - 1) * s + e for n, s, e in zip(counts, window.stride, window.extent, strict=True)]
            total += images * (math.prod(counts) + FILLING * math.prod(spans))
    return total


def busiest(window, extents, parts, threads, channel_blocks=1):
    return max(load_of(window, extents, parts, thread, threads, channel_blocks) for thread in range(threads))


@given(case=kernel_cases(), cells=st.integers(1, 2000), threads=st.integers(1, 5), channel_blocks=st.integers(1, 3))
def test_each_site_is_in_one_box(case, cells, threads, channel_blocks):
    extents = (case.batch, *case.window.output_size(case.size))
    parts = share(case.window, extents, cut(case.window, extents, cells), threads, channel_blocks, FILLING)
    visits = np.zeros(extents, dtype=int)
    for box in boxes(extents, parts):
        visits[tuple(slice(*span) for span in box)] += 1
    assert np.all(visits == 1)


@given(case=kernel_cases(), cells=st.integers(1, 2000))
def test_tables_are_as_large_as_they_may_be_or_of_one_site(case, cells):
    extents = (case.batch, *case.window.output_size(case.size))
    parts = cut(case.window, extents, cells)
    assert table_cells(case.window, extents, parts) <= cells or parts[-1] == extents[-1]


@given(case=kernel_cases(), cells=st.integers(1, 2000), threads=st.integers(2, 5), channel_blocks=st.integers(1, 3))
def test_sharing_leaves_no_thread_more_to_do(case, cells, threads, channel_blocks):
    window, extents = case.window, (case.batch, *case.window.output_size(case.size))
    parts = cut(window, extents, cells)
    shared = share(window, extents, parts, threads, channel_blocks, FILLING)
    before, after = (busiest(window, extents, each, threads, channel_blocks) for each in (parts, shared))
    assert after <= before * (1 + 1e-9)


@pytest.mark.parametrize(
    ("layer", "extents"),
    [
        (LPSConv3d(1, 1, 11, padding=5), (1, 32, 32, 32)),
        (LPSConv2d(1, 1, 31, padding=15), (1, 56, 56)),
        (LPSConv2d(1, 1, 9, padding=4), (3, 32, 32)),
    ],
)
@pytest.mark.parametrize("threads", [2, 3, 4])
def test_threads_end_together(layer, extents, threads):
    parts = share(layer.window, extents, (1,) * len(extents), threads, 1, FILLING)
    loads = [load_of(layer.window, extents, parts, thread, threads) for thread in range(threads)]
    assert max(loads) < 1.15 * sum(loads) / threads


def test_one_thread_takes_the_boxes_as_they_are():
    window = LPSConv2d(1, 1, 9, padding=4).window
    assert share(window, (3, 32, 32), (3, 1, 1), 1, 1, FILLING) == (3, 1, 1)


def test_channels_that_are_shared_out_need_no_more_boxes():
    window = LPSConv2d(1, 1, 9, padding=4).window
    assert share(window, (1, 32, 32), (1, 1, 1), 2, 4, FILLING) == (1, 1, 1)
