"""Dense kernels that are kept serve only as long as they are what would be written anew."""

from __future__ import annotations

import copy
import gc
import pickle

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from lpsc_nd import LPSConv2d
from lpsc_nd.pooling import kept, product
from lpsc_nd.pooling.dense_kernel import layer_kernel
from lpsc_nd.pooling.folding import fold
from lpsc_nd.pooling.mixing import Mixing


@pytest.fixture
def layer() -> LPSConv2d:
    return LPSConv2d(3, 4, 5, padding=2, num_directions=4, engine="expand")


def kernel_of(layer: LPSConv2d, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return kept.kernel_of(layer.weight, layer.center_weight, layer.window, layer.reduction, dtype)


def fresh(layer: LPSConv2d) -> torch.Tensor:
    return layer_kernel(layer.weight, layer.center_weight, layer.window, layer.reduction).detach()


@torch.no_grad()
def test_a_second_call_gets_the_same_tensor(layer):
    first = kernel_of(layer)
    assert kernel_of(layer) is first
    assert_close(first, fresh(layer), rtol=0, atol=0)


@pytest.mark.parametrize("name", ["weight", "center_weight"])
@pytest.mark.parametrize("way", ["under no_grad", "through data", "by an optimiser", "by a new storage"])
def test_weights_that_were_changed_are_noticed(layer, name, way):
    parameter = getattr(layer, name)
    with torch.no_grad():
        before = kernel_of(layer)
    if way == "under no_grad":
        with torch.no_grad():
            parameter.view(-1)[-1] += 1
    elif way == "through data":
        parameter.data.view(-1)[-1] += 1
    elif way == "by a new storage":
        parameter.data = parameter.data + 1
    else:
        parameter.grad = torch.ones_like(parameter)
        torch.optim.SGD([parameter], lr=0.1).step()
    with torch.no_grad():
        after = kernel_of(layer)
    assert not torch.equal(before, after)
    assert_close(after, fresh(layer), rtol=0, atol=0)


@torch.no_grad()
def test_another_window_reduction_or_type_of_the_same_parameter_is_noticed(layer):
    kernel_of(layer)
    turned = LPSConv2d(3, 4, 5, padding=2, num_levels=1, num_directions=8)
    assert turned.stencil != layer.stencil
    with_window = kept.kernel_of(layer.weight, layer.center_weight, turned.window, "mean", torch.float32)
    assert_close(with_window, layer_kernel(layer.weight, layer.center_weight, turned.window, "mean"))
    summed = kept.kernel_of(layer.weight, layer.center_weight, layer.window, "sum", torch.float32)
    assert_close(summed, layer_kernel(layer.weight, layer.center_weight, layer.window, "sum"))
    assert kernel_of(layer, torch.bfloat16).dtype == torch.bfloat16
    assert kernel_of(layer).dtype == torch.float32


@torch.no_grad()
@pytest.mark.parametrize("groups", [1, 4])
@pytest.mark.parametrize("prefers_blas", [False, True])
def test_weights_of_the_bag_engine_are_kept_in_the_order_of_its_product(monkeypatch, groups, prefers_blas):
    monkeypatch.setattr(product, "PREFERS_BLAS", prefers_blas)
    layer = LPSConv2d(4, 4, 5, padding=2, num_directions=4, groups=groups)
    parameters = (layer.weight, layer.center_weight, layer.window, layer.reduction, torch.float32)
    folded = kept.folded_of(*parameters)
    assert kept.folded_of(*parameters) is folded
    assert_close(folded, fold(layer.weight, layer.center_weight, layer.stencil, "mean", torch.float32), rtol=0, atol=0)
    matrix = Mixing(4, 4, layer.window.num_bags, groups).to_matrix(folded)
    assert matrix.data_ptr() == folded.data_ptr()
    assert groups == 4 or matrix.stride(1 if prefers_blas else 2) == 1
    layer.center_weight.data += 1
    assert_close(kept.folded_of(*parameters) - folded, torch.eye(layer.window.num_bags)[-1].expand_as(folded))
    assert layer.weight in kept._folded
    assert layer.weight not in kept._kernels


def test_nothing_is_kept_while_somebody_differentiates(layer):
    assert kernel_of(layer).requires_grad
    assert kernel_of(layer) is not kernel_of(layer)
    x = torch.randn(1, 3, 6, 6)
    with torch.no_grad():
        layer(x)
    layer(x).sum().backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad.abs().sum() > 0


def test_a_kernel_kept_in_inference_mode_serves_afterwards(layer):
    with torch.inference_mode():
        kernel = kernel_of(layer)
    assert not kernel.is_inference()
    x = torch.randn(1, 3, 6, 6, requires_grad=True)
    with torch.no_grad():
        expected = layer(x)
    assert_close(layer(x), expected)


@torch.no_grad()
def test_only_parameters_have_one_kept_and_only_small_ones(layer):
    size = len(kept._kernels)
    weight = layer.weight * 2
    kept.kernel_of(weight, layer.center_weight, layer.window, "mean", torch.float32)
    large = LPSConv2d(64, 64, 9, num_levels=1, num_directions=1)
    assert large.weight.shape[0] * large.weight.shape[1] * 81 > kept.KEPT_ELEMENTS
    kernel_of(large)
    assert len(kept._kernels) == size


@torch.no_grad()
def test_a_kernel_is_forgotten_with_its_parameter():
    layer = LPSConv2d(3, 4, 5, num_directions=4)
    kernel_of(layer)
    gc.collect()
    size = len(kept._kernels)
    assert layer.weight in kept._kernels
    del layer
    gc.collect()
    assert len(kept._kernels) < size


@torch.no_grad()
def test_copies_and_pickles_of_a_layer_carry_no_kernel(layer):
    kernel_of(layer)
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert twin.weight not in kept._kernels
        nn.init.zeros_(twin.weight)
        assert kernel_of(twin).count_nonzero() <= layer.center_weight.numel()


@torch.no_grad()
def test_weights_that_are_not_numbers_are_noticed(layer):
    kernel_of(layer)
    layer.weight.fill_(float("nan"))
    assert kernel_of(layer).isnan().any()
    layer.weight.fill_(0)
    assert not kernel_of(layer).isnan().any()


@torch.no_grad()
@pytest.mark.parametrize("name", ["weight", "center_weight"])
def test_weights_that_are_not_contiguous_are_used_and_not_kept(name):
    layer = LPSConv2d(4, 4, 5, padding=2, num_directions=4, engine="expand")
    kernel_of(layer)
    parameter = getattr(layer, name)
    parameter.data = parameter.data.transpose(0, 1)  # same memory, same shape
    assert not parameter.is_contiguous()
    assert_close(kernel_of(layer), fresh(layer), rtol=0, atol=0)
    assert kernel_of(layer) is not kernel_of(layer)


@torch.no_grad()
@pytest.mark.parametrize("groups", [1, 4])
def test_a_layer_changes_with_its_weights(groups):
    layer = LPSConv2d(4, 4, 5, padding=2, num_directions=4, groups=groups)
    x = torch.randn(2, 4, 9, 9)
    for _ in range(3):
        assert_close(layer(x), layer.to_conv()(x))
        assert_close(layer(x), layer.to_conv()(x))
        layer.weight.data.normal_()
        layer.center_weight.data.normal_()
