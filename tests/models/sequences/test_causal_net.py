"""Forecasting networks: no output depends on a later input, and every output depends on earlier ones."""

from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from lpsc_nd import LPSConv1d
from lpsc_nd.models.sequences.causal_conv import CausalConv1d
from lpsc_nd.models.sequences.causal_net import CausalNet, ChannelNorm

WIDE = partial(CausalConv1d, kernel_size=3, dilation=2)


@given(
    kernel_size=st.integers(1, 6), dilation=st.integers(1, 4), length=st.integers(1, 20), channels=st.integers(1, 3),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_a_causal_convolution_is_the_sum_over_the_past(kernel_size, dilation, length, channels, seed):
    torch.manual_seed(seed)
    layer = CausalConv1d(channels, 2, kernel_size, dilation).double()
    x = torch.randn(1, channels, length, dtype=torch.float64)
    y = layer(x)
    assert y.shape == (1, 2, length)
    for time in range(length):
        expected = layer.bias.clone()
        for cell in range(kernel_size):
            past = time - dilation * (kernel_size - 1 - cell)
            if past >= 0:
                expected = expected + layer.weight[:, :, cell] @ x[0, :, past]
        torch.testing.assert_close(y[0, :, time], expected)


conventional = st.builds(partial, st.just(CausalConv1d), kernel_size=st.integers(1, 5), dilation=st.integers(1, 3))
log_polar = st.builds(
    partial, st.just(LPSConv1d), kernel_size=st.sampled_from([5, 9, 17, 33]), padding=st.just("same"),
    num_levels=st.integers(1, 2), growth=st.sampled_from([1.5, 2.0]), dilation=st.integers(1, 2), causal=st.just(True),
    reduction=st.sampled_from(["mean", "sum", "max"]), engine=st.sampled_from(["auto", "reference"]),
)  # fmt: skip


@given(
    conv=conventional | log_polar, blocks=st.integers(1, 3), length=st.integers(2, 40), training=st.booleans(),
    seed=st.integers(0, 99), data=st.data(),
)  # fmt: skip
def test_the_output_never_depends_on_the_future(conv, blocks, length, training, seed, data):
    torch.manual_seed(seed)
    net = CausalNet(conv, 2, 3, width=4, blocks=blocks).train(training)
    time = data.draw(st.integers(1, length - 1))
    x = torch.randn(2, 2, length)
    other = x.clone()
    other[..., time:] = 1e3 * torch.randn(2, 2, length - time)
    y, z = net(x), net(other)
    torch.testing.assert_close(y[..., :time], z[..., :time], rtol=1e-5, atol=1e-6)
    assert not torch.allclose(y[..., time], z[..., time])


def test_batch_statistics_would_let_the_future_in():
    """The law above can fail, and does for the usual normalisation in training."""
    torch.manual_seed(0)
    net = CausalNet(WIDE, 1, 1, width=4, blocks=1)
    net.blocks[0].norm1 = nn.BatchNorm1d(4)
    x = torch.randn(1, 1, 20)
    other = x.clone()
    other[..., 10:] = 5
    assert not torch.allclose(net(x)[..., :10], net(other)[..., :10])
    net.eval()
    torch.testing.assert_close(net(x)[..., :10], net(other)[..., :10])


@given(length=st.integers(30, 50), time=st.integers(25, 29), seed=st.integers(0, 99))
def test_the_whole_past_within_the_field_counts(length, time, seed):
    torch.manual_seed(seed)
    x = torch.randn(1, 1, length, requires_grad=True)
    CausalNet(WIDE, 1, 1, width=8, blocks=2)(x)[0, 0, time].backward()
    field = 5 * 4  # five layers, each four steps back
    steps_back = torch.arange(0, field + 1, 2)  # windows of every second cell meet every second value
    assert x.grad[0, 0, time - steps_back].all()
    assert not x.grad[0, 0, time + 1 :].any()
    assert not x.grad[0, 0, : time - field].any()


def test_normalisation_is_that_of_the_channels_of_each_position():
    x = torch.randn(3, 5, 7)
    y = ChannelNorm(5)(x)
    expected = (x - x.mean(dim=1, keepdim=True)) / (x.var(dim=1, keepdim=True, correction=0) + 1e-5).sqrt()
    torch.testing.assert_close(y, expected)


def test_every_parameter_gets_a_gradient():
    net = CausalNet(WIDE, 2, 3)
    net(torch.randn(4, 2, 32)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())


def test_a_network_on_the_meta_device_is_built_unchecked():
    with torch.device("meta"):
        assert CausalNet(WIDE, 1, 1)(torch.zeros(1, 1, 9)).shape == (1, 1, 9)


def test_building_draws_no_random_numbers_but_the_parameters():
    torch.manual_seed(0)
    CausalNet(WIDE, 1, 1, width=2, blocks=1)
    after = torch.rand(())
    torch.manual_seed(0)
    for sizes in ((1, 2), (2, 2), (2, 2)):
        WIDE(*sizes)
    nn.Conv1d(2, 1, 1)
    assert torch.rand(()) == after


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"conv": partial(nn.Conv1d, kernel_size=3, padding=1)},
            ValueError,
            "conv must be causal, got one whose output",
        ),
        (
            {"conv": partial(LPSConv1d, kernel_size=9, padding=4)},
            ValueError,
            "conv must be causal, got one whose output",
        ),
        ({"conv": partial(nn.Conv1d, kernel_size=3)}, ValueError, "conv must keep the length, got 62 from 64"),
        ({"in_channels": 0}, ValueError, "in_channels must be at least 1, got 0"),
        ({"out_channels": 0}, ValueError, "out_channels must be at least 1, got 0"),
        ({"width": 2.0}, TypeError, "width must be an integer, got 2.0"),
        ({"blocks": 0}, ValueError, "blocks must be at least 1, got 0"),
        ({"conv": partial(CausalConv1d, kernel_size=0)}, ValueError, "kernel_size must be at least 1, got 0"),
        ({"conv": partial(CausalConv1d, kernel_size=3, dilation=0)}, ValueError, "dilation must be at least 1, got 0"),
    ],
)
def test_bad_arguments_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        CausalNet(**{"conv": WIDE, "in_channels": 1, "out_channels": 1, **arguments})
