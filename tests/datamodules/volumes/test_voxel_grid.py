"""Voxels in millimetres: middles, finer grids, and how much of a voxel a body covers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamodules.volumes.voxel_grid import VoxelGrid, average, middle

SIZES = st.tuples(*3 * (st.integers(1, 6),))
SPACINGS = st.tuples(*3 * (st.sampled_from((0.3, 0.5, 1.0, 1.7, 3.0)),))


@given(size=SIZES, spacing=SPACINGS)
def test_middles_are_a_spacing_apart_about_zero(size, spacing):
    grid = VoxelGrid.of_field(size, spacing)
    for middles, count, step, side in zip(grid.middles(), size, spacing, grid.field, strict=True):
        assert len(middles) == count
        assert abs(middles.mean()) < 1e-9
        np.testing.assert_allclose(np.diff(middles), step)
        assert side == pytest.approx(count * step)


@given(size=SIZES, spacing=SPACINGS)
def test_fine_voxels_fill_the_same_box_and_share_the_middles(size, spacing):
    grid = VoxelGrid.of_field(size, spacing)
    for parts in (grid.parts, grid.odd_parts):
        fine = grid.divided(parts)
        assert max(fine.spacing) <= 0.5 + 1e-9
        np.testing.assert_allclose(np.multiply(fine.size, fine.spacing), grid.field)
        for coarse, small, part in zip(grid.middles(), fine.middles(), parts, strict=True):
            np.testing.assert_allclose(small.reshape(-1, part).mean(axis=1), coarse, atol=1e-9)
    assert all(part % 2 == 1 for part in grid.odd_parts)
    assert all(0 <= odd - part <= 1 for odd, part in zip(grid.odd_parts, grid.parts, strict=True))


@given(size=SIZES, parts=st.tuples(*3 * (st.sampled_from((1, 3, 5)),)), seed=st.integers(0, 99))
def test_blocks_are_averaged_and_have_a_middle(size, parts, seed):
    values = np.random.default_rng(seed).normal(size=np.multiply(size, parts))
    means, middles = average(values, parts), middle(values, parts)
    for place in np.ndindex(size):
        block = values[tuple(slice(at * part, (at + 1) * part) for at, part in zip(place, parts, strict=True))]
        assert means[place] == pytest.approx(block.mean())
        assert middles[place] == block[tuple(part // 2 for part in parts)]


@given(
    size=SIZES,
    spacing=SPACINGS,
    center=st.tuples(*3 * (st.floats(-6, 6),)),
    radius=st.floats(0.2, 4),
)
def test_a_body_covers_what_all_fine_voxels_say(size, spacing, center, radius):
    grid = VoxelGrid.of_field(size, spacing)
    part = grid.covered(np.array(center), radius, lambda offsets: (offsets**2).sum(axis=0) <= radius**2)
    parts = grid.parts
    fine = grid.divided(parts)
    places = np.meshgrid(*(axis - at for axis, at in zip(fine.middles(), center, strict=True)), indexing="ij")
    whole = average(np.stack(places).__pow__(2).sum(axis=0) <= radius**2, parts)
    np.testing.assert_allclose(part, whole)


def test_the_default_field_is_28_mm_wide():
    assert VoxelGrid.of_field(None, 1.0).size == (28, 28, 28)
    thick = VoxelGrid.of_field(None, (3, 1, 2))
    assert thick.size == (9, 28, 14)
    assert thick.field == (28.0, 28.0, 28.0)
    assert VoxelGrid.of_field(4, (3, 1, 2)).field == (12.0, 4.0, 8.0)


@pytest.mark.parametrize(
    ("size", "spacing", "error", "message"),
    [
        (0, 1.0, ValueError, "size must be at least 1"),
        ((1, 2), 1.0, ValueError, "size must be one integer or a tuple of 3"),
        (2.5, 1.0, TypeError, "size must be an integer"),
        (None, 0, ValueError, "spacing must be greater than 0"),
        (None, (1, 2), ValueError, "spacing must be one number or a sequence of 3"),
        (None, (1, 2, float("nan")), ValueError, r"spacing\[2\] must be finite"),
        (None, "1", TypeError, "spacing must be a number"),
    ],
)
def test_bad_arguments_are_named(size, spacing, error, message):
    with pytest.raises(error, match=message):
        VoxelGrid.of_field(size, spacing)
