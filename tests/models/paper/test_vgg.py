"""VGG-19."""

import pytest
import torch
from torch import nn

from lpsc_nd import LPSConv2d
from lpsc_nd.models import VGG19


@pytest.mark.parametrize("variant", ["conv", "dilated", "lpsc"])
def test_shapes(variant):
    with torch.device("meta"):
        net = VGG19(5, variant, in_channels=1)
        assert [net(torch.zeros(2, 1, *size)).shape for size in ((32, 32), (33, 47))] == [(2, 5)] * 2


def test_one_step_lowers_the_loss(step):
    torch.manual_seed(1)
    before, after = step(VGG19(4, "lpsc"), torch.randn(4, 3, 32, 32), torch.arange(4), 0.01)
    assert after < before


@pytest.mark.parametrize(("variant", "convolutions"), [("conv", 16), ("dilated", 17), ("lpsc", 17)])
def test_a_layer_is_added_in_front(variant, convolutions):
    with torch.device("meta"):
        layers = [m for m in VGG19(variant=variant).features if isinstance(m, (nn.Conv2d, LPSConv2d))]
    assert len(layers) == convolutions
    assert [layer.out_channels for layer in layers[-16:]] == [64] * 2 + [128] * 2 + [256] * 4 + [512] * 8
    assert layers[0].in_channels == 3


def test_an_own_builder_is_put_in_front():
    with torch.device("meta"):
        net = VGG19(first=lambda i, o: nn.Conv2d(i, o, 7, padding=3))
    assert net.features[0].kernel_size == (7, 7)
    assert net.features[3].in_channels == 64


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"variant": ""}, "variant must be one of"),
        ({"num_classes": 0}, "num_classes must be at least 1"),
        ({"in_channels": -1}, "in_channels must be at least 1"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message), torch.device("meta"):
        VGG19(**arguments)
