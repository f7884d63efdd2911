"""ResNet-18 and ResNet-34: torchvision's names, and the paper's replacements."""

import pytest
import torch

from lpsc_nd import CrossConv2d
from lpsc_nd.models import ImageNetResNet, ResNetEncoder

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}


@pytest.mark.parametrize("variant", ["conv", "lpsc", "lpsc_cc_25", "lpsc_cc_50"])
def test_shapes(variant):
    with torch.device("meta"):
        net = ImageNetResNet(18, 12, variant)
    for size in ((224, 224), (65, 50), (33, 33)):
        x = torch.zeros(2, 3, *size, device="meta")
        assert net(x).shape == (2, 12)
        assert net.conv1(x).shape == (2, 64, *(-(-n // 2) for n in size))


@pytest.mark.parametrize("variant", ["lpsc", "lpsc_cc_25"])
def test_one_step_lowers_the_loss(variant, step):
    torch.manual_seed(1)
    before, after = step(ImageNetResNet(18, 4, variant), torch.randn(4, 3, 48, 48), torch.arange(4), 0.01)
    assert after < before


@pytest.mark.parametrize(("depth", "entries"), [(18, 122), (34, 218)])
def test_names_are_torchvision_s(depth, entries, resnet_names, load):
    with torch.device("meta"):
        assert load(ImageNetResNet(depth), resnet_names(BLOCKS[depth])) == entries
        assert load(ResNetEncoder(depth), resnet_names(BLOCKS[depth], classes=0)) == entries - 2


@pytest.mark.parametrize("change", ["missing", "unexpected", "shape"])
def test_other_names_and_shapes_are_refused(change, resnet_names, load):
    names = resnet_names(BLOCKS[18])
    shape = names.pop("layer2.0.downsample.0.weight")
    names |= {"missing": {}, "unexpected": {"layer2.0.shortcut.0.weight": shape}, "shape": {"fc.bias": (7,)}}[change]
    with torch.device("meta"), pytest.raises(RuntimeError, match=r"layer2.0.downsample.0.weight"):
        load(ImageNetResNet(18), names)


@pytest.mark.parametrize(
    ("variant", "first", "block"), [("lpsc_cc_25", (48, 16), (48, 16)), ("lpsc_cc_50", (32, 32), (32, 32))]
)
def test_cross_convolutions_are_where_the_paper_has_them(variant, first, block):
    with torch.device("meta"):
        net = ImageNetResNet(variant=variant)
    layers = {name: part for name, part in net.named_modules() if isinstance(part, CrossConv2d)}
    assert list(layers) == ["conv1", "layer1.0.conv1", "layer1.1.conv1"]
    counts = [(layer.conv.out_channels, layer.lpsc.out_channels) for layer in layers.values()]
    assert counts == [first, block, block]
    assert [layer.conv.kernel_size for layer in layers.values()] == [(7, 7), (3, 3), (3, 3)]
    assert [layer.conv.padding for layer in layers.values()] == [(3, 3), (1, 1), (1, 1)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depth": 50}, r"depth must be one of \[18, 34\], got 50"),
        ({"variant": "dilated"}, "variant must be one of"),
        ({"num_classes": 0}, "num_classes must be at least 1"),
        ({"in_channels": 0}, "in_channels must be at least 1"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with torch.device("meta"), pytest.raises(ValueError, match=message):
        ImageNetResNet(**arguments)
