"""DeepLabv3+ and its MobileNetV2."""

import pytest
import torch
from torch import nn

from lpsc_nd import LPSConv2d
from lpsc_nd.models import DeepLabV3Plus, MobileNetV2

VARIANTS = ["conv", "lpsc", "lpsc_center"]


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("stride", [8, 16])
def test_shapes(variant, stride):
    with torch.device("meta"):
        net = DeepLabV3Plus(6, variant, stride)
    for size in ((65, 65), (97, 50)):
        x = torch.zeros(2, 3, *size, device="meta")
        low, high = net.backbone(x)
        assert net(x).shape == (2, 6, *size)
        finest = [-(-((n - 3) // 2 + 1) // 2) for n in size]  # no padding in the first layer
        assert low.shape == (2, 24, *finest)
        assert high.shape == (2, 320, *(-(-n // (stride // 4)) for n in finest))


def test_one_step_lowers_the_loss(step):
    torch.manual_seed(1)
    target = torch.randint(0, 3, (2, 49, 49))
    before, after = step(DeepLabV3Plus(3, "lpsc_center"), torch.randn(2, 3, 49, 49), target, 0.01)
    assert after < before


def test_mobilenet_has_torchvision_s_names(mobilenet_names, load):
    names = {f"features.{i}.{name}": shape for i, part in mobilenet_names().items() for name, shape in part.items()}
    with torch.device("meta"):
        assert load(MobileNetV2(), names | {"classifier.1.weight": (1000, 1280), "classifier.1.bias": (1000,)}) == 314


def pyramid_names(norm):
    shapes = {}
    for i, (kernel, channels) in enumerate([(1, 320), (3, 320), (3, 320), (3, 320), (1, 320)]):
        conv = f"classifier.aspp.convs.{i}.{1 if i == 4 else 0}"
        shapes |= {f"{conv}.weight": (256, channels, kernel, kernel)}
        shapes |= norm(f"classifier.aspp.convs.{i}.{2 if i == 4 else 1}", 256)
    return shapes | {"classifier.aspp.project.0.weight": (256, 1280, 1, 1)} | norm("classifier.aspp.project.1", 256)


def test_names_are_those_of_the_public_program(mobilenet_names, norm, load):
    places = {i: "low_level_features" if i < 4 else "high_level_features" for i in range(18)}
    names = {
        f"backbone.{places[i]}.{i}.{name}": shape
        for i, part in mobilenet_names(last=17).items()
        for name, shape in part.items()
    }
    names |= {"classifier.project.0.weight": (48, 24, 1, 1)} | norm("classifier.project.1", 48) | pyramid_names(norm)
    names |= {"classifier.classifier.0.weight": (256, 304, 3, 3)} | norm("classifier.classifier.1", 256)
    names |= {"classifier.classifier.3.weight": (21, 256, 1, 1), "classifier.classifier.3.bias": (21,)}
    with torch.device("meta"):
        assert load(DeepLabV3Plus(), names) == len(names)


@pytest.mark.parametrize(
    ("output_stride", "strides", "dilations"),
    [
        (32, [1, 2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1], [1] * 17),
        (16, [1, 2, 1, 2, 1, 1, 2, *[1] * 10], [1] * 14 + [2] * 3),
        (8, [1, 2, 1, 2, *[1] * 13], [1] * 7 + [2] * 7 + [4] * 3),
    ],
)
def test_strides_become_dilation(output_stride, strides, dilations):
    with torch.device("meta"):
        blocks = MobileNetV2(output_stride=output_stride).features[1:-1]
    depthwise = [next(m for m in b.modules() if isinstance(m, nn.Conv2d) and m.groups > 1) for b in blocks]
    assert [conv.stride[0] for conv in depthwise] == strides
    assert [conv.dilation[0] for conv in depthwise] == dilations


def test_mobilenet_classifies():
    with torch.device("meta"):
        assert MobileNetV2(5)(torch.zeros(2, 3, 97, 64)).shape == (2, 5)


def test_a_given_backbone_is_used_and_follows_slowly():
    network = MobileNetV2(output_stride=16)
    net = DeepLabV3Plus(backbone=network)
    assert net.backbone.high_level_features[0] is network.features[4]
    norms = [m for m in net.backbone.modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) == 51
    assert {m.momentum for m in norms} == {0.01}
    assert {m.momentum for m in net.classifier.modules() if isinstance(m, nn.BatchNorm2d)} == {0.1}


def test_branches_are_what_the_variants_say():
    with torch.device("meta"):
        rates = [branch[0].dilation for branch in DeepLabV3Plus(output_stride=8).classifier.aspp.convs[:-1]]
        third = DeepLabV3Plus(variant="lpsc").classifier.aspp.convs[3][0]
        own = DeepLabV3Plus(third=lambda i, o: nn.Conv2d(i, o, 5, padding=2)).classifier.aspp.convs[3][0]
    assert rates == [(1, 1), (12, 12), (24, 24), (36, 36)]
    assert isinstance(third, LPSConv2d)
    assert (third.kernel_size, third.partition.num_regions) == ((9, 9), 16)
    assert third.center_weight is None
    assert own.kernel_size == (5, 5)


@pytest.mark.parametrize(
    ("network", "arguments", "message"),
    [
        (DeepLabV3Plus, {"output_stride": 32}, "output_stride must be 8 or 16, got 32"),
        (DeepLabV3Plus, {"variant": "x"}, "variant must be one of"),
        (DeepLabV3Plus, {"num_classes": 0}, "num_classes must be at least 1"),
        (MobileNetV2, {"output_stride": 4}, "output_stride must be 8, 16 or 32, got 4"),
        (MobileNetV2, {"num_classes": 0}, "num_classes must be at least 1"),
    ],
)
def test_bad_arguments_are_named(network, arguments, message):
    with torch.device("meta"), pytest.raises(ValueError, match=message):
        network(**arguments)
