"""Directions: equal shares of the sphere, orientation on screen, standard sets, nearest vectors."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lpsc_nd import LogPolarPartition, direction_set

SETS = {  # size: smallest angle between two directions, from the solid's geometry
    6: math.pi / 2,
    8: math.acos(1 / 3),
    12: math.acos(1 / math.sqrt(5)),
    20: math.acos(math.sqrt(5) / 3),
    26: math.acos(math.sqrt(2 / 3)),
}


def sectors(ndim, num_directions, offsets, **options):
    """Return the direction, from 1, of each offset: the region of a partition with one endless level."""
    return LogPolarPartition(ndim, 1e6, 1, num_directions, 2.0, **options).region(offsets)


def directions_on_sphere(ndim, count, seed):
    return np.random.default_rng(seed).normal(size=(count, ndim))  # a normal law has no preferred direction


def assert_equal_shares(codes, num_sectors):
    """Check that draws fall into equally likely sectors: each count within 5 deviations of its binomial mean."""
    share = 1 / num_sectors
    deviation = math.sqrt(len(codes) * share * (1 - share))
    counts = np.bincount(codes, minlength=num_sectors + 1)
    assert counts[0] == 0
    assert len(counts) == num_sectors + 1
    assert np.abs(counts[1:] - len(codes) * share).max() <= 5 * deviation


def cap_share(ndim, polar):
    """Return the share of the unit sphere in R^ndim up to a polar angle, by Simpson's rule on sin^(ndim-2)."""

    def integral(upper, steps=2000):
        width = upper / steps
        weights = [1 if i in (0, steps) else 4 if i % 2 else 2 for i in range(steps + 1)]
        return width / 3 * sum(w * math.sin(i * width) ** (ndim - 2) for i, w in enumerate(weights))

    return integral(polar) / integral(math.pi)


def find_border(ndim, bands, band):
    """Return the polar angle where band ``band`` ends, found by bisection through the partition."""
    low, high = 0.0, math.pi
    azimuth = (1,) * (ndim - 2)
    for _ in range(60):
        middle = (low + high) / 2
        offset = [math.cos(middle), math.sin(middle), *[0.0] * (ndim - 2)]
        inside = sectors(ndim, (bands, *azimuth), [offset])[0] <= band
        low, high = (middle, high) if inside else (low, middle)
    return low


@pytest.mark.parametrize("ndim", [3, 4, 5])
@pytest.mark.parametrize("bands", [2, 3, 5])
def test_polar_bands_have_equal_solid_angle(ndim, bands):
    # Borders stand back by 1e-6 so that rounding moves no cell; the density of the share is below 1 per radian.
    for band in range(1, bands):
        assert cap_share(ndim, find_border(ndim, bands, band)) == pytest.approx(band / bands, abs=2e-6)


@pytest.mark.parametrize(
    ("ndim", "directions"),
    [(2, 7), (3, (2, 6)), (3, (5, 3)), (4, (2, 3, 4)), (4, (3, 2, 5)), (5, (2, 2, 3, 2)), (6, (2, 1, 3, 2, 3))],
)
def test_all_sectors_have_equal_measure(ndim, directions):
    draws = directions_on_sphere(ndim, 60_000, seed=ndim)
    assert_equal_shares(sectors(ndim, directions, draws), int(np.prod(directions)))


def test_bands_of_equal_angle_would_be_found_unequal():
    draws = directions_on_sphere(3, 60_000, seed=3)
    polar = np.arccos(draws[:, 0] / np.linalg.norm(draws, axis=1))
    with pytest.raises(AssertionError):
        assert_equal_shares(1 + np.minimum((polar / math.pi * 3).astype(int), 2), 3)


def test_a_sector_too_many_would_be_found():
    with pytest.raises(AssertionError):
        assert_equal_shares(np.array([1, 2, 3] * 100), 2)


def test_the_share_of_a_cap_is_known_in_space():
    assert cap_share(3, math.pi / 3) == pytest.approx((1 - math.cos(math.pi / 3)) / 2, abs=1e-9)
    assert cap_share(4, math.pi / 2) == pytest.approx(0.5, abs=1e-9)


def test_the_bands_start_at_the_positive_pole():
    assert sectors(3, (4, 1), [[1, 0, 0], [-1, 0, 0]]).tolist() == [1, 4]


def test_the_azimuth_runs_fastest():
    up_right, down_left = [-1, 0.1, 1], [1, -0.1, -1]
    assert sectors(3, (2, 4), [[0.5, *up_right[1:]], [-0.5, *up_right[1:]]]).tolist() == [4, 8]
    assert sectors(3, (2, 4), [[0.5, *down_left[1:]]]).tolist() == [2]


@pytest.mark.parametrize("count", [4, 8, 12])
def test_on_screen_right_is_first_and_up_a_quarter_turn_further(count):
    right, up, left, down = [0, 1], [-1, 0], [0, -1], [1, 0]  # rows grow downwards
    quarter = count // 4
    assert sectors(2, count, [right, up, left, down]).tolist() == [1, 1 + quarter, 1 + 2 * quarter, 1 + 3 * quarter]


def test_the_azimuth_of_space_lies_in_the_last_two_axes():
    assert sectors(3, (1, 4), [[0, 0, 1], [0, -1, 0], [0, 0, -1], [0, 1, 0]]).tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("count", [1, 3, 5, 6, 7])
def test_directions_follow_the_angle_counter_clockwise(count):
    for step in range(5 * count):
        theta = 2 * math.pi * (step + 0.5) / (5 * count)
        offset = [-3 * math.sin(theta), 3 * math.cos(theta)]
        assert sectors(2, count, [offset])[0] == step // 5 + 1


def test_the_line_has_plus_then_minus():
    assert sectors(1, 2, [[0.5], [-0.5]]).tolist() == [1, 2]
    assert sectors(1, 1, [[0.5], [-0.5]]).tolist() == [1, 1]


@pytest.mark.parametrize("count", SETS)
def test_a_standard_set_holds_distinct_unit_vectors(count):
    vectors = direction_set(count)
    assert vectors.shape == (count, 3)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-12)
    assert len({tuple(row) for row in vectors.round(6).tolist()}) == count


@pytest.mark.parametrize("count", SETS)
def test_a_standard_set_is_closed_under_negation(count):
    def rows(vectors):
        return {tuple(row) for row in (vectors.round(6) + 0.0).tolist()}

    assert rows(direction_set(count)) == rows(-direction_set(count))


@pytest.mark.parametrize("count", SETS)
def test_the_smallest_angle_is_that_of_the_solid(count):
    cosines = direction_set(count) @ direction_set(count).T
    np.fill_diagonal(cosines, -1.0)
    assert math.acos(cosines.max()) == pytest.approx(SETS[count], abs=1e-9)


def test_the_26_are_the_neighbours_of_a_voxel():
    cells = {tuple(np.sign(row.round(6)).astype(int).tolist()) for row in direction_set(26)}
    assert len(cells) == 26
    assert (0, 0, 0) not in cells


@pytest.mark.parametrize("count", [0, 1, 4, 7, 27, -6])
def test_other_sets_are_refused(count):
    with pytest.raises(ValueError, match=rf"num_directions.*{count}"):
        direction_set(count)


@pytest.mark.parametrize("count", SETS)
def test_an_integer_in_space_means_the_standard_set(count):
    vectors = direction_set(count)
    assert sectors(3, count, vectors).tolist() == list(range(1, count + 1))


@pytest.mark.parametrize("ndim", [2, 3, 4])
@given(seed=st.integers(0, 2**16), count=st.integers(1, 15))
def test_the_nearest_vector_wins(ndim, seed, count):
    vectors = directions_on_sphere(ndim, count, seed)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    for offset in directions_on_sphere(ndim, 8, seed + 1):
        angles = [math.acos(max(-1.0, min(1.0, v @ offset / math.sqrt(offset @ offset)))) for v in vectors]
        near, far = [*sorted(angles), math.pi + 1][:2]
        if far - near > 1e-2:
            assert sectors(ndim, vectors, [offset])[0] == 1 + angles.index(near)


def test_ties_go_to_the_first_vector():
    vectors = np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    assert sectors(2, vectors, [[0, 5], [5, 5], [5, 0]]).tolist() == [1, 1, 2]


@pytest.mark.parametrize(
    ("ndim", "given_as", "count"),
    [
        (1, 2, 2),
        (1, np.int64(1), 1),
        (2, np.int32(5), 5),
        (2, (6,), 6),
        (2, [[0.0, 1.0], [0.6, 0.8]], 2),
        (3, 20, 20),
        (3, [2, 6], 12),
        (3, (2, np.int64(6)), 12),
        (3, np.eye(3), 3),
        (4, (2, 2, 6), 24),
        (4, np.eye(4, dtype=np.float32), 4),
    ],
)
def test_forms_of_num_directions(ndim, given_as, count):
    part = LogPolarPartition(ndim, 4.0, 3, given_as, 2.0)
    assert part.num_regions == 3 * count
    assert hash(part) == hash(LogPolarPartition(ndim, 4.0, 3, given_as, 2.0))


def test_borders_found_by_bisection_are_increasing():
    borders = [find_border(4, 4, band) for band in (1, 2, 3)]
    assert all(a < b for a, b in pairwise(borders))
