"""The past of a line."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lpsc_nd import LogPolarPartition
from lpsc_nd.geometry import BoundedPartition, CausalPartition, Stencil


@given(
    kernel_size=st.integers(2, 60),
    num_levels=st.integers(1, 5),
    growth=st.floats(1.1, 3.0),
    convention=st.sampled_from(["paper", "literal"]),
)
def test_regions_are_the_levels_of_the_past_direction(kernel_size, num_levels, growth, convention):
    both = LogPolarPartition.for_grid((kernel_size,), num_levels, 2, growth, convention=convention)
    past = LogPolarPartition.for_grid((kernel_size,), num_levels, 1, growth, convention=convention)
    mask = Stencil.build(CausalPartition(past), kernel_size).mask
    middle = (kernel_size - 1) // 2
    whole = Stencil.build(both, kernel_size).mask
    assert not mask[middle:].any()
    np.testing.assert_array_equal(mask[:middle], whole[:middle] // 2)  # level l, direction 2 is region 2 l
    assert (whole[:middle] % 2 == 0).all()


def test_it_is_a_partition_that_knows_how_far_it_reaches():
    partition = CausalPartition(LogPolarPartition(1, 4.0, 3, 1, 2.0))
    assert isinstance(partition, BoundedPartition)
    assert (partition.ndim, partition.num_regions, partition.num_levels) == (1, 3, 3)
    assert partition.level_radii == (1.0, 2.0, 4.0)
    assert partition.field().reach == 4.0
    assert partition == CausalPartition(LogPolarPartition(1, 4.0, 3, 1, 2.0))
    assert len({partition, CausalPartition(LogPolarPartition(1, 4.0, 3, 1, 2.0))}) == 1


@pytest.mark.parametrize(
    ("partition", "message"),
    [
        (LogPolarPartition(2, 4.0, 2, 1, 2.0), "causal regions need a line.* got 2 axes"),
        (LogPolarPartition(1, 4.0, 2, 2, 2.0), "num_directions of a causal partition must be 1, .* got 2"),
        (LogPolarPartition(1, 4.0, 2, 1, 2.0, convention="official"), "convention 'official' puts the centre"),
    ],
)
def test_partitions_without_a_past_are_refused(partition, message):
    with pytest.raises(ValueError, match=message):
        CausalPartition(partition)


@pytest.mark.parametrize("offsets", [[[0.0, 1.0]], [[float("nan")]]])
def test_bad_offsets_are_refused(offsets):
    with pytest.raises(ValueError, match="offsets must"):
        CausalPartition(LogPolarPartition(1, 4.0, 2, 1, 2.0)).region(offsets)
