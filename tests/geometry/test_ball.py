"""Fields of one physical radius: regions follow millimetres, not cells."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lpsc_nd import build_mask
from lpsc_nd.geometry import ball_partition, ball_window, direction_set
from lpsc_nd.testing.strategies import direction_counts

BANDS = st.tuples(st.integers(1, 3), st.integers(1, 8))


def level_of(distance, radius, num_levels, growth, least):
    """The paper's level of a distance in millimetres, and how far it is from the nearest border, relatively."""
    first = max(radius / growth ** (num_levels - 1), least)
    radii = [min(first * growth**level, radius) for level in range(num_levels)]
    away = min(abs(distance / border - 1) for border in radii)
    return next((level for level, border in enumerate(radii, start=1) if distance <= border * (1 + 5e-7)), 0), away


def direction_of(offset, bands, azimuth):
    """Band of equal solid angle by the height z / |offset|, and sector counter-clockwise on screen, in plain angles."""
    z, y, x = offset
    heights = [1 - 2 * cut / bands for cut in range(1, bands)]  # Archimedes: equal heights, equal areas
    height = z / math.sqrt(z * z + y * y + x * x)
    band = sum(height <= cut + 1e-6 for cut in heights)
    angle = math.atan2(-y, x) % (2 * math.pi)
    sector = int((angle + 1e-6) / (2 * math.pi) * azimuth) % azimuth if (y, x) != (0, 0) else 0
    return band * azimuth + sector + 1


def expected_mask(size, spacing, radius, num_levels, bands, azimuth, growth):
    """Region of every cell from its offset in millimetres alone; -1 where rounding decides."""
    middle = [(cells - 1) // 2 for cells in size]
    least = min(
        radius,
        math.sqrt(sum(cells > 1 for cells in size))
        * min(length for length, cells in zip(spacing, size, strict=True) if cells > 1),
    )
    mask = np.zeros(size, dtype=np.int64)
    for cell in itertools.product(*map(range, size)):
        offset = [(i - c) * length for i, c, length in zip(cell, middle, spacing, strict=True)]
        distance = math.sqrt(sum(entry**2 for entry in offset))
        if distance == 0:
            continue
        level, away = level_of(distance, radius, num_levels, growth, least)
        if level:
            mask[cell] = (level - 1) * bands * azimuth + direction_of(offset, bands, azimuth)
        if 1e-9 < away < 1e-5:
            mask[cell] = -1
    return mask


@given(
    spacing=st.tuples(*[st.sampled_from([0.5, 0.7, 1.0, 1.5, 3.0, 5.0])] * 3),
    radius=st.floats(5.0, 7.0).map(lambda value: round(value, 2)),
    num_levels=st.integers(1, 4),
    counts=BANDS,
    growth=st.floats(1.2, 3.0),
)
def test_region_of_each_cell_is_that_of_its_physical_offset(spacing, radius, num_levels, counts, growth):
    size = ball_window(3, radius, spacing)
    if math.prod(size) > 8000:
        spacing = tuple(max(length, 1.0) for length in spacing)
        size = ball_window(3, radius, spacing)
    mask = build_mask(ball_partition(3, radius, num_levels, counts, growth, spacing=spacing), size, spacing=spacing)
    expected = expected_mask(size, spacing, radius, num_levels, *counts, growth)
    sure = expected >= 0
    np.testing.assert_array_equal(mask[sure], expected[sure])


@pytest.mark.parametrize("count", [6, 12, 20, 26])
@given(spacing=st.tuples(*[st.sampled_from([0.8, 1.0, 2.5])] * 3), radius=st.floats(3.0, 6.0))
def test_the_nearest_unit_vector_is_that_of_the_physical_offset(count, spacing, radius):
    size = ball_window(3, radius, spacing)
    mask = build_mask(ball_partition(3, radius, 1, count, 2.0, spacing=spacing), size, spacing=spacing)
    offsets = (np.argwhere(mask > 0) - [(k - 1) // 2 for k in size]) * np.asarray(spacing)
    cosines = offsets @ direction_set(count).T / np.linalg.norm(offsets, axis=1, keepdims=True)
    chosen = np.take_along_axis(cosines, (mask[mask > 0] - 1)[:, None], axis=1)[:, 0]
    np.testing.assert_allclose(chosen, cosines.max(axis=1), rtol=0, atol=2e-6)


def test_the_oracle_tells_a_stretched_field_from_a_ball():
    mask = build_mask(ball_partition(3, 6.0, 2, (2, 4), 2.0), (5, 13, 13), spacing=(1.0, 1.0, 1.0))
    assert not np.array_equal(mask, expected_mask((5, 13, 13), (3.0, 1.0, 1.0), 6.0, 2, 2, 4, 2.0))


def test_thick_slices():
    spacing = (3.0, 1.0, 1.0)
    mask = build_mask(ball_partition(3, 6.0, 2, (2, 4), 2.0, spacing=spacing), (5, 13, 13), spacing=spacing)
    np.testing.assert_array_equal(mask, expected_mask((5, 13, 13), spacing, 6.0, 2, 2, 4, 2.0))
    assert mask[3, 6, 6] == 1  # 3 mm along z: level 1, the upper band
    assert mask[4, 6, 6] == 9  # 6 mm along z: level 2
    assert mask[4, 6, 7] == 0  # farther than 6 mm
    assert mask[2, 6, 12] == 13  # 6 mm along x: level 2, the lower band


@given(
    data=st.data(),
    ndim=st.integers(1, 3),
    radius=st.floats(2.0, 6.0),
    num_levels=st.integers(1, 3),
    growth=st.floats(1.2, 3.0),
)
def test_thicker_cells_see_a_part_of_the_fine_grid(data, ndim, radius, num_levels, growth):
    """A cell at the same physical offset has the same region on every grid: isotropy in millimetres."""
    directions = data.draw(direction_counts(ndim))
    factors = (1, *(data.draw(st.integers(1, 2)) for _ in range(ndim - 1)))
    fine = ball_window(ndim, radius)
    coarse = ball_window(ndim, radius, factors)
    masks = [
        build_mask(ball_partition(ndim, radius, num_levels, directions, growth, spacing=cell), size, spacing=cell)
        for size, cell in ((fine, (1,) * ndim), (coarse, factors))
    ]
    part = masks[0][tuple(slice((k // 2) % f, None, f) for k, f in zip(fine, factors, strict=True))]
    np.testing.assert_array_equal(masks[1], part)


@given(
    radius=st.floats(1.0, 50.0),
    spacing=st.tuples(*[st.floats(0.5, 1.0)] * 3),
    unit=st.floats(1e-3, 1e3),
)
def test_the_unit_does_not_matter(radius, spacing, unit):
    radius = min(radius, 4.0)
    scaled = tuple(length * unit for length in spacing)
    size = ball_window(3, radius, spacing)
    assert ball_window(3, radius * unit, scaled) == size
    masks = [
        build_mask(ball_partition(3, r, 2, (2, 4), 2.0, spacing=cell), size, spacing=cell)
        for r, cell in ((radius, spacing), (radius * unit, scaled))
    ]
    np.testing.assert_array_equal(*masks)


@given(radius=st.integers(1, 400), tenth=st.integers(1, 40))
def test_the_window_is_exact_in_decimal_fractions(radius, tenth):
    """0.3 mm holds three cells of 0.1 mm, although 0.3 / 0.1 < 3 in binary."""
    if tenth > radius:
        return
    assert ball_window(1, radius / 10, tenth / 10) == (2 * (radius // tenth) + 1,)


@given(
    radius=st.floats(0.5, 6.0),
    spacing=st.tuples(*[st.floats(0.4, 3.0)] * 2),
    num_levels=st.integers(1, 4),
    growth=st.floats(1.2, 3.0),
)
def test_no_region_beyond_the_radius_and_none_cut_off(radius, spacing, num_levels, growth):
    if radius * (1 + 1e-6) < min(spacing):
        return
    size = ball_window(2, radius, spacing)
    partition = ball_partition(2, radius, num_levels, 6, growth, spacing=spacing)
    mask = build_mask(partition, size, spacing=spacing)
    wider = build_mask(partition, tuple(k + 4 for k in size), spacing=spacing)
    np.testing.assert_array_equal(wider[2:-2, 2:-2], mask)
    assert (wider > 0).sum() == (mask > 0).sum()
    offsets = np.moveaxis(np.indices(size), 0, -1) - [(k - 1) // 2 for k in size]
    distance = np.linalg.norm(offsets * spacing, axis=-1)
    assert ((mask > 0) == ((distance <= radius * (1 + 4e-7)) & (distance > 0)))[
        np.abs(distance / radius - 1) > 1e-6
    ].all()


def test_an_ellipse_has_the_radius_as_its_longer_semi_axis():
    partition = ball_partition(2, 8.0, 2, 4, 2.0, eccentricity=0.5, spacing=(1.0, 1.0))
    mask = build_mask(partition, 17)
    rows, columns = np.nonzero(mask)
    assert (np.ptp(rows), np.ptp(columns)) == (8, 16)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((3, 0.5), ValueError, "radius must reach at least one neighbouring cell, got 0.5"),
        ((3, 0.0), ValueError, "radius must be greater than 0"),
        ((3, math.nan), ValueError, "radius must be finite"),
        ((3, "6"), TypeError, "radius must be a number"),
        ((3, 6.0, (1.0, 1.0)), ValueError, "spacing must be one number or a sequence of 3"),
        ((3, 6.0, (1.0, 1.0, 0.0)), ValueError, r"spacing\[2\] must be greater than 0"),
    ],
)
def test_bad_arguments_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        ball_window(*arguments)
    ndim, radius, *spacing = arguments
    with pytest.raises(error, match=message):
        ball_partition(ndim, radius, 2, 6, 2.0, spacing=spacing[0] if spacing else None)


def test_eccentricity_is_for_the_plane_alone():
    with pytest.raises(ValueError, match="eccentricity is height / width in 2-D"):
        ball_partition(3, 6.0, 2, 6, 2.0, eccentricity=2.0)
    with pytest.raises(ValueError, match="eccentricity must be greater than 0"):
        ball_partition(2, 6.0, 2, 6, 2.0, eccentricity=-1.0)
