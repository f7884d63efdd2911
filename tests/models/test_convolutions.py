"""The builders of the convolutions that are compared."""

import pytest
import torch
from torch import nn

from lpsc_nd import LPSConvNd
from lpsc_nd.models import convolutions

SIZE = {1: (11,), 2: (11, 8), 3: (9, 8, 7)}


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize(
    "make", [convolutions.conv, convolutions.dilated, lambda ndim: convolutions.log_polar(ndim, 5)]
)
@pytest.mark.filterwarnings("ignore:.*regions are empty:UserWarning")
def test_convolutions_keep_the_size_and_have_no_bias(ndim, make):
    layer = make(ndim)(2, 3)
    assert layer(torch.zeros(1, 2, *SIZE[ndim])).shape == (1, 3, *SIZE[ndim])
    assert layer.bias is None


def test_options_reach_the_layer():
    assert convolutions.conv(2, (3, 5), bias=True, padding_mode="circular")(2, 2).padding_mode == "circular"
    assert convolutions.dilated(2, 3, (1, 4))(2, 2).dilation == (1, 4)
    layer = convolutions.log_polar(4, 3, num_levels=1, center=False)(2, 2)
    assert isinstance(layer, LPSConvNd)
    assert layer.center_weight is None
    assert layer.ndim == 4


def test_a_dilated_convolution_reads_cells_apart():
    layer = convolutions.dilated(1, 3, 3)(1, 1)
    nn.init.ones_(layer.weight)
    impulse = torch.zeros(1, 1, 11)
    impulse[..., 5] = 1
    assert layer(impulse).nonzero()[:, -1].tolist() == [2, 5, 8]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: convolutions.conv(4), ValueError, "ndim must be one of"),
        (lambda: convolutions.conv(2, 0), ValueError, "kernel_size must be at least 1, got 0"),
        (lambda: convolutions.conv(2, (3, 3, 3)), ValueError, "kernel_size must be one integer or a tuple of 2"),
        (lambda: convolutions.dilated(2, 3, 0), ValueError, "dilation must be at least 1, got 0"),
        (lambda: convolutions.dilated(2, 3, 1.5), TypeError, "dilation must be an integer"),
        (lambda: convolutions.log_polar(0, 5), ValueError, "ndim must be at least 1, got 0"),
        (lambda: convolutions.log_polar(2, "5"), TypeError, "kernel_size must be an integer, got '5'"),
    ],
)
def test_bad_arguments_are_named(make, error, message):
    with pytest.raises(error, match=message):
        make()
