"""A snapshot tells whether a tensor still has the bytes that it had."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from lpsc_nd.pooling.snapshot import Snapshot

TYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


@given(shape=st.lists(st.integers(1, 4), max_size=3), dtype=st.sampled_from(TYPES), data=st.data())
def test_a_change_of_any_number_is_noticed_and_its_return(shape, dtype, data):
    tensor = torch.randn(shape).to(dtype)
    snapshot = Snapshot(tensor)
    assert snapshot.is_of(tensor)
    flat = tensor.view(-1)
    place = data.draw(st.integers(0, flat.numel() - 1))
    before = flat[place].item()
    flat[place] = before + 1
    assert not snapshot.is_of(tensor)
    flat[place] = before
    assert snapshot.is_of(tensor)


def test_a_tensor_that_moves_to_other_memory_is_read_there():
    parameter = nn.Parameter(torch.ones(3), requires_grad=False)
    snapshot, first = Snapshot(parameter), parameter.data
    parameter.data = torch.tensor([1.0, 2.0, 1.0])
    assert not snapshot.is_of(parameter)
    parameter.data[1] = 1.0
    first.zero_()
    assert snapshot.is_of(parameter)


def test_bytes_are_compared_and_not_numbers():
    nan, zero = torch.tensor([float("nan")]), torch.tensor([0.0])
    of_nan, of_zero = Snapshot(nan), Snapshot(zero)
    assert of_nan.is_of(nan)
    zero.neg_()
    assert not of_zero.is_of(zero)


@pytest.mark.parametrize("change", [torch.clone, lambda data: data.unsqueeze(0)[0], torch.Tensor.share_memory_])
def test_the_same_values_in_other_memory_are_the_same(change):
    parameter = nn.Parameter(torch.arange(9.0).view(3, 3), requires_grad=False)
    snapshot = Snapshot(parameter)
    parameter.data = change(parameter.data)
    assert snapshot.is_of(parameter)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.mT,  # of the same memory and shape
        lambda data: data.view(1, 9),
        lambda data: data[:1],
        lambda data: data.view(torch.int32),
        lambda data: data.double(),
        lambda data: data.to("meta"),
    ],
)
def test_another_order_shape_type_or_device_is_noticed(change):
    tensor = torch.ones(3, 3)
    snapshot = Snapshot(tensor)
    assert not snapshot.is_of(change(tensor))


def test_only_contiguous_memory_of_the_cpu_is_taken():
    tensor = torch.ones(3, 2)
    assert Snapshot.takes(tensor)
    assert Snapshot.takes(tensor[1:])
    assert not Snapshot.takes(tensor.T)
    assert not Snapshot.takes(tensor[::2])
    assert not Snapshot.takes(tensor.to("meta"))


def test_values_that_are_not_in_memory_are_not_copied():
    values = torch.ones(3)
    assert not Snapshot.takes(torch._neg_view(values))
    assert not Snapshot.takes(torch._efficientzerotensor(3))
    assert not Snapshot(values).is_of(torch._neg_view(values))
