"""Calls that eager code differentiates set their context in one step, and those of torch.func in two."""

from __future__ import annotations

import inspect

import torch
from torch.testing import assert_close

from lpsc_nd import LPSConv2d
from lpsc_nd.pooling import derivatives, differentiable


def test_a_function_in_one_step_is_made_once_and_keeps_its_name():
    function = derivatives._Conv
    made = differentiable.in_one_step(function)
    assert differentiable.in_one_step(function) is made
    assert made.__name__ == function.__name__
    assert made.setup_context is torch.autograd.Function.setup_context
    assert function.setup_context is not torch.autograd.Function.setup_context


def test_eager_calls_inspect_no_signature_and_transforms_give_the_same(monkeypatch):
    layer = LPSConv2d(3, 4, 5, padding=2, num_levels=1, engine="bags", dtype=torch.float64)
    x = torch.randn(2, 3, 6, 7, dtype=torch.float64, requires_grad=True)
    expected = torch.func.grad(lambda x: layer(x).square().sum())(x)
    with monkeypatch.context() as patch:
        patch.setattr(inspect, "signature", lambda *arguments: 1 / 0)
        (found,) = torch.autograd.grad(layer(x).square().sum(), x)
    assert_close(found, expected)
