"""Networks of equal size: the laws of widths that follow a budget."""

import math
import warnings

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from lpsc_nd.models import ResidualNet, UNet, convolutions
from lpsc_nd.models.budget import widths_within

BUILDERS = {
    "conv": lambda ndim: convolutions.conv(ndim, 3),
    "dilated": lambda ndim: convolutions.dilated(ndim, 3, 2),
    "log_polar": lambda ndim: convolutions.log_polar(ndim, 7, num_directions=((2, 4) if ndim == 3 else 2)),
}
NETWORKS = [ResidualNet, UNet]


def size(network):
    return sum(parameter.numel() for parameter in network.parameters())


def next_widths(proportions, widths):
    """The widths at the next larger factor at which one of them changes, by trying fractions of every width."""
    borders = [(width + 0.5) / share for width, share in zip(widths, proportions, strict=True)]
    factor = min(borders) * (1 + 1e-12)
    return tuple(max(1, math.floor(factor * share + 0.5)) for share in proportions)


@st.composite
def cases(draw):
    ndim = draw(st.integers(1, 3))
    proportions = tuple(draw(st.lists(st.integers(1, 9), min_size=1, max_size=3)))
    return ndim, draw(st.sampled_from(sorted(BUILDERS))), proportions, draw(st.integers(1, 2))


@pytest.mark.parametrize("network", NETWORKS)
@given(case=cases(), share=st.floats(1.0, 20.0))
def test_the_largest_network_within_the_budget(network, case, share):
    ndim, name, proportions, blocks = case
    conv = BUILDERS[name](ndim)
    with torch.device("meta"), warnings.catch_warnings():
        warnings.simplefilter("error")
        smallest = size(network(ndim, conv, 1, 2, (1,) * len(proportions), blocks))
        budget = int(smallest * share)
        fitted = network(ndim, conv, 1, 2, proportions, blocks, budget=budget)
        larger = network(ndim, conv, 1, 2, next_widths(proportions, fitted.widths), blocks)
    assert size(fitted) <= budget < size(larger)


@given(proportions=st.lists(st.integers(1, 50), min_size=1, max_size=4), budget=st.integers(4, 10**6))
def test_one_factor_gives_all_widths(proportions, budget):
    widths = widths_within(budget, proportions, lambda widths: nn.Embedding(sum(widths), 1))
    lowest = (
        max((width - 0.5) / share for width, share in zip(widths, proportions, strict=True) if width > 1)
        if max(widths) > 1
        else 0.0
    )
    highest = min((width + 0.5) / share for width, share in zip(widths, proportions, strict=True))
    assert lowest < highest
    assert sum(widths) <= budget


def test_a_budget_of_the_network_itself_changes_nothing():
    conv = convolutions.conv(2)
    plain = ResidualNet(2, conv, 1, 10, (16, 32))
    torch.manual_seed(3)
    fitted = ResidualNet(2, conv, 1, 10, (16, 32), budget=size(plain))
    torch.manual_seed(3)
    again = ResidualNet(2, conv, 1, 10, (16, 32))
    assert fitted.widths == (16, 32)
    assert all(torch.equal(a, b) for a, b in zip(fitted.parameters(), again.parameters(), strict=True))


@pytest.mark.parametrize("network", NETWORKS)
def test_counting_draws_no_numbers_and_leaves_no_trace(network):
    state = torch.get_rng_state()
    with torch.device("meta"):
        network(2, convolutions.log_polar(2, 9), 1, 10, (16, 32), budget=20_000)
    assert torch.equal(torch.get_rng_state(), state)
    fitted = network(2, convolutions.log_polar(2, 9), 1, 10, (16, 32), budget=20_000)
    assert {parameter.device.type for parameter in fitted.parameters()} == {"cpu"}
    assert fitted(torch.zeros(2, 1, 12, 12)).shape[:2] == (2, 10)


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("network", NETWORKS)
def test_three_kinds_of_convolution_with_one_budget(network, ndim):
    with torch.device("meta"):
        sizes = [size(network(ndim, BUILDERS[name](ndim), 1, 4, (16, 32), budget=50_000)) for name in BUILDERS]
    assert all(0.95 * 50_000 < count <= 50_000 for count in sizes)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"budget": 30}, ValueError, r"budget must be at least \d+, .* widths \[1, 1\], got 30"),
        ({"budget": 0}, ValueError, "budget must be at least 1, got 0"),
        ({"budget": 1e4}, TypeError, "budget must be an integer, got 10000.0"),
        ({"budget": True}, TypeError, "budget must be an integer"),
    ],
)
def test_bad_budgets_are_named(network, arguments, error, message):
    with pytest.raises(error, match=message):
        network(2, convolutions.conv(2), 1, 10, (4, 8), **arguments)
