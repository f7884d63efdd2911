"""Receptive fields, against those known by arithmetic and from the paper's Fig. 5."""

from functools import partial

import pytest
import torch
from torch import nn

from lpsc_nd import LPSConv2d
from lpsc_nd.inspect import receptive_field
from lpsc_nd.models import ResidualNet


@pytest.mark.parametrize(
    ("layer", "shape", "expected"),
    [
        (nn.Conv1d(2, 3, 7), (2, 20), (7,)),
        (nn.Conv2d(1, 1, (3, 5), padding=2), (1, 20, 20), (3, 5)),
        (nn.Conv2d(1, 1, 3, dilation=(2, 4)), (1, 20, 20), (5, 9)),
        (nn.Conv3d(1, 1, (1, 3, 5)), (1, 9, 9, 9), (1, 3, 5)),
        (nn.Conv2d(4, 4, 3, groups=4), (4, 9, 9), (3, 3)),
        (nn.AvgPool2d(2), (1, 8, 8), (2, 2)),
        (LPSConv2d(1, 2, 9, padding=4), (1, 33, 33), (9, 9)),
        (LPSConv2d(1, 2, 5, padding=4, dilation=3, convention="official"), (1, 33, 33), (13, 13)),
    ],
)
def test_layers(layer, shape, expected):
    assert receptive_field(layer, shape) == expected


def early_layers(first, second):
    return nn.Sequential(
        first, nn.ReLU(), second, nn.ReLU(), nn.AvgPool2d(2), nn.Conv2d(8, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3)
    )


def test_the_paper_s_convolution_network_sees_14_by_14():
    assert receptive_field(early_layers(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3)), (3, 96, 96)) == (14, 14)


@pytest.mark.parametrize("sizes", [(9, 5), (7, 7), (5, 5)])
def test_log_polar_layers_add_their_sizes(sizes):
    build = partial(LPSConv2d, convention="official")
    network = early_layers(build(3, 8, sizes[0]), build(8, 8, sizes[1]))
    assert receptive_field(network, (3, 96, 96)) == (sum(sizes) + 8,) * 2


def test_a_trained_network_is_left_as_it_was_and_rectifiers_do_not_hide_the_field():
    network = ResidualNet(2, partial(nn.Conv2d, kernel_size=3, padding=1), 1, 2, widths=(4,))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(-1.0)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    features = nn.Sequential(network.stem, network.stages)
    assert receptive_field(features, (1, 16, 16)) == (7, 7)
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_the_field_is_cut_by_the_input():
    assert receptive_field(nn.Conv2d(1, 1, 9, padding=4), (1, 6, 6)) == (6, 6)


class Constant(nn.Module):
    """Ignores its input."""

    def forward(self, x):
        return torch.ones_like(x) + 0 * x


def test_no_dependence_is_a_field_of_zero():
    assert receptive_field(Constant(), (1, 4, 4)) == (0, 0)


def test_an_output_without_positions_is_refused():
    with pytest.raises(ValueError, match=r"got an output of shape \(1, 10\)"):
        receptive_field(ResidualNet(2, partial(nn.Conv2d, kernel_size=3, padding=1), 1, 10), (1, 8, 8))
