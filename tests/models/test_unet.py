"""The small encoder and decoder."""

from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from lpsc_nd import LPSConv2d
from lpsc_nd.models import UNet

CONVS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
CONV3 = partial(nn.Conv2d, kernel_size=3, padding=1, bias=False)


@st.composite
def networks_and_inputs(draw):
    ndim = draw(st.integers(1, 3))
    widths = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    size = draw(st.lists(st.integers(4, 7), min_size=ndim, max_size=ndim))
    batch, channels, classes = (draw(st.integers(1, 3)) for _ in range(3))
    conv = partial(CONVS[ndim], kernel_size=3, padding=1)
    network = UNet(ndim, conv, channels, classes, widths, blocks=draw(st.integers(1, 2)))
    return network.eval(), torch.randn(batch, channels, *size), classes


@given(networks_and_inputs())
def test_every_cell_gets_a_score_per_class(drawn):
    network, x, classes = drawn
    scores = network(x)
    assert scores.shape == (len(x), classes, *x.shape[2:])
    assert scores.isfinite().all()


@given(networks_and_inputs())
def test_samples_do_not_see_each_other(drawn):
    network, x, _ = drawn
    alone = torch.cat([network(sample[None]) for sample in x])
    torch.testing.assert_close(network(x), alone, rtol=1e-4, atol=1e-5)


def test_every_parameter_gets_a_gradient():
    network = UNet(2, CONV3, 3, 2, (4, 5, 6))
    network(torch.randn(2, 3, 9, 10)).square().sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in network.parameters())


def test_the_finest_stage_reaches_the_scores_past_the_coarser_ones():
    network = UNet(2, CONV3, 1, 1, (2, 3)).eval()
    x = torch.randn(1, 1, 8, 8, requires_grad=True)
    with torch.no_grad():
        for stage in network.encoder[1:]:
            for parameter in stage.parameters():
                parameter.zero_()
    network(x).sum().backward()
    assert x.grad.abs().sum() > 0


def test_all_windows_come_from_the_builder():
    network = UNet(2, partial(LPSConv2d, kernel_size=9, padding=4), 3, 1, (4, 6), blocks=2)
    kinds = [type(module) for module in network.modules() if isinstance(module, (nn.Conv2d, LPSConv2d))]
    assert kinds.count(LPSConv2d) == 1 + 2 * 2 * 2 + 2
    assert all(m.kernel_size == (1, 1) for m in network.modules() if isinstance(m, nn.Conv2d))


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
        UNet(**{"ndim": 2, "conv": CONV3, "in_channels": 1, "num_classes": 1} | arguments)
