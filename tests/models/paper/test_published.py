"""The layers of the published experiments: paddings, second biases."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from lpsc_nd import LPSConv2d
from lpsc_nd.models.paper.published import Field, conv2d, cross2d, lpsc2d
from lpsc_nd.models.paper.second_bias import SecondBias

FIELD = Field(9, 2, 6, 3.0)


@given(
    kernel_size=st.integers(1, 6), dilation=st.integers(1, 3), stride=st.integers(1, 4),
    height=st.integers(1, 20), width=st.integers(1, 20),
)  # fmt: skip
def test_the_size_is_kept_up_to_the_stride(kernel_size, dilation, stride, height, width):
    with torch.device("meta"):
        y = conv2d(kernel_size, stride, dilation=dilation)(2, 3)(torch.zeros(1, 2, height, width))
    assert y.shape == (1, 3, -(-height // stride), -(-width // stride))


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning")
def test_an_even_window_pads_as_same_does():
    torch.manual_seed(0)
    layer = conv2d(4, dilation=3, bias=True)(2, 3)
    same = nn.Conv2d(2, 3, 4, padding="same", dilation=3)
    same.load_state_dict(layer.state_dict())
    x = torch.randn(2, 2, 11, 12)
    torch.testing.assert_close(layer(x), same(x))


def test_the_second_bias_is_added():
    layer = lpsc2d(FIELD, stride=2, second_bias=True)(3, 4)
    assert isinstance(layer, SecondBias)
    x = torch.randn(2, 3, 12, 12)
    torch.testing.assert_close(layer(x), layer.conv(x))
    with torch.no_grad():
        layer.bias.copy_(torch.arange(4.0))
    torch.testing.assert_close(layer(x), layer.conv(x) + torch.arange(4.0).view(1, 4, 1, 1))
    torch.testing.assert_close(layer(x[0]), layer(x)[0])


def test_a_second_bias_needs_a_first():
    with pytest.raises(ValueError, match="conv must have a bias before it gets a second one, got bias=False"):
        SecondBias(LPSConv2d(1, 1, 9, bias=False))


def test_only_log_polar_filters_of_a_cross_convolution_have_biases():
    layer = cross2d(FIELD, 3, 25, second_bias=True)(4, 8)
    shapes = {name: tuple(p.shape) for name, p in layer.named_parameters() if p.ndim == 1}
    assert shapes == {"lpsc.bias": (2,), "lpsc.conv.bias": (2,)}
    assert layer(torch.zeros(1, 4, 10, 10)).shape == (1, 8, 10, 10)
