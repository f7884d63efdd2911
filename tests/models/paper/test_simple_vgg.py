"""The network of Fig. 5 and its receptive field."""

from functools import partial

import pytest
import torch

from lpsc_nd import LPSConv2d
from lpsc_nd.inspect import receptive_field
from lpsc_nd.models import SimpleVGG

OFFICIAL = partial(LPSConv2d, convention="official", growth=3.0)


def test_the_published_fields():
    assert receptive_field(SimpleVGG(), (3, 96, 96)) == (14, 14)
    assert receptive_field(SimpleVGG(variant="lpsc"), (3, 96, 96)) == (22, 22)


@pytest.mark.parametrize("sizes", [(7, 7), (5, 9), (5, 5), (13, 5)])
def test_windows_add_up(sizes):
    first, second = (partial(OFFICIAL, kernel_size=size) for size in sizes)
    assert receptive_field(SimpleVGG(first=first, second=second), (3, 40, 41)) == (sum(sizes) + 8,) * 2


@pytest.mark.parametrize(("variant", "side"), [("conv", 42), ("lpsc", 38)])
def test_shapes(variant, side):
    with torch.device("meta"):
        assert SimpleVGG(variant, in_channels=1)(torch.zeros(2, 1, 96, 97)).shape == (2, 128, side, side)


def test_one_step_lowers_the_loss(step):
    torch.manual_seed(1)
    net = torch.nn.Sequential(SimpleVGG("lpsc"), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    before, after = step(net, torch.randn(4, 3, 24, 24), torch.arange(4), 0.1)
    assert after < before


def test_a_step_uphill_raises_the_loss(step):
    torch.manual_seed(1)
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 4))
    before, after = step(net, torch.randn(4, 3, 2, 2), torch.arange(4), -0.1)
    assert after > before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"variant": "dilated"}, "variant must be one of 'conv', 'lpsc'"), ({"in_channels": 0}, "in_channels must be")],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        SimpleVGG(**arguments)
