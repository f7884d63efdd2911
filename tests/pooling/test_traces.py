"""Graphs of ``torch.jit.trace`` and ``make_fx``: PyTorch's own operators, of the weights that there are when run."""

import copy

import pytest
import torch
from torch.fx.experimental.proxy_tensor import make_fx
from torch.testing import assert_close

from lpsc_nd import LogPolarPool2d, LPSConv1d, LPSConv2d, LPSConv3d
from lpsc_nd.layers.cross import CrossConv2d
from lpsc_nd.pooling import repeated

pytestmark = pytest.mark.filterwarnings(
    "ignore:`torch.jit.* is deprecated:DeprecationWarning",
    "ignore:.*might cause the trace to be incorrect",  # sizes are looked at, as nn.Conv looks at its padding
)

LAYERS = {
    "1d": LPSConv1d(2, 4, 9, padding=4, num_levels=1),
    "2d": LPSConv2d(2, 4, 5, 2, 2, num_levels=1),
    "3d": LPSConv3d(2, 4, 3, padding=1, num_levels=1, num_directions=6),
    "depthwise": LPSConv2d(4, 4, 5, padding=2, groups=4, num_levels=1),
    "circular": LPSConv2d(2, 4, 5, padding=2, padding_mode="circular", num_levels=1),
    "cross": CrossConv2d(2, 4, 9, padding=4),
}


@pytest.mark.parametrize("with_graph", [False, True])
@pytest.mark.parametrize("name", LAYERS)
def test_a_trace_follows_the_weights(name, with_graph):
    layer = LAYERS[name]
    channels, ndim = layer.in_channels, layer.ndim
    x = torch.randn(2, channels, *(11,) * ndim)
    with torch.set_grad_enabled(with_graph):
        layer(x)  # after which something may be kept
        traced = torch.jit.trace(layer, x)
    assert "lpsc::" not in str(traced.inlined_graph)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.mul_(-2)
        assert_close(traced(x), layer(x))
        longer = torch.randn(3, channels, *(12,) * ndim)
        if name != "circular":  # whose padding PyTorch itself records as numbers
            assert_close(traced(longer), layer(longer))
    assert_close(layer(x), layer(x))


def test_nothing_of_a_trace_is_remembered():
    layer, x = LPSConv2d(2, 4, 5, padding=2, num_levels=1), torch.randn(1, 2, 9, 9)
    torch.jit.trace(layer, x)
    assert layer._last_call.repeat_graph is repeated.LastCall().repeat_graph


@pytest.mark.parametrize("name", [*LAYERS, "maxima", "pool"])
def test_graphs_of_symbols_serve_other_sizes(name):
    others = {
        "maxima": LPSConv2d(2, 4, 5, padding=2, num_levels=1, reduction="max"),
        "pool": LogPolarPool2d(5, padding=2, num_levels=1),
    }
    layer = copy.deepcopy({**LAYERS, **others}[name]).requires_grad_(False)
    channels = getattr(layer, "in_channels", 2)
    first, second = (torch.randn(batch, channels, *(size,) * layer.ndim) for batch, size in ((5, 11), (3, 13)))
    layer(first)  # after which something may be kept
    graph = make_fx(layer, tracing_mode="symbolic", _allow_non_fake_inputs=True)(first)
    assert_close(graph(second), layer(second))
