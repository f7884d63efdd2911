"""The residual network and its blocks."""

from functools import partial

import pytest
import torch
from torch import nn

from lpsc_nd import LPSConv2d
from lpsc_nd.models import ResidualBlock, ResidualNet
from lpsc_nd.models.builder import torch_layers

CONV3 = partial(nn.Conv2d, kernel_size=3, padding=1, bias=False)
LPSC5 = partial(LPSConv2d, kernel_size=5, padding=2, growth=3.0, convention="official", bias=False)
CONVS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("side", [8, 5, 3])
def test_shapes_in_every_dimension(ndim, side):
    net = ResidualNet(ndim, partial(CONVS[ndim], kernel_size=3, padding=1), 2, 7, widths=(4, 6, 8)).eval()
    x = torch.randn(3, 2, *[side] * ndim)
    assert net(x).shape == (3, 7)
    assert net.features(x).shape == (3, 8, *[-(-side // 4)] * ndim)


@pytest.mark.parametrize("conv", [CONV3, LPSC5], ids=["conv", "lpsc"])
def test_every_parameter_gets_a_gradient(conv):
    net = ResidualNet(2, conv, 1, 10, widths=(4, 8))
    net(torch.randn(4, 1, 8, 8)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())


def test_every_window_comes_from_the_builder():
    asked = []

    def conv(in_channels, out_channels):
        asked.append((in_channels, out_channels))
        return CONV3(in_channels, out_channels)

    net = ResidualNet(2, conv, 1, 10, widths=(4, 8), blocks=2)
    assert asked == [(1, 4), *[(4, 4)] * 4, (4, 8), *[(8, 8)] * 3]
    windows = [m for m in net.modules() if isinstance(m, nn.Conv2d) and m.kernel_size != (1, 1)]
    assert len(windows) == len(asked)


def test_parameters_are_those_counted_by_hand():
    net = ResidualNet(2, CONV3, 1, 10, widths=(4, 6))
    windows = 9 * (1 * 4 + 2 * 4 * 4 + 4 * 6 + 6 * 6)
    norms = 2 * (3 * 4 + 3 * 6)  # stem, two of each block, one of the shortcut
    assert sum(p.numel() for p in net.parameters()) == windows + 4 * 6 + norms + 6 * 10 + 10


def test_a_block_without_weights_passes_its_input_through_the_shortcut():
    block = ResidualBlock(CONV3, 3, 3, torch_layers(2)).eval()
    for conv in (block.conv1, block.conv2):
        nn.init.zeros_(conv.weight)
    x = torch.randn(2, 3, 4, 4)
    torch.testing.assert_close(block(x), x.relu())


def test_a_convolution_that_changes_the_size_is_named():
    net = ResidualNet(2, partial(nn.Conv2d, kernel_size=3), 1, 10)
    with pytest.raises(ValueError, match=r"conv must keep the spatial size: got \(2, 2\) from \(6, 6\)"):
        net(torch.randn(2, 1, 8, 8))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"in_channels": 0}, "in_channels must be at least 1, got 0"),
        ({"num_classes": 0}, "num_classes must be at least 1, got 0"),
        ({"blocks": 0}, "blocks must be at least 1, got 0"),
        ({"widths": ()}, r"widths must have at least one axis, got \(\)"),
        ({"widths": (4, 0)}, r"widths\[1\] must be at least 1, got 0"),
        ({"ndim": 4}, "ndim must be one of"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        ResidualNet(**{"ndim": 2, "conv": CONV3, "in_channels": 1, "num_classes": 10} | arguments)
