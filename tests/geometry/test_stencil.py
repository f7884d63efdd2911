"""Stencils: a partition on a window, its counts, taps, bags, mirror image, text form and cache."""

import copy
import pickle
from dataclasses import FrozenInstanceError
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lpsc_nd import CellPartition, LogPolarPartition, Partition, Stencil, build_mask

SIZES = [(6,), (5, 9), (4, 3), (3, 4, 5), (3, 2, 3, 2)]
DIRECTIONS = {1: 2, 2: 6, 3: (2, 4), 4: (2, 2, 3)}


class Quadrants:
    """A partition of one's own, without ndim."""

    num_regions = 3

    def region(self, offsets):
        return (np.asarray(offsets) > 0).sum(axis=-1)


class Unhashable(Quadrants):
    """The same, but of no use as a key."""

    __hash__ = None


class Answers(Quadrants):
    """A partition that answers what it is told to, whatever it is asked."""

    def __init__(self, answer, num_regions=3):
        self.answer = answer
        self.num_regions = num_regions

    def region(self, offsets):
        return self.answer


masks = hnp.arrays(np.int64, hnp.array_shapes(min_dims=1, max_dims=4, max_side=5), elements=st.integers(0, 6))
stencils = masks.map(lambda mask: Stencil.from_mask(mask, 6))


def cells_of(stencil, region):
    """List the cells of a region, row-major, one by one."""
    window = product(*map(range, stencil.kernel_size))
    return [flat for flat, cell in enumerate(window) if int(stencil.mask[cell]) == region]


def fitted(size, **options):
    return LogPolarPartition.for_grid(size, 2, DIRECTIONS[len(size)], 2.0, **options)


@given(stencil=stencils)
def test_counts_are_the_cells_of_each_region_and_add_up_to_the_support(stencil):
    assert stencil.counts.tolist() == [len(cells_of(stencil, region)) for region in range(1, 7)]
    assert stencil.counts.sum() + len(cells_of(stencil, 0)) == stencil.num_cells
    assert stencil.counts.dtype == np.int64


@pytest.mark.parametrize("size", SIZES)
def test_the_official_support_is_the_whole_window(size):
    stencil = Stencil.build(fitted(size, convention="official"), size)
    assert stencil.counts.sum() == stencil.num_cells == np.prod(size)


@given(stencil=stencils)
def test_empty_regions_are_those_without_a_cell(stencil):
    assert stencil.empty_regions == tuple(r for r in range(1, 7) if not cells_of(stencil, r))


@pytest.mark.parametrize("size", SIZES)
def test_the_centre_is_the_lower_middle_cell(size):
    stencil = Stencil.build(fitted(size), size)
    assert stencil.center == tuple((k - 1) // 2 for k in size)
    assert stencil.center_cell == int(np.ravel_multi_index(stencil.center, size))
    assert stencil.mask[stencil.center] == 0  # "paper": the centre is in no region


@given(stencil=stencils)
def test_reflection_mirrors_mask_and_centre(stencil):
    mirrored = stencil.reflect()
    for cell in product(*map(range, stencil.kernel_size)):
        opposite = tuple(k - 1 - i for i, k in zip(cell, stencil.kernel_size, strict=True))
        assert mirrored.mask[opposite] == stencil.mask[cell]
    assert mirrored.center == tuple(k // 2 for k in stencil.kernel_size)
    assert mirrored.counts.tolist() == stencil.counts.tolist()


@given(stencil=stencils)
def test_reflection_twice_is_the_identity(stencil):
    assert stencil.reflect().reflect() == stencil


@given(stencil=stencils)
def test_mean_taps_of_a_region_add_up_to_one(stencil):
    taps = stencil.taps("mean")
    assert taps.shape == (6, *stencil.kernel_size)
    for region in range(1, 7):
        cells = cells_of(stencil, region)
        assert taps[region - 1].sum() == pytest.approx(1.0 if cells else 0.0)
        expected = np.zeros(stencil.num_cells)
        expected[cells] = 1 / max(len(cells), 1)
        np.testing.assert_array_equal(taps[region - 1].ravel(), expected)


@given(stencil=stencils)
def test_sum_taps_are_the_indicator_of_each_region(stencil):
    regions = np.stack([stencil.mask == region for region in range(1, 7)])
    np.testing.assert_array_equal(stencil.taps("sum"), regions.astype(float))


def test_a_maximum_has_no_taps():
    with pytest.raises(ValueError, match=r"reduction.*'max'"):
        Stencil.from_mask([1, 0, 1]).taps("max")


@given(stencil=stencils, center=st.booleans())
def test_bags_list_the_cells_of_each_region(stencil, center):
    indptr, cells = stencil.bags(center=center)
    bags = [cells_of(stencil, region) for region in range(1, 7)] + [[stencil.center_cell]] * center
    assert indptr[0] == 0
    assert [cells[start:end].tolist() for start, end in pairwise(indptr)] == bags
    assert indptr.dtype == cells.dtype == np.int64


@given(stencil=stencils)
def test_a_token_gives_the_stencil_back(stencil):
    assert Stencil.from_token(stencil.token) == stencil
    assert Stencil.from_token(stencil.reflect().token) == stencil.reflect()


@given(stencil=stencils)
def test_different_masks_have_different_tokens(stencil):
    other = stencil.mask.copy()
    other.flat[0] = (other.flat[0] + 1) % 7
    assert Stencil.from_mask(other, 6).token != stencil.token


@given(stencil=stencils)
def test_copies_are_equal_and_hash_the_same(stencil):
    assert stencil.counts.sum() >= 0  # derived arrays exist when it is copied
    for twin in (pickle.loads(pickle.dumps(stencil)), copy.deepcopy(stencil), copy.copy(stencil)):
        assert twin == stencil
        assert hash(twin) == hash(stencil)
        np.testing.assert_array_equal(twin.mask, stencil.mask)


def test_a_stencil_is_frozen():
    with pytest.raises(FrozenInstanceError):
        Stencil.from_mask([1, 2]).num_regions = 3


@given(mask=masks, extra=st.integers(0, 3))
def test_from_mask_keeps_the_mask(mask, extra):
    given_mask = mask.copy()
    stencil = Stencil.from_mask(mask, int(mask.max()) + extra)
    mask[:] = 0
    np.testing.assert_array_equal(stencil.mask, given_mask)
    assert stencil.num_regions == given_mask.max() + extra
    assert stencil.kernel_size == given_mask.shape
    assert stencil.ndim == given_mask.ndim


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.uint64, ">i4"])
def test_from_mask_takes_any_integers(dtype):
    assert Stencil.from_mask(np.array([[2, 0], [1, 1]], dtype=dtype)) == Stencil.from_mask([[2, 0], [1, 1]])


def test_from_mask_takes_strided_arrays():
    mask = np.arange(12).reshape(3, 4)
    np.testing.assert_array_equal(Stencil.from_mask(mask.T[::-1]).mask, mask.T[::-1])


def test_a_code_beyond_32_bits_is_not_cut():
    with pytest.raises(ValueError, match="region"):
        Stencil.from_mask(np.array([2**32 + 1]), 2**33)


@pytest.mark.parametrize("size", SIZES)
def test_equal_arguments_share_one_stencil(size):
    once = Stencil.build(fitted(size), size, spacing=1)
    assert Stencil.build(fitted(size), list(size), spacing=[1.0] * len(size)) is once
    assert Stencil.build(fitted(size), size, spacing=2.0) is not once


def test_one_integer_means_every_axis():
    assert Stencil.build(fitted((5, 5)), 5) is Stencil.build(fitted((5, 5)), (5, 5))


def test_equal_stencils_from_different_partitions_are_equal():
    cells = Stencil.build(CellPartition((3, 3)), 3)
    assert Stencil.from_mask(np.arange(1, 10).reshape(3, 3)) == cells
    assert Stencil.from_mask(np.arange(1, 10).reshape(3, 3), 10) != cells


def test_the_mask_of_a_stencil_is_read_only():
    stencil = Stencil.build(fitted((5, 5)), 5)
    for array in (stencil.mask, stencil.counts):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_build_mask_gives_a_fresh_writable_copy():
    first = build_mask(fitted((5, 5)), 5)
    kept = first.copy()
    first[:] = 0
    second = build_mask(fitted((5, 5)), 5)
    np.testing.assert_array_equal(second, kept)
    assert second.dtype == np.int64
    assert second is not first


@pytest.mark.parametrize("partition", [Quadrants(), Unhashable()])
def test_any_object_with_two_members_is_a_partition(partition):
    assert isinstance(partition, Partition)
    assert build_mask(partition, (2, 3)).tolist() == [[0, 0, 1], [1, 1, 2]]
    assert build_mask(partition, (2, 3), spacing=(1, 0.5)).tolist() == [[0, 0, 1], [1, 1, 2]]


def test_a_partition_gets_offsets_in_the_unit_of_spacing():
    asked = []

    class Recorder(Unhashable):
        def region(self, offsets):
            asked.append(np.asarray(offsets))
            return super().region(offsets)

    Stencil.build(Recorder(), (2, 3), spacing=(0.5, 3))
    np.testing.assert_array_equal(asked[0][1, 2], [0.5, 3.0])
    assert asked[0].shape == (2, 3, 2)


def test_an_unhashable_partition_is_asked_again():
    partition = Unhashable()
    before = build_mask(partition, (3,))
    partition.region = lambda offsets: np.ones(np.shape(offsets)[:-1], dtype=int)
    assert before.tolist() == [0, 0, 1]
    assert build_mask(partition, (3,)).tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("answer", "exception", "words"),
    [
        (np.zeros(4, dtype=int), ValueError, r"\(3,\).*\(4,\)"),
        (np.zeros((3, 1), dtype=int), ValueError, r"\(3,\).*\(3, 1\)"),
        (5, ValueError, r"\(3,\).*\(\)"),
        (np.zeros(3), TypeError, "float64"),
        (np.zeros(3, dtype=bool), TypeError, "bool"),
        (None, ValueError, "shape"),
        ([0, 1, 4], ValueError, r"0\.\.3.*4"),
        ([-1, 0, 1], ValueError, r"0\.\.3.*-1"),
    ],
    ids=str,
)
def test_what_no_partition_may_answer(answer, exception, words):
    with pytest.raises(exception, match=words):
        Stencil.build(Answers(answer), (3,))


@pytest.mark.parametrize(("num_regions", "exception"), [(3.0, TypeError), ("3", TypeError), (-1, ValueError)])
def test_how_many_regions_a_partition_may_have(num_regions, exception):
    with pytest.raises(exception, match=rf"num_regions.*{num_regions}"):
        Stencil.build(Answers([0, 0, 0], num_regions), (3,))


@given(data=st.data(), size=st.lists(st.integers(1, 5), min_size=1, max_size=4).map(tuple))
def test_cells_are_numbered_row_major(data, size):
    spacing = data.draw(st.tuples(*[st.sampled_from([0.5, 1.0, 3.0])] * len(size)))
    partition = CellPartition(size, spacing=spacing)
    assert partition.num_regions == np.prod(size)
    for code, cell in enumerate(product(*map(range, size)), start=1):
        offset = [(i - (k - 1) // 2) * s for i, k, s in zip(cell, size, spacing, strict=True)]
        assert partition.region(offset) == code
        nearby = [o + 0.4 * s for o, s in zip(offset, spacing, strict=True)]
        assert partition.region(nearby) == code


@given(size=st.lists(st.integers(1, 5), min_size=1, max_size=3).map(tuple), spacing=st.sampled_from([0.5, 2.0]))
def test_there_is_no_cell_outside_the_window(size, spacing):
    partition = CellPartition(size, spacing=spacing)
    for axis, k in enumerate(size):
        for step in (-(k - 1) // 2 - 1, k - (k - 1) // 2):
            offset = np.zeros(len(size))
            offset[axis] = step * spacing
            assert partition.region(offset) == 0


@pytest.mark.parametrize("size", SIZES)
def test_the_stencil_of_cells_counts_one_each(size):
    stencil = Stencil.build(CellPartition(size), size)
    np.testing.assert_array_equal(stencil.mask, np.arange(1, np.prod(size) + 1).reshape(size))
    assert (stencil.counts == 1).all()


def test_a_smaller_window_shows_the_middle_cells():
    assert build_mask(CellPartition((3, 5)), 3).tolist() == [[2, 3, 4], [7, 8, 9], [12, 13, 14]]


def test_the_loop_over_cells_sees_a_wrong_code():
    stencil = Stencil.from_mask([[1, 2], [0, 1]])
    assert cells_of(stencil, 1) == [0, 3]
    assert cells_of(stencil, 2) == [1]
    assert cells_of(stencil, 2) != cells_of(Stencil.from_mask([[1, 0], [2, 1]]), 2)
