"""AlexNet."""

from functools import partial

import pytest
import torch
from torch import nn

from lpsc_nd import LPSConv2d
from lpsc_nd.models import AlexNet

VARIANTS = ["conv", "dilated", "lpsc"]


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("size", [(32, 32), (35, 51), (63, 40)])
def test_shapes(variant, size):
    with torch.device("meta"):
        assert AlexNet(7, variant, in_channels=2)(torch.zeros(3, 2, *size)).shape == (3, 7)


@pytest.mark.parametrize("variant", VARIANTS)
def test_one_step_lowers_the_loss(variant, step):
    torch.manual_seed(1)
    before, after = step(AlexNet(4, variant), torch.randn(4, 3, 32, 32), torch.arange(4), 0.1)
    assert after < before


def test_the_layers_are_what_the_variants_say():
    first, second = (AlexNet(variant="lpsc").features[i] for i in (0, 3))
    assert isinstance(first, LPSConv2d)
    assert isinstance(second, LPSConv2d)
    assert (first.kernel_size, first.stride, first.partition.num_regions) == ((11, 11), (4, 4), 24)
    assert (second.kernel_size, second.stride, second.partition.num_regions) == ((9, 9), (1, 1), 12)
    assert first.partition.convention == second.partition.convention == "official"
    dilated = AlexNet(variant="dilated").features
    assert [(dilated[i].kernel_size, dilated[i].dilation) for i in (0, 3)] == [((5, 5), (2, 2)), ((4, 4), (2, 2))]


def test_own_builders_replace_the_variant_s():
    asked = []

    def first(in_channels, out_channels):
        asked.append((in_channels, out_channels))
        return nn.Conv2d(in_channels, out_channels, 3, stride=4, padding=1)

    net = AlexNet(variant="lpsc", first=first, second=partial(LPSConv2d, kernel_size=7, padding=3))
    assert asked == [(3, 64)]
    assert net.features[3].kernel_size == (7, 7)
    assert net(torch.zeros(1, 3, 32, 32)).shape == (1, 10)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"variant": "lps"}, ValueError, "variant must be one of 'conv', 'dilated', 'lpsc', got 'lps'"),
        ({"num_classes": 0}, ValueError, "num_classes must be at least 1, got 0"),
        ({"in_channels": 0}, ValueError, "in_channels must be at least 1, got 0"),
        ({"num_classes": 1.5}, TypeError, "num_classes must be an integer, got 1.5"),
    ],
)
def test_bad_arguments_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        AlexNet(**arguments)
