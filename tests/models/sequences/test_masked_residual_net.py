"""The network for unequal lengths: each series has the scores, gradients and statistics that it has without filling."""

import copy
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from lpsc_nd import LPSConv1d
from lpsc_nd.models import ResidualNet
from lpsc_nd.models.sequences.masked_residual_net import MaskedResidualNet

CONVS = {
    "conv": partial(nn.Conv1d, kernel_size=5, padding=2),
    "dilated": partial(nn.Conv1d, kernel_size=3, padding=2, dilation=2, bias=False),
    "lpsc": partial(LPSConv1d, kernel_size=9, padding=4, num_levels=2),
    "lpsc max": partial(LPSConv1d, kernel_size=9, padding=4, num_levels=2, reduction="max"),
}
SHAPE = {"in_channels": 2, "num_classes": 4, "widths": (3, 5, 4), "blocks": 2}


@pytest.fixture(autouse=True)
def _double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def network(kind, seed=0):
    """A network whose statistics are not the initial ones, and its twin without a mask."""
    torch.manual_seed(seed)
    plain = ResidualNet(1, CONVS[kind], **SHAPE)
    for module in plain.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
            nn.init.normal_(module.bias)
    own = MaskedResidualNet(CONVS[kind], **{**SHAPE, "in_channels": SHAPE["in_channels"] + 1})
    own.load_state_dict(plain.state_dict())
    return own, plain


def batch(lengths, more=0, filling=0.0, seed=0):
    """Series of these lengths, and one tensor of them all, filled up and with a mask."""
    generator = torch.Generator().manual_seed(seed)
    series = [torch.randn(SHAPE["in_channels"], length, generator=generator) for length in lengths]
    x = torch.full((len(lengths), SHAPE["in_channels"] + 1, max(lengths) + more), filling)
    x[:, -1] = 0
    for row, values in zip(x, series, strict=True):
        row[:-1, : values.shape[1]] = values
        row[-1, : values.shape[1]] = 1
    return series, x


lengths = st.lists(st.integers(1, 23), min_size=1, max_size=5)


@given(lengths=lengths, more=st.integers(0, 9), kind=st.sampled_from(sorted(CONVS)), seed=st.integers(0, 99))
def test_scores_are_those_of_each_series_alone(lengths, more, kind, seed):
    own, plain = (net.eval() for net in network(kind, seed))
    series, x = batch(lengths, more, filling=float("nan"), seed=seed)
    alone = torch.cat([plain(values[None]) for values in series])
    torch.testing.assert_close(own(x), alone)


@given(lengths=lengths, more=st.integers(1, 9), kind=st.sampled_from(["conv", "lpsc"]), seed=st.integers(0, 99))
def test_filling_changes_neither_training_scores_nor_gradients_nor_statistics(lengths, more, kind, seed):
    own, _ = network(kind, seed)
    other = copy.deepcopy(own)
    lengths = [*lengths, 12]  # statistics want more than one position on the last stage
    _, x = batch(lengths, seed=seed)
    _, filled = batch(lengths, more, filling=5.0, seed=seed)
    first, second = own(x), other(filled)
    torch.testing.assert_close(first, second)
    for scores in (first, second):
        scores.square().sum().backward()
    for one, two in zip(own.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(one.grad, two.grad)
    torch.testing.assert_close(own.state_dict(), other.state_dict())


@given(length=st.integers(5, 30), count=st.integers(1, 4), training=st.booleans(), seed=st.integers(0, 99))
def test_without_filling_it_is_the_residual_network(length, count, training, seed):
    own, plain = (net.train(training) for net in network("lpsc", seed))
    series, x = batch([length] * count, seed=seed)
    torch.testing.assert_close(own(x), plain(torch.stack(series)))
    torch.testing.assert_close(own.state_dict(), plain.state_dict())
    torch.testing.assert_close(own.features(x), plain.features(torch.stack(series)))


def test_on_the_meta_device_shapes_are_those_without_filling():
    own, plain = (net.to("meta") for net in network("lpsc"))
    x = torch.zeros(2, 3, 21, device="meta")
    assert own(x).shape == plain(x[:, :-1]).shape
    assert own.features(x).shape == plain.features(x[:, :-1]).shape


def test_the_plain_network_would_see_the_filling():
    """The laws above can fail: without a mask the scores are others."""
    _, plain = network("lpsc")
    series, x = batch([7, 12])
    alone = torch.cat([plain.eval()(values[None]) for values in series])
    assert not torch.allclose(plain(x[:, :-1]), alone)


@pytest.mark.parametrize(
    "mask",
    [[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 0.5, 0], [1, float("nan"), 0]],
    ids=["empty", "late", "gap", "half", "nan"],
)
def test_a_channel_that_is_no_mask_is_refused(mask):
    x = torch.ones(2, 3, 3)
    x[1, -1] = torch.tensor(mask)
    with pytest.raises(ValueError, match="last channel must be a mask, 1 on a series of at least one position"):
        network("conv")[0](x)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"in_channels": 1}, "in_channels must be at least 2, the series' own and the mask, got 1"),
        ({"num_classes": 0}, "num_classes must be at least 1, got 0"),
        ({"conv": partial(nn.Conv1d, kernel_size=3, padding=1, padding_mode="circular")}, "conv must pad with zeros"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        MaskedResidualNet(**{"conv": CONVS["conv"], "in_channels": 2, "num_classes": 3, **arguments})
