"""A convolution whose kernel was packed once is PyTorch's, bit by bit, and in its memory format."""

from __future__ import annotations

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from lpsc_nd.pooling import packed
from lpsc_nd.pooling.expand import CONVOLUTIONS
from lpsc_nd.pooling.layout import CHANNELS_LAST, memory_format
from lpsc_nd.pooling.packed import packed_convolution

needs_onednn = pytest.mark.skipif(not packed.HAS_CONVOLUTION, reason="PyTorch was built without oneDNN")


def convolved(x, kernel, bias, how):
    with torch.no_grad():
        return CONVOLUTIONS[x.ndim - 2](x, kernel, bias, *how)


@needs_onednn
@given(data=st.data(), ndim=st.integers(1, 3), channels_last=st.booleans(), has_bias=st.booleans())
def test_it_is_the_convolution_of_pytorch(data, ndim, channels_last, has_bias):
    draw = data.draw
    groups = draw(st.sampled_from([1, 2, 3]), label="groups")
    channels = groups * draw(st.sampled_from([1, 2, 3, 8, 16, 20]), label="channels of a group")
    filters = groups * draw(st.sampled_from([1, 2, 5, 16, 33]), label="filters of a group")
    each = st.integers(1, 2)
    kernel_size = draw(st.tuples(*[st.integers(1, 5)] * ndim), label="kernel size")
    stride, dilation = (
        draw(st.tuples(*[each] * ndim), label="stride"),
        draw(st.tuples(*[each] * ndim), label="dilation"),
    )
    padding = tuple(draw(st.integers(0, k)) for k in kernel_size)
    how = (stride, padding, dilation, groups)
    size = [
        max(1, d * (k - 1) + 1 - 2 * p) + draw(st.integers(0, 9))
        for k, d, p in zip(kernel_size, dilation, padding, strict=True)
    ]
    x, other = torch.randn(2, draw(st.integers(1, 3), label="batch"), channels, *size)
    kernel = torch.randn(filters, channels // groups, *kernel_size)
    bias = torch.randn(filters) if has_bias else None
    if channels_last and ndim > 1:
        x, other = (values.contiguous(memory_format=CHANNELS_LAST[ndim + 2]) for values in (x, other))
    kernel = kernel.contiguous(memory_format=memory_format(x))
    run = packed_convolution(x, kernel, *how)
    assume(run is not None)
    expected = [convolved(values, kernel, bias, how) for values in (x, other)]
    kernel.zero_()
    for values, y in zip((x, other), expected, strict=True):
        found = run(values, bias)
        torch.testing.assert_close(found, y, rtol=0, atol=0)
        steps = [(one, other) for n, one, other in zip(y.shape, found.stride(), y.stride(), strict=True) if n > 1]
        assert all(one == other for one, other in steps)


@needs_onednn
@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("channels_last", [False, True])
def test_the_convolutions_of_a_stem_are_packed(ndim, channels_last):
    x, kernel = torch.randn(4, 3, *(9,) * ndim), torch.randn(8, 3, *(5,) * ndim)
    if channels_last and ndim > 1:
        x = x.contiguous(memory_format=CHANNELS_LAST[ndim + 2])
    assert packed_convolution(x, kernel, (1,) * ndim, (2,) * ndim, (1,) * ndim, 1) is not None


@needs_onednn
def test_a_bias_with_gaps_is_read_where_its_numbers_are():
    x, kernel, bias = torch.randn(4, 3, 9, 9), torch.randn(8, 3, 5, 5), torch.randn(16)[::2]
    how = ((1, 1), (2, 2), (1, 1), 1)
    for values in (x, x.contiguous(memory_format=torch.channels_last)):
        expected = convolved(values, kernel, bias, how)
        torch.testing.assert_close(packed_convolution(values, kernel, *how)(values, bias), expected, rtol=0, atol=0)


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x.double(),
        lambda x: x.bfloat16(),
        lambda x: x.mT,
        lambda x: x[..., ::2],
        lambda x: x[:0],
        lambda x: x[:, :, 0].mT,
    ],
)
def test_other_inputs_are_left_to_pytorch(change):
    x = change(torch.randn(4, 9, 9, 9))
    ndim = x.ndim - 2
    kernel = torch.randn(8, x.shape[1], *(5,) * ndim, dtype=x.dtype)
    assert packed_convolution(x, kernel, (1,) * ndim, (2,) * ndim, (1,) * ndim, 1) is None


@pytest.mark.filterwarnings("ignore:TF32 acceleration on top of oneDNN:UserWarning")
def test_without_onednn_nothing_is_packed(monkeypatch):
    arguments = torch.randn(4, 3, 9, 9), torch.randn(8, 3, 5, 5), (1, 1), (2, 2), (1, 1), 1
    with torch.backends.mkldnn.flags(enabled=False):
        assert packed_convolution(*arguments) is None
    monkeypatch.setattr(packed, "HAS_CONVOLUTION", False)
    assert packed_convolution(*arguments) is None
