"""Fields: ellipsoids outside of which a partition has no region."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lpsc_nd import CellPartition, LogPolarPartition
from lpsc_nd.geometry import BoundedPartition, Field
from lpsc_nd.testing import MaskPartition

DIRECTIONS = {1: 2, 2: 6, 3: (2, 4), 4: (2, 2, 3)}


def inside(field, offsets):
    return np.linalg.norm(offsets @ field.matrix, axis=1) <= field.radius * (1 + 1e-6)


@given(
    seed=st.integers(0, 2**16),
    ndim=st.integers(1, 4),
    minimum=st.sampled_from([0.0, 1.0, 5.0]),
    convention=st.sampled_from(["paper", "literal"]),
)
def test_no_region_lies_outside_the_field(seed, ndim, minimum, convention):
    generator = np.random.default_rng(seed)
    partition = LogPolarPartition(
        ndim,
        2.0,
        2,
        DIRECTIONS[ndim],
        2.0,
        convention=convention,
        axes=generator.uniform(0.3, 3.0, ndim),
        rotation=np.linalg.qr(generator.normal(size=(ndim, ndim)))[0],
        min_inner_radius=minimum,
    )
    offsets = generator.normal(size=(300, ndim)) * 4
    np.testing.assert_array_equal(partition.region(offsets) > 0, inside(partition.field(), offsets))


@given(seed=st.integers(0, 2**16), size=st.lists(st.integers(1, 5), min_size=1, max_size=4))
def test_no_cell_lies_outside_the_field(seed, size):
    generator = np.random.default_rng(seed)
    partition = CellPartition(tuple(size), spacing=generator.uniform(0.3, 3.0, len(size)))
    offsets = generator.normal(size=(300, len(size))) * 4
    assert inside(partition.field(), offsets)[partition.region(offsets) > 0].all()


def test_an_offset_outside_is_found():
    assert not inside(Field(np.eye(2), 1.0), np.array([[1.0, 1.0]])).any()


def test_reach_is_the_longest_semi_axis():
    partition = LogPolarPartition(2, 4.0, 2, 6, 2.0, axes=(1.0, 3.0), angle=0.3)
    assert partition.field().reach == pytest.approx(3.0)


def test_who_has_a_bound():
    assert isinstance(LogPolarPartition(2, 4.0, 2, 6, 2.0), BoundedPartition)
    assert isinstance(CellPartition((3, 3)), BoundedPartition)
    assert not isinstance(MaskPartition((1,), (1,), 1), BoundedPartition)


@pytest.mark.parametrize(
    ("matrix", "radius", "error", "words"),
    [
        ([[1.0, 0.0]], 1.0, ValueError, r"matrix must have shape \(ndim, ndim\), got \(1, 2\)"),
        ([], 1.0, ValueError, "matrix must have shape"),
        ([[1.0, 0.0], [2.0, 0.0]], 1.0, ValueError, "finite and invertible"),
        ([[float("nan")]], 1.0, ValueError, "finite and invertible"),
        ([[1.0]], -1.0, ValueError, "radius must be at least 0"),
        ([[1.0]], float("inf"), ValueError, "radius must be finite"),
        ([[1.0]], "1", TypeError, "radius must be a number"),
    ],
)
def test_bad_arguments(matrix, radius, error, words):
    with pytest.raises(error, match=words):
        Field(matrix, radius)


def test_official_has_no_field():
    with pytest.raises(ValueError, match="convention 'official' counts the whole square window of a grid"):
        LogPolarPartition(2, 4.0, 2, 6, 2.0, convention="official").field()
