"""Laws of LogPolarPartition that need no oracle, and the cells on which the paper and its program differ."""

import copy
import math
import pickle
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lpsc_nd import LogPolarPartition, Stencil, build_mask

CONVENTIONS = ("paper", "official", "literal")
DIRECTIONS = {1: 2, 2: 7, 3: (2, 5), 4: (2, 2, 3)}

each_convention = pytest.mark.parametrize("convention", CONVENTIONS)
seeds = st.integers(0, 2**16)


def drawn_offsets(seed, ndim, count=200):
    return np.random.default_rng(seed).normal(size=(count, ndim)) * 3


def level_and_direction(region, num_directions):
    """Return (level, direction) of a region code, or 0 where there is none."""
    return (1 + (region - 1) // num_directions, 1 + (region - 1) % num_directions) if region else 0


def sample(kernel_size, num_levels, num_directions, growth, offset, convention, **options):
    """Return the level and direction of one cell of a square window."""
    part = LogPolarPartition.for_grid(
        (kernel_size,) * 2, num_levels, num_directions, growth, convention=convention, **options
    )
    return level_and_direction(int(part.region(offset)), num_directions)


@given(seed=seeds, ndim=st.integers(1, 4), scale=st.sampled_from([1e-9, 1e-3, 1.0, 1e9]))
@each_convention
def test_every_offset_has_one_region_in_range(convention, seed, ndim, scale):
    part = LogPolarPartition(ndim, 4.0, 3, DIRECTIONS[ndim], 2.0, convention=convention)
    region = part.region(drawn_offsets(seed, ndim) * scale)
    assert region.min() >= (1 if convention == "official" else 0)
    assert region.max() <= part.num_regions
    assert part.num_regions == 3 * int(np.prod(DIRECTIONS[ndim]))


@given(seed=seeds, ndim=st.integers(2, 4))
@each_convention
def test_a_quarter_turn_permutes_four_directions(convention, seed, ndim):
    directions = (*(2,) * (ndim - 2), 4)
    part = LogPolarPartition(ndim, 5.0, 3, directions if ndim > 2 else 4, 2.0, convention=convention)
    offsets = drawn_offsets(seed, ndim)
    turned = offsets.copy()
    turned[:, -2], turned[:, -1] = -offsets[:, -1], offsets[:, -2]  # right becomes up
    before, after = part.region(offsets), part.region(turned)
    np.testing.assert_array_equal(after, np.where(before > 0, (before - 1) // 4 * 4 + before % 4 + 1, 0))


@pytest.mark.parametrize("size", [5, 9, 15])
@each_convention
def test_a_quarter_turn_of_the_window_permutes_four_directions(convention, size):
    mask = build_mask(LogPolarPartition.for_grid((size,) * 2, 3, 4, 1.5, convention=convention), size)
    mask[size // 2, size // 2] = 0
    turned = np.rot90(mask)  # counter-clockwise
    np.testing.assert_array_equal(turned, np.where(mask > 0, (mask - 1) // 4 * 4 + (mask + 2) % 4 + 1, 0))


@given(seed=seeds, half=st.integers(1, 6), angle=st.integers(-314, 314))
@each_convention
def test_the_opposite_offset_has_the_opposite_direction(convention, seed, half, angle):
    part = LogPolarPartition(2, 5.0, 3, 2 * half, 2.0, convention=convention, eccentricity=0.7, angle=angle / 100)
    offsets = drawn_offsets(seed, 2)
    region, opposite = part.region(offsets), part.region(-offsets)
    direction = (region - 1) % (2 * half)
    mirrored = region - direction + (direction + half) % (2 * half)
    np.testing.assert_array_equal(opposite, np.where(region > 0, mirrored, 0))


@pytest.mark.parametrize("size", [(7,), (6,), (5, 9), (4, 7), (3, 5, 4)])
@each_convention
def test_reflection_maps_the_mask_to_the_mirrored_mask(convention, size):
    part = LogPolarPartition.for_grid(size, 2, DIRECTIONS[len(size)], 2.0, convention=convention)
    mirrored = build_mask(part, size)[(slice(None, None, -1),) * len(size)]
    np.testing.assert_array_equal(Stencil.build(part, size).reflect().mask, mirrored)


@given(seed=seeds, ndim=st.integers(1, 4), growth=st.sampled_from([1.5, 2.0, 3.0]))
@each_convention
def test_scaling_by_growth_moves_one_level_out(convention, seed, ndim, growth):
    part = LogPolarPartition(ndim, 6.0, 4, DIRECTIONS[ndim], growth, convention=convention)
    count = part.num_regions // 4
    offsets = drawn_offsets(seed, ndim)
    near, far = part.region(offsets), part.region(offsets * (math.sqrt(growth) if convention == "literal" else growth))
    inner = (near > count) & (near <= 3 * count)  # the first level also holds what is nearer than one step
    np.testing.assert_array_equal(far[inner], near[inner] + count)


@given(seed=seeds, turns=st.integers(-3, 3), angle=st.integers(-314, 314))
def test_a_full_turn_changes_nothing(seed, turns, angle):
    offsets = drawn_offsets(seed, 2)
    options = {"eccentricity": 0.5, "min_inner_radius": 1.0}
    once = LogPolarPartition(2, 5.0, 2, 8, 2.0, angle=angle / 100, **options)
    again = LogPolarPartition(2, 5.0, 2, 8, 2.0, angle=angle / 100 + 2 * math.pi * turns, **options)
    np.testing.assert_array_equal(once.region(offsets), again.region(offsets))


@given(seed=seeds, angle=st.integers(-314, 314))
def test_angle_is_the_rotation_that_turns_the_offsets_back(seed, angle):
    offsets, turn = drawn_offsets(seed, 2), angle / 100
    back = np.stack(
        [
            offsets[:, 0] * math.cos(turn) + offsets[:, 1] * math.sin(turn),
            offsets[:, 1] * math.cos(turn) - offsets[:, 0] * math.sin(turn),
        ],
        axis=1,
    )
    straight = LogPolarPartition(2, 5.0, 2, 6, 2.0, eccentricity=0.5)
    turned = LogPolarPartition(2, 5.0, 2, 6, 2.0, eccentricity=0.5, angle=turn)
    np.testing.assert_array_equal(turned.region(offsets), straight.region(back))


@pytest.mark.parametrize("ndim", [1, 2, 3, 4])
def test_a_window_of_three_cells_has_all_neighbours_in_the_first_level(ndim):
    part = LogPolarPartition.for_grid((3,) * ndim, 2, DIRECTIONS[ndim], 2.0)
    mask = build_mask(part, (3,) * ndim)
    assert np.count_nonzero(mask) == 3**ndim - 1
    assert mask.max() <= part.num_regions // 2


@pytest.mark.parametrize(
    ("size", "spacing"),
    [((3, 3), 1.0), ((5, 5), 1.0), ((5, 5), 2.0), ((5, 5), (2.0, 1.0)), ((5, 5, 5), (2.5, 1.0, 1.0)), ((1, 7, 7), 1.0)],
)
@pytest.mark.parametrize("growth", [3.0, 7.0])
def test_the_first_level_on_a_grid_holds_all_neighbours(size, spacing, growth):
    part = LogPolarPartition.for_grid(size, 2, DIRECTIONS[len(size)], growth, spacing=spacing)
    middle = tuple(slice(max(0, (k - 1) // 2 - 1), (k - 1) // 2 + 2) for k in size)
    neighbours = build_mask(part, size, spacing=spacing)[middle]
    assert (
        np.count_nonzero((neighbours > 0) & (neighbours <= part.num_regions // 2)) == 3 ** sum(k > 1 for k in size) - 1
    )


def test_a_window_of_height_one_is_a_line():
    line = build_mask(LogPolarPartition.for_grid((9,), 3, 2, 2.0), 9)
    np.testing.assert_array_equal(build_mask(LogPolarPartition.for_grid((1, 9), 3, 2, 2.0), (1, 9))[0], line)


def test_a_window_of_depth_one_is_a_plane():
    plane = build_mask(LogPolarPartition.for_grid((7, 7), 2, 6, 2.0), 7)
    thin = build_mask(LogPolarPartition.for_grid((1, 7, 7), 2, (1, 6), 2.0), (1, 7, 7))
    np.testing.assert_array_equal(thin[0], plane)


@pytest.mark.parametrize("offset", [1e160, -1e308, np.finfo(np.float64).max])
def test_a_huge_offset_is_beyond_the_field(offset):
    assert LogPolarPartition(2, 4.0, 2, 4, 2.0).region([offset, 0.0]) == 0
    official = LogPolarPartition(2, 4.0, 2, 4, 2.0, convention="official").region([0.0, offset])
    assert level_and_direction(int(official), 4) == (2, 1 if offset > 0 else 3)


def test_a_tiny_offset_is_in_the_first_level():
    assert LogPolarPartition(2, 4.0, 2, 4, 2.0).region([0.0, 1e-200]) == 1


@pytest.mark.parametrize(("num_levels", "growth"), [(3, 1e100), (3, 1e200), (2000, 2.0)])
@pytest.mark.parametrize("convention", ["paper", "official"])
def test_the_radius_is_in_the_last_level_however_fast_radii_grow(convention, num_levels, growth):
    part = LogPolarPartition(2, 4.0, num_levels, 4, growth, convention=convention)
    assert level_and_direction(int(part.region([0.0, 4.0])), 4) == (num_levels, 1)


PARTITIONS = [
    LogPolarPartition(1, 4.0, 2, 2, 3.0),
    LogPolarPartition(2, 4, 2, np.int64(6), 3, angle=0.5, eccentricity=0.5, convention="literal"),
    LogPolarPartition(3, 4.0, 2, 12, 3.0, axes=[1.0, 2.0, 4.0], rotation=np.eye(3)),
    LogPolarPartition.for_grid((3, 5, 5, 3), 2, [2, 2, 6], 2.0, spacing=2.0),
]
each_partition = pytest.mark.parametrize("part", PARTITIONS, ids=lambda part: f"{part.ndim}d")


@each_partition
def test_the_same_question_has_the_same_answer(part):
    offsets = drawn_offsets(7, part.ndim)
    kept = offsets.copy()
    first = part.region(offsets)
    np.testing.assert_array_equal(part.region(offsets), first)
    np.testing.assert_array_equal(offsets, kept)
    np.testing.assert_array_equal(np.stack([part.region(offset) for offset in offsets]), first)


@each_partition
@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda part: pickle.loads(pickle.dumps(part))])
def test_a_copy_is_equal_and_hashes_the_same(part, again):
    part.region(drawn_offsets(0, part.ndim))
    twin = again(part)
    assert twin == part
    assert hash(twin) == hash(part)
    np.testing.assert_array_equal(twin.region(drawn_offsets(1, part.ndim)), part.region(drawn_offsets(1, part.ndim)))


def test_different_partitions_differ():
    assert len({*PARTITIONS, LogPolarPartition(1, 4.0, 2, 2, 3.5), LogPolarPartition(1, 4.0, 3, 2, 3.0)}) == 6


@each_partition
def test_a_partition_is_frozen(part):
    with pytest.raises(FrozenInstanceError):
        part.radius = 3.0


def test_arrays_given_to_a_partition_can_change_afterwards():
    turn = np.eye(2)
    part = LogPolarPartition(2, 4.0, 1, 4, 2.0, rotation=turn)
    turn[:] = [[0, 1], [-1, 0]]
    assert part.region([0, 1]) == 1


# The table of conventions, row by row.


def test_a_level_border_belongs_inside_in_the_program_and_outside_in_the_text():
    assert sample(5, 2, 6, 3, (-1, 1), "literal")[0] == 2
    assert sample(5, 2, 6, 3, (-1, 1), "official")[0] == 1
    assert sample(5, 2, 6, 3, (-1, 1), "paper")[0] == 1


def test_the_text_grows_squares_and_the_program_radii():
    assert sample(9, 2, 8, 2, (1, 2), "literal")[0] == 1
    assert sample(9, 2, 8, 2, (1, 2), "official")[0] == 2
    squares = {c: LogPolarPartition.for_grid((9, 9), 2, 8, 2, convention=c).level_radii for c in CONVENTIONS}
    assert np.square(squares["literal"]) == pytest.approx([8, 16])
    assert np.square(squares["official"]) == pytest.approx([4, 16])
    assert np.square(squares["paper"]) == pytest.approx([4, 16])


def test_the_corner_is_outside_except_in_the_program():
    assert sample(9, 2, 8, 2, (4, 4), "paper") == 0
    assert sample(9, 2, 8, 2, (4, 4), "literal") == 0
    assert sample(9, 2, 8, 2, (4, 4), "official") == (2, 8)


@pytest.mark.parametrize(("convention", "count"), [("official", 2), ("paper", 1)])
def test_the_program_counts_the_centre_in_its_first_region(convention, count):
    part = LogPolarPartition.for_grid((3, 3), 1, 8, 2, convention=convention)
    assert Stencil.build(part, 3).counts[0] == count
    assert part.region([0, 0]) == (1 if convention == "official" else 0)


@pytest.mark.parametrize("angle", [0.0, 1.0, 2.0, 2.5, 3.0, math.pi, -2.0])
def test_the_centre_stays_in_the_first_region_when_the_field_turns(angle):
    part = LogPolarPartition.for_grid((5, 5), 2, 6, 3, convention="official", angle=angle)
    assert build_mask(part, 5)[2, 2] == 1
    assert part.region([[-0.0, -0.0], [0.0, -0.0], [-0.0, 0.0]]).tolist() == [1, 1, 1]


def test_the_text_leaves_two_regions_of_the_first_level_empty():
    parts = {c: LogPolarPartition.for_grid((5, 5), 2, 6, 3, convention=c) for c in CONVENTIONS}
    empty = {c: sum(r <= 6 for r in Stencil.build(part, 5).empty_regions) for c, part in parts.items()}
    assert empty == {"paper": 0, "official": 0, "literal": 2}


def test_the_last_limit_can_pass_the_radius_except_in_paper():
    radii = {c: LogPolarPartition.for_grid((5, 5), 2, 6, 3, convention=c).level_radii for c in CONVENTIONS}
    assert np.square(radii["official"]) == pytest.approx([2, 18])
    assert np.square(radii["literal"]) == pytest.approx([2, 6])
    assert np.square(radii["paper"]) == pytest.approx([2, 4])


def test_three_levels_of_eight_directions_leave_eight_regions_of_25_cells_empty():
    part = LogPolarPartition.for_grid((5, 5), 3, 8, 2, convention="official")
    assert len(Stencil.build(part, 5).empty_regions) == 8


@pytest.mark.parametrize("num_directions", [1, 3, 5])
def test_any_number_of_directions_works(num_directions):
    part = LogPolarPartition.for_grid((9, 9), 2, num_directions, 2)
    assert Stencil.build(part, 9).empty_regions == ()


def test_ellipse_and_directions_turn_together():
    options = {"eccentricity": 0.5, "angle": math.pi / 4}
    assert sample(9, 2, 8, 2, (-2, 2), "paper", **options) == (2, 1)
    assert sample(9, 2, 8, 2, (2, 2), "paper", **options) == 0
    assert sample(9, 2, 8, 2, (2, -2), "paper", **options) == (2, 5)


def test_no_cell_up_to_61_leaves_its_octant():
    part = LogPolarPartition.for_grid((61, 61), 1, 8, 2, convention="official")
    for row, line in enumerate(build_mask(part, 61).tolist(), start=-30):
        for column, region in enumerate(line, start=-30):
            x, y, octant = column, -row, 1
            while not (0 <= y < x) and (x, y) != (0, 0):
                x, y, octant = x + y, y - x, octant + 1  # turn back by an eighth, in whole numbers
            assert region == octant
