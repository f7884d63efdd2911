"""Tools that test log-polar layers, ours and a user's own: oracles, hypothesis strategies, contracts.

An *oracle* computes the right answer the slow way and imports none of the geometry it judges. A *strategy* draws cases.
A *contract* is an assertion a layer has to hold, written once for every engine, partition and user.
"""

from lpsc_nd.testing.contracts import (
    assert_adjoint,
    assert_constant_input,
    assert_delta_shows_taps,
    assert_dense_twin,
    assert_partition,
)
from lpsc_nd.testing.oracles import brute_force_conv, brute_force_pool, dense_kernel
from lpsc_nd.testing.partitions import MaskPartition
from lpsc_nd.testing.points import (
    PointCase,
    brute_force_point_conv,
    point_cases,
    random_neighborhood,
    random_point_case,
)
from lpsc_nd.testing.strategies import LayerCase, layer_cases, log_polar_partitions, mask_partitions

__all__ = [
    "LayerCase",
    "MaskPartition",
    "PointCase",
    "assert_adjoint",
    "assert_constant_input",
    "assert_delta_shows_taps",
    "assert_dense_twin",
    "assert_partition",
    "brute_force_conv",
    "brute_force_point_conv",
    "brute_force_pool",
    "dense_kernel",
    "layer_cases",
    "log_polar_partitions",
    "mask_partitions",
    "point_cases",
    "random_neighborhood",
    "random_point_case",
]
