"""CE-Net."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lpsc_nd import LPSConv2d
from lpsc_nd.models import CENet
from lpsc_nd.models.paper.cenet import DenseAtrousConv, MultiKernelPool

VARIANTS = ["conv", "lpsc_1", "lpsc_2", "lpsc_1_no_center", "lpsc_2_no_center"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_shapes(variant):
    with torch.device("meta"):
        net = CENet(2, variant, in_channels=1)
        for size in ((192, 224), (161, 165), (171, 190)):
            assert net(torch.zeros(1, 1, *size)).shape == (1, 2, *size)


def test_one_step_lowers_the_loss(step):
    torch.manual_seed(1)
    target = (torch.rand(1, 1, 161, 161) < 0.2).float()
    before, after = step(CENet(variant="lpsc_1_no_center"), torch.randn(1, 3, 161, 161), target, 0.01)
    assert after < before


def test_the_encoder_has_torchvision_s_names(resnet_names, load):
    with torch.device("meta"):
        assert load(CENet().encoder, resnet_names((3, 4, 6, 3), classes=0)) == 216


def test_the_context_module_shares_its_weights():
    torch.manual_seed(0)
    block = DenseAtrousConv(
        2,
        lambda i, o: nn.Conv2d(i, o, 3, padding=3, dilation=3),
        lambda i, o: nn.Conv2d(i, o, 3, padding=5, dilation=5),
    )
    w = block.state_dict()

    def atrous(x, number, rate):
        return F.conv2d(x, w[f"dilate{number}.weight"], w[f"dilate{number}.bias"], padding=rate, dilation=rate)

    def point(x):
        return F.conv2d(x, w["conv1x1.weight"], w["conv1x1.bias"])

    x = torch.randn(1, 2, 11, 13)
    d1 = atrous(x, 1, 1)
    d31 = atrous(d1, 2, 3)
    cascades = [d1, point(atrous(x, 2, 3)), point(d31), point(atrous(d31, 3, 5))]
    torch.testing.assert_close(block(x), x + sum(y.relu() for y in cascades))
    assert len(w) == 8


def test_the_pyramid_of_maxima():
    pyramid = MultiKernelPool(3)
    x = torch.full((1, 3, 7, 9), 2.0)
    y = pyramid(x)
    assert y.shape == (1, 7, 7, 9)
    torch.testing.assert_close(y[:, 4:], x)
    torch.testing.assert_close(y[:, :4], pyramid.conv(x).expand(-1, 4, -1, -1))


def test_too_small_an_image_is_named():
    with (
        pytest.raises(ValueError, match=r"at least 6 x 6 .* images of at least 161\), got \(5, 6\)"),
        torch.device("meta"),
    ):
        CENet()(torch.zeros(1, 3, 160, 192))


def test_the_wide_convolutions_are_what_the_variants_say():
    with torch.device("meta"):
        first, second = (CENet(variant=variant).dblock for variant in ("lpsc_1", "lpsc_2"))
        own = CENet(middle=lambda i, o: nn.Conv2d(i, o, 1), wide=lambda i, o: nn.Conv2d(i, o, 5, padding=2)).dblock
    layers = [first.dilate2, first.dilate3, second.dilate2, second.dilate3]
    assert all(isinstance(layer, LPSConv2d) for layer in layers)
    assert [layer.kernel_size[0] for layer in layers] == [5, 11, 9, 15]
    assert [layer.partition.num_regions for layer in layers] == [12, 12, 24, 24]
    assert [own.dilate2.kernel_size, own.dilate3.kernel_size] == [(1, 1), (5, 5)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"variant": "lpsc"}, "variant must be one of"),
        ({"num_classes": 0}, "num_classes must be at least 1"),
        ({"in_channels": 0}, "in_channels must be at least 1"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with torch.device("meta"), pytest.raises(ValueError, match=message):
        CENet(**arguments)
