"""What point layers refuse: tables of arguments, the exception, and what its message has to say."""

import pytest
import torch

from lpsc_nd import LogPolarPartition, LPSPointConv, Neighborhood
from lpsc_nd.functional import lps_point_conv

PARTITION = LogPolarPartition(2, 1.0, 1, 4, 2.0)
POINTS = torch.tensor([[0.0, 0.0], [0.0, 0.5], [0.5, 0.0]])
NEIGHBORHOOD = Neighborhood.build(PARTITION, POINTS)
X, WEIGHT = torch.zeros(3, 2), torch.zeros(4, 2, 4)
OFFICIAL = LogPolarPartition(2, 1.0, 1, 4, 2.0, convention="official")

WAYS = [  # of the layer and of the function
    ({"reduction": "median"}, ValueError, ("reduction", "'median'", "'mean', 'sum', 'max'")),
    ({"normalize": "count"}, ValueError, ("normalize", "'count'", "'present', 'grid'")),
    ({"engine": "expand"}, ValueError, ("engine", "'expand'", "'auto', 'reference', 'bags'")),
    ({"engine": "bags", "reduction": "max"}, ValueError, ("engine 'bags' cannot run this", "'max'")),
    ({"normalize": "grid"}, ValueError, ("region_sizes", "normalize='grid'", "got None")),
    ({"region_sizes": (1, 1, 1, 1)}, ValueError, ("region_sizes", "normalize='present'")),
    ({"normalize": "grid", "region_sizes": (1, 1, 1)}, ValueError, ("region_sizes", "4", "(1, 1, 1)")),
    ({"normalize": "grid", "region_sizes": (1, 1, 1, -1)}, ValueError, ("region_sizes[3]", "got -1")),
    ({"normalize": "grid", "region_sizes": (1, 1, 1, 2.0)}, TypeError, ("region_sizes[3]", "got 2.0")),
    ({"groups": 0}, ValueError, ("groups must be a positive integer", "0")),
    ({"groups": 3}, ValueError, ("must be divisible by groups", "3")),
    ({"groups": 1.0}, TypeError, ("groups", "got 1.0")),
]
LAYER = [
    ({"in_channels": 0}, ValueError, ("in_channels", "got 0")),
    ({"in_channels": True}, TypeError, ("in_channels", "got True")),
    ({"out_channels": -1}, ValueError, ("out_channels", "got -1")),
    ({"out_channels": "4"}, TypeError, ("out_channels", "got '4'")),
    ({"partition": 5}, TypeError, ("partition", "num_regions", "int")),
    ({"partition": OFFICIAL}, ValueError, ("partition", "'official'", "grid", "convention='paper'")),
]
FUNCTION = [
    ({"neighborhood": None}, TypeError, ("neighborhood", "Neighborhood.build", "NoneType")),
    ({"neighborhood": POINTS}, TypeError, ("neighborhood", "Tensor")),
    ({"weight": torch.zeros(4, 2, 5)}, RuntimeError, ("weight of size [4, 2, 5]", "5 regions", "4 regions")),
    ({"weight": torch.zeros(4, 4)}, RuntimeError, ("weight", "[4, 4]")),
    ({"center_weight": torch.zeros(4, 1)}, RuntimeError, ("center_weight", "[4, 1]", "[4, 2]")),
    ({"center_weight": torch.zeros(4, 2).double()}, RuntimeError, ("center_weight", "float64", "float32")),
    ({"center_weight": torch.zeros(4, 2, device="meta")}, RuntimeError, ("center_weight", "meta", "cpu")),
    ({"bias": torch.zeros(3)}, RuntimeError, ("bias", "[3]", "4")),
    ({"bias": torch.zeros(4).double()}, RuntimeError, ("bias", "float64", "float32")),
]
INPUTS = [
    ([[0.0, 0.0]], TypeError, ("input must be a Tensor", "list")),
    (torch.zeros(3), RuntimeError, ("Expected 2D input (sources, channels)", "[3]")),
    (torch.zeros(1, 3, 2), RuntimeError, ("Expected 2D input (sources, channels)", "[1, 3, 2]")),
    (torch.zeros(4, 2), RuntimeError, ("3 sources and 3 queries", "input[4, 2] to have 3 rows", "got 4 rows")),
    (torch.zeros(3, 3), RuntimeError, ("weight of size [4, 2, 4]", "input[3, 3] to have 2 channels", "got 3")),
    (torch.zeros(3, 2).double(), RuntimeError, ("Input type", "float64", "weight type", "float32")),
    (torch.zeros(3, 2).bfloat16(), RuntimeError, ("Input type", "bfloat16", "float32")),
    (torch.zeros(3, 2, dtype=torch.int64), RuntimeError, ("Input type", "int64", "floating-point")),
    (torch.zeros(3, 2, device="meta"), RuntimeError, ("meta", "cpu", "neighborhood", "same device")),
]


def assert_refused(call, exception, words):
    """Check that ``call()`` raises ``exception`` with all ``words`` in its message."""
    with pytest.raises(exception) as error:
        call()
    missing = [word for word in words if word not in str(error.value)]
    assert not missing, f"{missing} not in {str(error.value)!r}"


def test_what_is_not_refused_or_not_told_is_noticed():
    with pytest.raises(pytest.fail.Exception):
        assert_refused(lambda: None, ValueError, ())
    with pytest.raises(AssertionError, match="missing"):
        assert_refused(lambda: int("x"), ValueError, ("missing",))


@pytest.mark.parametrize(("arguments", "exception", "words"), [*LAYER, *WAYS])
def test_a_layer_refuses_its_arguments(arguments, exception, words):
    given = {"in_channels": 2, "out_channels": 4, "partition": PARTITION, **arguments}
    assert_refused(lambda: LPSPointConv(**given), exception, words)


@pytest.mark.parametrize(("arguments", "exception", "words"), [*FUNCTION, *WAYS])
def test_the_function_refuses_its_arguments(arguments, exception, words):
    given = {"x": X, "neighborhood": NEIGHBORHOOD, "weight": WEIGHT, **arguments}
    assert_refused(lambda: lps_point_conv(**given), exception, words)


@pytest.mark.parametrize("engine", ["auto", "reference", "bags"])
@pytest.mark.parametrize(("x", "exception", "words"), INPUTS)
def test_a_layer_refuses_its_input(engine, x, exception, words):
    layer = LPSPointConv(2, 4, PARTITION, engine=engine)
    assert_refused(lambda: layer(x, NEIGHBORHOOD), exception, words)


def test_a_layer_refuses_the_neighborhood_of_another_partition():
    layer = LPSPointConv(2, 4, LogPolarPartition(2, 1.0, 2, 4, 2.0))
    assert_refused(lambda: layer(X, NEIGHBORHOOD), RuntimeError, ("8 regions", "4 regions", "layer's partition"))
