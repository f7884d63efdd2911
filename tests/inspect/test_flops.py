"""Rules of the operations of one module, and of torch's own counter for our operators."""

import numpy as np
import pytest
import torch
from hypothesis import given
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from lpsc_nd import LogPolarPool2d, LPSConv2d
from lpsc_nd.inspect.flops import Work, extent, module_work
from lpsc_nd.models.paper.resize import Resize
from lpsc_nd.testing import layer_cases


def work(module, *shape):
    with torch.no_grad():
        x = torch.zeros(shape)
        return module_work(module, x, module.eval()(x))


@pytest.mark.parametrize(
    ("module", "shape", "expected"),
    [
        (nn.Conv2d(4, 6, (3, 5), groups=2), (2, 4, 8, 9), Work(2 * 6 * 5 * 6 * 2 * 15)),
        (nn.Conv1d(3, 5, 7, stride=2, bias=False), (1, 3, 20), Work(5 * 7 * 3 * 7)),
        (nn.Conv3d(1, 2, 3, padding=1), (1, 1, 4, 5, 6), Work(2 * 120 * 27)),
        (nn.ConvTranspose2d(4, 3, 4, stride=2), (1, 4, 5, 5), Work(4 * 25 * 3 * 16)),
        (nn.Linear(5, 7), (3, 5), Work(other_flops=3 * 5 * 7)),
        (nn.BatchNorm2d(4), (2, 4, 3, 3), Work(other_flops=2 * 72)),
        (nn.BatchNorm1d(4, affine=False), (2, 4), Work(other_flops=8)),
        (nn.AdaptiveAvgPool2d(1), (2, 4, 3, 3), Work(other_flops=72)),
        (nn.AvgPool2d(2), (1, 1, 4, 4), Work(other_flops=16)),
        (nn.MaxPool2d(2), (1, 1, 4, 4), Work()),
        (nn.GELU(), (1, 1), None),
    ],
)
def test_rules(module, shape, expected):
    assert work(module, *shape) == expected


def test_resizing_counts_four_per_output_element():
    x = torch.zeros(1, 2, 3, 3)
    y = Resize()(x, (5, 7))
    assert module_work(Resize(), x, y) == Work(other_flops=4 * 2 * 35)


@given(case=layer_cases())
def test_a_log_polar_layer_sums_every_region_once_per_input_channel(case):
    layer, x = case.layer(), case.input()
    y = layer(x)
    per_position = sum(max(int((layer.mask == region).sum()) - 1, 0) for region in range(1, layer.weight.shape[2] + 1))
    batch = x.shape[0] if x.ndim == layer.ndim + 2 else 1
    positions = batch * int(np.prod(y.shape[-layer.ndim :]))
    weights = layer.weight.numel() + (layer.center_weight.numel() if layer.center_weight is not None else 0)
    counted = module_work(layer, x, y)
    assert counted == Work(positions * weights, 0, positions * layer.in_channels * per_position)


def test_pooling_alone_only_adds():
    pool = LogPolarPool2d(9, padding=4, growth=3.0, convention="official")
    assert work(pool, 2, 3, 10, 10) == Work(0, 0, 2 * 3 * 100 * (81 - 12))


def test_a_rule_of_one_s_own():
    class Doubling(nn.Module):
        def forward(self, x):
            return 2 * x

    assert work(Doubling(), 2, 3) is None
    module_work.register(Doubling, lambda module, x, y: Work(other_flops=y.numel()))
    assert work(Doubling(), 2, 3) == Work(other_flops=6)


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (nn.Conv2d(1, 1, (3, 5), dilation=(2, 1)), (5, 5)),
        (LPSConv2d(1, 1, 9, dilation=2), (17, 17)),
        (LogPolarPool2d(9), (9, 9)),
        (nn.ConvTranspose2d(1, 1, 3), None),
        (nn.Linear(1, 1), None),
    ],
)
def test_extent_of_windows(module, expected):
    assert extent(module) == expected


def counted(call):
    with FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops()


@pytest.mark.parametrize(("stride", "groups"), [(1, 1), (2, 1), (1, 2)])
def test_torch_s_counter_knows_the_operators(stride, groups):
    layer = LPSConv2d(4, 6, 9, stride, 4, groups=groups, engine="bags")
    x = torch.randn(2, 4, 12, 12, requires_grad=True)
    forward = 2 * layer(x).numel() * (4 // groups) * 13
    assert counted(lambda: layer(x)) == forward
    assert counted(lambda: layer(x).sum().backward()) == 3 * forward
    assert counted(lambda: layer(x.detach()).sum().backward()) == 2 * forward
    layer.requires_grad_(False)
    assert counted(lambda: layer(x).sum().backward()) == 2 * forward


def test_torch_s_counter_counts_without_gradients_too():
    layer = LPSConv2d(4, 6, 9, padding=4, engine="bags")
    with torch.no_grad():
        assert counted(lambda: layer(torch.zeros(1, 4, 8, 8))) == 2 * 64 * 6 * 4 * 13
