"""Networks as configuration files name them: by variant, or by the classes of their convolutions."""

import pytest
from jsonargparse import ArgumentError, ArgumentParser
from torch import nn

from lpsc_nd import CrossConv2d, LPSConv2d
from lpsc_nd.models import VGG19, AlexNet, CENet, CifarResNet, DeepLabV3Plus, ImageNetResNet, SimpleVGG

# a name that all supported versions have
pytestmark = pytest.mark.filterwarnings("ignore::jsonargparse._deprecated.JsonargparseDeprecationWarning")

LPSC = {"class_path": "lpsc_nd.LPSConv2d", "init_args": {"kernel_size": 13, "padding": 6, "num_levels": 3}}
CROSS = {"class_path": "lpsc_nd.CrossConv2d", "init_args": {"kernel_size": 9, "padding": 4, "ratio": 25}}

NEAREST = {"num_directions": 6, "padding": "same"}


def instantiate(name, **arguments):
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(nn.Module, "network")
    parsed = parser.parse_object({"network": {"class_path": f"lpsc_nd.models.{name}", "init_args": arguments}})
    return parser.instantiate_classes(parsed).network


@pytest.mark.parametrize(
    ("network", "arguments"),
    [
        (AlexNet, {"variant": "lpsc", "num_classes": 100}),
        (VGG19, {"variant": "dilated"}),
        (CifarResNet, {"depth": 20, "variant": "lpsc_cc"}),
        (ImageNetResNet, {"depth": 18, "variant": "lpsc_cc_25"}),
        (DeepLabV3Plus, {"variant": "lpsc", "output_stride": 16}),
        (CENet, {"variant": "lpsc_2", "separate_bias": True}),
        (SimpleVGG, {"variant": "lpsc"}),
    ],
)
def test_by_variant(network, arguments):
    made = instantiate(network.__name__, **arguments)
    assert type(made) is network
    assert sum(p.numel() for p in made.parameters()) == sum(p.numel() for p in network(**arguments).parameters())


def test_by_classes():
    net = instantiate("CifarResNet", depth=14, first=LPSC, cross=CROSS)
    assert isinstance(net.conv1, LPSConv2d)
    assert net.conv1.partition.num_levels == 3
    assert isinstance(net.layer1[1].conv1, CrossConv2d)
    assert net.layer1[1].conv1.lpsc.out_channels == 4
    assert isinstance(net.layer1[1].conv2, nn.Conv2d)


@pytest.mark.parametrize(
    ("conv", "window"),
    [
        ({"class_path": "lpsc_nd.LPSConv3d", "init_args": {"radius": 6, "spacing": [3, 1, 1], **NEAREST}}, (5, 13, 13)),
        (
            {"class_path": "lpsc_nd.models.convolutions.log_polar", "init_args": {"ndim": 3, "kernel_size": 7}},
            (7, 7, 7),
        ),
        ({"class_path": "lpsc_nd.models.convolutions.conv", "init_args": {"ndim": 3}}, (3, 3, 3)),
    ],
)
def test_a_budget_with_any_builder(conv, window):
    net = instantiate("UNet", ndim=3, conv=conv, in_channels=1, num_classes=2, widths=[2, 3], budget=5000)
    assert net.stem[0].kernel_size == window
    assert 4000 < sum(parameter.numel() for parameter in net.parameters()) <= 5000


def test_an_unknown_variant_is_refused():
    with pytest.raises(ArgumentError, match=r"variant[\s\S]*'conv', 'dilated', 'lpsc'"):
        instantiate("AlexNet", variant="lps")
