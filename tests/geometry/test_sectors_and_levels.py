"""The fast ways to find a sector and a level, against plain ones."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lpsc_nd import LogPolarPartition
from lpsc_nd.geometry.levels import FEW_BORDERS, count_passed


def nearest_by_hand(vectors, offset):
    """Return the first of the vectors with the largest cosine, 1e-6 being no difference."""
    cosines = [sum(a * b for a, b in zip(vector, offset, strict=True)) for vector in vectors]
    length = sum(a * a for a in offset) ** 0.5
    return next(i for i, cosine in enumerate(cosines) if cosine >= max(cosines) - 1e-6 * length)


@given(seed=st.integers(0, 2**16), ndim=st.integers(1, 4), count=st.sampled_from([1, 2, 3, 30, 255, 256, 257, 300]))
def test_the_first_nearest_vector_is_the_direction(seed, ndim, count):
    generator = np.random.default_rng(seed)
    vectors = generator.integers(-2, 3, (count, ndim)) + 0.0
    vectors[~vectors.any(axis=1)] = 1.0
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    offsets = generator.integers(-3, 4, (20, ndim)) + 0.0
    offsets = offsets[offsets.any(axis=1)]
    part = LogPolarPartition(ndim, 100.0, 1, vectors, 2.0)
    assert part.region(offsets).tolist() == [1 + nearest_by_hand(vectors.tolist(), o) for o in offsets.tolist()]


@given(
    borders=st.lists(st.integers(0, 20), max_size=2 * FEW_BORDERS),
    values=st.lists(st.integers(-1, 21), max_size=9),
    side=st.sampled_from(["left", "right"]),
)
def test_passed_borders_are_counted(borders, values, side):
    counted = count_passed(np.array(values, dtype=float), np.sort(np.array(borders, dtype=float)), side)
    passed = [sum(b < v or (side == "right" and b == v) for b in borders) for v in values]
    assert counted.tolist() == passed
    assert counted.dtype == np.int64


@pytest.mark.parametrize("offsets", [np.zeros((0, 2)), np.zeros((0, 3, 2)), np.zeros((2, 0, 2))])
def test_no_offsets_have_no_regions(offsets):
    for directions in (4, np.eye(2)):
        assert LogPolarPartition(2, 1.0, 2, directions, 2.0).region(offsets).shape == offsets.shape[:-1]
