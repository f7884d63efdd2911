"""Residual networks for small images."""

import pytest
import torch
from torch import nn

from lpsc_nd import CrossConv2d, LPSConv2d
from lpsc_nd.models import CifarResNet

VARIANTS = ["conv", "dilated", "lpsc", "lpsc_5x5", "lpsc_cc", "lpsc_cc_text"]


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("size", [(32, 32), (29, 31), (7, 9)])
def test_shapes(variant, size):
    with torch.device("meta"):
        net = CifarResNet(8, 5, variant, in_channels=2)
        assert net(torch.zeros(2, 2, *size)).shape == (2, 5)
        assert net.conv1(torch.zeros(2, 2, *size)).shape == (2, 16, *size)


@pytest.mark.parametrize("variant", VARIANTS)
def test_one_step_lowers_the_loss(variant, step):
    torch.manual_seed(1)
    before, after = step(CifarResNet(8, 4, variant), torch.randn(4, 3, 16, 16), torch.arange(4), 0.05)
    assert after < before


def crossed(net):
    return [name for name, part in net.named_modules() if isinstance(part, CrossConv2d)]


def test_cross_convolutions_are_where_the_program_has_them():
    net = CifarResNet(20, variant="lpsc_cc")
    assert crossed(net) == ["conv1", "layer1.0.conv1", "layer1.1.conv1", "layer1.2.conv1"]
    layers = [net.get_submodule(name) for name in crossed(net)]
    assert all((layer.conv.out_channels, layer.lpsc.out_channels) == (8, 8) for layer in layers)
    assert all(layer.conv.bias is None and layer.lpsc.bias is not None for layer in layers)


def test_cross_convolutions_are_where_the_text_has_them():
    assert crossed(CifarResNet(20, variant="lpsc_cc_text")) == ["conv1", "layer1.0.conv1", "layer1.0.conv2"]


def test_only_the_first_layer_has_a_second_bias():
    names = dict(CifarResNet(14, variant="lpsc_cc", separate_bias=True).named_parameters())
    assert [name for name in names if name.endswith("lpsc.bias")] == [
        "conv1.lpsc.bias", "layer1.0.conv1.lpsc.bias", "layer1.1.conv1.lpsc.bias"
    ]  # fmt: skip
    assert [name for name in names if name.endswith("lpsc.conv.bias")] == ["conv1.lpsc.conv.bias"]


def test_names_are_those_of_the_public_program(resnet_names, load):
    names = resnet_names((3, 3, 3), first=3, widths=(16, 32, 64), classes=10)
    with torch.device("meta"):
        assert load(CifarResNet(20), names) == len(names)


def test_own_builders_replace_the_variant_s():
    def first(in_channels, out_channels):
        return LPSConv2d(in_channels, out_channels, 7, padding=3)

    def cross(in_channels, out_channels):
        return CrossConv2d(in_channels, out_channels, 9, padding=4, ratio=25)

    net = CifarResNet(14, variant="lpsc_cc_text", first=first, cross=cross)
    assert net.conv1.kernel_size == (7, 7)
    assert crossed(net) == ["layer1.0.conv1", "layer1.1.conv1"]
    assert isinstance(net.layer1[0].conv2, nn.Conv2d)
    assert net(torch.zeros(1, 3, 32, 32)).shape == (1, 10)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depth": 21}, r"depth must be 6 n \+ 2, such as 20, .* got 21"),
        ({"depth": 2}, "depth must be at least 8, got 2"),
        ({"variant": "cc"}, "variant must be one of"),
        ({"num_classes": 0}, "num_classes must be at least 1"),
        ({"in_channels": 0}, "in_channels must be at least 1"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        CifarResNet(**arguments)
