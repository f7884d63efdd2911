"""The contracts hold for the layers, and each fails when what it asserts is broken."""

import numpy as np
import pytest
import torch
from torch import nn

from lpsc_nd import LogPolarPartition, LPSConv2d
from lpsc_nd.pooling import execute
from lpsc_nd.testing import (
    MaskPartition,
    assert_adjoint,
    assert_constant_input,
    assert_delta_shows_taps,
    assert_dense_twin,
    assert_partition,
    brute_force_conv,
    dense_kernel,
)

OFFSETS = np.stack(np.meshgrid([-2, -1, 0, 1, 2], [-2, 0, 2], indexing="ij"), axis=-1)


@pytest.fixture
def layer():
    torch.manual_seed(0)
    return LPSConv2d(2, 3, 5, padding=2, num_directions=4, growth=3.0, dtype=torch.float64)


@pytest.fixture
def x():
    return torch.randn(1, 2, 6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def spoil(monkeypatch, change):
    """Let the core return something else than it should."""
    true = execute.conv
    monkeypatch.setattr(execute, "conv", lambda x, *arguments: change(true(x, *arguments), x))


def test_contracts_hold_for_a_true_layer(layer, x):
    assert_dense_twin(layer, x)
    assert_adjoint(layer, x)
    assert_constant_input(layer, 1.7)
    assert_delta_shows_taps(layer)


def test_dense_twin_sees_a_wrong_output(layer, x, monkeypatch):
    spoil(monkeypatch, lambda y, x: y + 1e-6)
    with pytest.raises(AssertionError):
        assert_dense_twin(layer, x)


def test_dense_twin_sees_a_wrong_input_gradient(layer, x, monkeypatch):
    spoil(monkeypatch, lambda y, x: y + (x.sum() - x.sum().detach()))
    with pytest.raises(AssertionError, match="gradient of input"):
        assert_dense_twin(layer, x)


def test_dense_twin_sees_a_wrong_weight_gradient(layer, x, monkeypatch):
    spoil(monkeypatch, lambda y, x: y + (layer.weight.sum() - layer.weight.sum().detach()))
    with pytest.raises(AssertionError, match="gradient of weight"):
        assert_dense_twin(layer, x)


def test_adjoint_sees_a_wrong_gradient(layer, x, monkeypatch):
    spoil(monkeypatch, lambda y, x: y + (x.sum() - x.sum().detach()))
    with pytest.raises(AssertionError, match="differ by"):
        assert_adjoint(layer, x)


def test_constant_input_sees_a_wrong_divisor(layer, monkeypatch):
    spoil(monkeypatch, lambda y, x: 2 * y)
    with pytest.raises(AssertionError):
        assert_constant_input(layer, 1.0)


def test_delta_sees_a_shifted_tap(layer, monkeypatch):
    spoil(monkeypatch, lambda y, x: y.roll(1, dims=-1))
    with pytest.raises(AssertionError):
        assert_delta_shows_taps(layer)


def test_partition_contract_holds():
    assert_partition(LogPolarPartition(2, 2.0, 2, 6, 2.0), OFFSETS)
    assert_partition(MaskPartition(tuple(range(9)), (3, 3), 8), OFFSETS)


class Broken:
    """A partition whose codes a test chooses."""

    num_regions = 3

    def __init__(self, codes):
        self.codes = codes

    def region(self, offsets):
        return self.codes(np.asarray(offsets))


@pytest.mark.parametrize(
    ("codes", "words"),
    [
        (lambda o: np.full(o.shape[:-1], 4), "> 3"),
        (lambda o: np.full(o.shape[:-1], -1), "negative"),
        (lambda o: np.full(o.shape[:-1], 1.0), "integers"),
        (lambda o: np.zeros(7, dtype=int), "shape"),
        (lambda o: np.arange(o[..., 0].size).reshape(o.shape[:-1]) % 3, "alone"),
    ],
)
def test_partition_contract_sees_a_broken_one(codes, words):
    with pytest.raises(AssertionError, match=words):
        assert_partition(Broken(codes), OFFSETS)


def test_oracles_agree_with_a_convolution_written_by_hand():
    mask = np.array([[0, 1, 0], [2, 0, 2], [0, 1, 0]])
    weight = torch.tensor([[[4.0, 6.0]]], dtype=torch.float64)
    center = torch.tensor([[5.0]], dtype=torch.float64)
    kernel = dense_kernel(mask, weight, center)
    expected = torch.tensor([[0.0, 2, 0], [3, 5, 3], [0, 2, 0]], dtype=torch.float64)
    assert torch.equal(kernel[0, 0], expected)
    conv = nn.functional.conv2d(torch.arange(16.0, dtype=torch.float64).view(1, 1, 4, 4), kernel)
    loop = brute_force_conv(
        np.arange(16.0).reshape(1, 1, 4, 4), mask, weight.numpy(), center.numpy(), None,
        stride=(1, 1), padding=((0, 0), (0, 0)), dilation=(1, 1),
    )  # fmt: skip
    np.testing.assert_allclose(conv.numpy(), loop)
    assert loop[0, 0, 0, 0] == 2 * (1 + 9) + 3 * (4 + 6) + 5 * 5
