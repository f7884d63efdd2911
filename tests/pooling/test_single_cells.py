"""Kernels of single cells are those that the product writes, at any order of differentiation."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close
from torch.utils.checkpoint import checkpoint
from torch.utils.flop_counter import FlopCounterMode

from lpsc_nd import LPSConv2d, Stencil
from lpsc_nd.functional import make_window
from lpsc_nd.pooling import single_cells
from lpsc_nd.pooling.dense_kernel import layer_kernel
from lpsc_nd.pooling.layout import CHANNELS_LAST
from lpsc_nd.pooling.single_cells import order_of

CPU = torch.device("cpu")


def window_of(mask, center):
    return make_window(Stencil.from_mask(mask), 1, 0, 1, center=center)


@st.composite
def windows(draw):
    """Draw a window with a region for each cell, or for each but the centre, which then is a bag of its own."""
    size = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    center = draw(st.booleans())
    cells = int(np.prod(size))
    place = int(np.ravel_multi_index([(n - 1) // 2 for n in size], size))
    regions = np.asarray(draw(st.permutations(range(1, cells + 1 - center))), dtype=int)
    return window_of(np.insert(regions, place, 0).reshape(size) if center else regions.reshape(size), center)


def draw_weights(window):
    weight = torch.randn(3, 2, window.stencil.num_regions, dtype=torch.float64, requires_grad=True)
    return weight, torch.randn(3, 2, dtype=torch.float64, requires_grad=True) if window.center else None


@given(window=windows(), channels_last=st.booleans())
def test_kernels_and_their_derivatives_are_those_of_the_product(window, channels_last):
    layout = CHANNELS_LAST.get(window.ndim + 2, torch.contiguous_format) if channels_last else torch.contiguous_format
    order = order_of(window, layout, CPU)
    assert order is not None
    weights = draw_weights(window)
    written, expected = single_cells.write(*weights, order), layer_kernel(*weights, window, "mean")
    assert_close(written, expected, rtol=0, atol=0)
    assert written.is_contiguous(memory_format=layout)
    cotangent, wanted = torch.randn_like(written), [tensor for tensor in weights if tensor is not None]
    found = torch.autograd.grad(written, wanted, cotangent)
    assert_close(found, torch.autograd.grad(expected, wanted, cotangent), rtol=0, atol=0)
    assert all(gradient.is_contiguous() for gradient in found)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("center", [True, False])
def test_kernels_can_be_differentiated_twice(center, layout):
    mask = np.arange(1, 7).reshape(3, 2)
    window = window_of(np.where(mask == 3, 0, np.where(mask > 3, mask - 1, mask)) if center else mask, center)
    order, weights = order_of(window, layout, CPU), [weight for weight in draw_weights(window) if weight is not None]

    def write(weight, center_weight=None):
        return single_cells.write(weight, center_weight, order) ** 2

    assert torch.autograd.gradcheck(write, weights)
    assert torch.autograd.gradgradcheck(write, weights)


@pytest.mark.parametrize(
    ("mask", "center"),
    [
        ([1, 1, 2], False),  # a region of two cells
        ([1, 0, 2], False),  # a cell of none
        ([1, 2, 3], True),  # a cell of two bags
        ([1, 0, 3], True),  # a region without cells
    ],
)
def test_other_windows_have_no_order(mask, center):
    assert order_of(window_of(mask, center), torch.contiguous_format, CPU) is None


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_layer_of_3_by_3_writes_its_kernel_so(layout, monkeypatch):
    layer = LPSConv2d(4, 6, 3, padding=1, num_levels=1, num_directions=8, engine="expand").double()
    x = torch.randn(2, 4, 7, 6, dtype=torch.float64).contiguous(memory_format=layout).requires_grad_()
    calls, write = [], single_cells.write
    with monkeypatch.context() as patch:
        patch.setattr(single_cells, "suits", lambda *_: False)
        first = layer(x)
    monkeypatch.setattr(single_cells, "write", lambda *arguments: calls.append(arguments) or write(*arguments))
    again = layer(x)
    assert len(calls) == 1
    assert_close(again, first, rtol=0, atol=0)
    wanted = [x, *layer.parameters()]
    penalties = [
        torch.autograd.grad(sum((g**2).sum() for g in torch.autograd.grad(y.sum(), wanted, create_graph=True)), wanted)
        for y in (first**2, again**2)
    ]
    assert_close(penalties[1], penalties[0])


@pytest.mark.parametrize("watched", ["forward", "backward", "neither"])
def test_checkpoints_find_what_they_saved(watched):
    layer, x = LPSConv2d(4, 6, 3, padding=1, num_levels=1, num_directions=8, engine="expand"), torch.randn(2, 4, 7, 6)
    (expected,) = torch.autograd.grad(layer.to_conv()(x.requires_grad_()).sum(), x)
    for _ in range(2):  # what is saved first is recomputed by a repeated call
        with FlopCounterMode(display=False) if watched == "forward" else nullcontext():
            y = checkpoint(layer, x, use_reentrant=False)
        with FlopCounterMode(display=False) if watched == "backward" else nullcontext():
            y.sum().backward()
        assert_close(x.grad, expected)
        x.grad = None


def test_a_layer_of_3_by_3_works_under_transforms_and_in_half_precision():
    layer, x = LPSConv2d(4, 6, 3, padding=1, num_levels=1, num_directions=8, engine="expand"), torch.randn(2, 4, 7, 6)
    weight = dict(layer.named_parameters())

    def loss(parameters, x):
        return (torch.func.functional_call(layer, parameters, (x,)) ** 2).sum()

    per_sample = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(weight, x.unsqueeze(1))
    whole = torch.autograd.grad((layer(x) ** 2).sum(), list(weight.values()))
    assert_close([gradient.sum(0) for gradient in per_sample.values()], list(whole))
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(x).dtype == torch.bfloat16
    assert layer.to(torch.bfloat16)(x.bfloat16()).dtype == torch.bfloat16


@pytest.mark.parametrize("vmapped", [False, True])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_batches_of_cotangents(layout, vmapped):
    layer = LPSConv2d(4, 6, 3, padding=1, num_levels=1, num_directions=8, engine="expand")
    x = torch.randn(2, 4, 7, 6).contiguous(memory_format=layout).requires_grad_()
    y, inputs = layer(x), [x, *layer.parameters()]
    cotangents = torch.randn(3, *y.shape)
    single = [torch.autograd.grad(y, inputs, cotangent, retain_graph=True) for cotangent in cotangents]
    expected = [torch.stack(gradients) for gradients in zip(*single, strict=True)]
    if vmapped:
        found = torch.func.vmap(lambda v: torch.autograd.grad(y, inputs, v, retain_graph=True))(cotangents)
    else:
        found = torch.autograd.grad(y, inputs, cotangents, is_grads_batched=True)
    assert_close(list(found), expected)


@pytest.mark.slow  # dynamo is imported
@pytest.mark.filterwarnings("ignore:The .grad attribute")  # PyTorch asks the kernel, which is no leaf, for its own
def test_compiled_autograd_gives_the_same():
    layer = LPSConv2d(4, 6, 3, padding=1, num_levels=1, num_directions=8, engine="expand")
    x = torch.randn(2, 4, 7, 6, requires_grad=True)
    expected = torch.autograd.grad(layer(x).square().sum(), [x, *layer.parameters()])
    y = layer(x).square().sum()
    with torch._dynamo.compiled_autograd._enable(torch.compile(backend="eager")):
        y.backward()
    assert_close([x.grad, *(parameter.grad for parameter in layer.parameters())], list(expected))
