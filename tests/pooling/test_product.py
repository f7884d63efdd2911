"""The matrix product gives the same numbers whoever multiplies, and wherever they are written."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from lpsc_nd import LPSConv2d
from lpsc_nd.pooling import onednn, processor, product, rates

MANNERS = {
    "oneDNN": {"PREFERS_BLAS": False, "SUMS_BY_BLAS": False, "CONVOLVES": False},
    "oneDNN in place": {"PREFERS_BLAS": False, "SUMS_BY_BLAS": True, "CONVOLVES": onednn.HAS_CONVOLUTION, "NARROW": 1},
    "BLAS": {"PREFERS_BLAS": True, "SUMS_BY_BLAS": True, "CONVOLVES": False},
}
"""Who multiplies on a processor with AVX-512, one without, and Intel's."""


@pytest.fixture(params=MANNERS)
def multiplier(monkeypatch, request):
    for name, value in MANNERS[request.param].items():
        monkeypatch.setattr(product, name, value)
    return request.param


def operands(rows=5, depth=7, columns=4, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    shapes = (rows, depth), (columns, depth), (columns,)
    left, right, bias = (torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes)
    return left.to(dtype), right.to(dtype), bias.to(dtype), left @ right.T, bias


@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_form_of_the_product(multiplier, with_bias, dtype):
    left, right, bias, expected, offset = operands(dtype=dtype)
    expected = (expected + offset if with_bias else expected).to(dtype)
    term = bias if with_bias else None
    assert_close(product.product(left, right, term), expected)
    turned = product.transposed_product(left, right, term)
    assert turned.is_contiguous()
    assert_close(turned, expected.T)
    total = torch.ones(5, 4, dtype=dtype)
    product.add_product(total, left, right)
    assert_close(total, 1 + (left @ right.T))


@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("of_target", [torch.float32, torch.bfloat16])
def test_a_multiplier_writes_like_the_product(multiplier, with_bias, of_target):
    left, right, bias, expected, offset = operands()
    target = torch.full((9, 4), float("nan"), dtype=of_target)[2:7]
    product.multiplier(right, bias if with_bias else None, of_target)(target, left)
    assert_close(target, (expected + offset if with_bias else expected).to(of_target))


@pytest.mark.parametrize("rows", [1, 7, 1024, 1030])
@pytest.mark.parametrize("columns", [1, 16, 33, 64])
def test_one_multiplier_serves_any_number_of_rows(multiplier, rows, columns):
    left, right, bias, expected, offset = operands(rows, 70, columns)
    write = product.multiplier(right, bias, torch.float32)
    for part in (slice(0, rows), slice(rows // 2, rows)):
        target = torch.full((rows, columns), float("nan"))
        write(target[part], left[part])
        assert_close(target[part], (expected + offset).float()[part], rtol=1e-4, atol=1e-4)
        assert target[: part.start].isnan().all()


def test_a_convolution_takes_operands_in_any_order():
    if not onednn.HAS_CONVOLUTION:
        pytest.skip("this PyTorch has no oneDNN")
    left, right, bias, expected, offset = operands(9, 7, 4)
    target = torch.full((9, 10), float("nan"))
    apart = torch.stack([bias, bias], 1)[:, 0]
    onednn.convolver(right.T.contiguous().T, apart)(target[:, 3:7], left.T.contiguous().T)
    assert_close(target[:, 3:7], (expected + offset).float())
    assert target.isnan().sum() == 9 * 6


def test_who_writes_in_place_is_told(multiplier):
    assert product.writes_in_place(torch.randn(4, 7)) is (multiplier != "oneDNN")
    assert product.writes_in_place(torch.randn(4, 7, dtype=torch.float64))


@pytest.mark.parametrize("threads", [1, 2])
def test_columns_are_added_up_whoever_multiplies(multiplier, on_threads, threads):
    left, right, *_ = operands(40, 5, 6)
    with on_threads(threads):
        total = product.zero_columns(40, 6, torch.float32, left.device)
        for _ in range(2):
            product.add_columns(total, left, right.T)
    assert total.shape[0] == (threads if multiplier != "oneDNN" else 1)
    assert_close(total.transpose(0, 1).flatten(1), 2 * left @ right.T)


@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize(
    "target",
    [
        torch.empty(5, 4),
        torch.empty(1, 5, 4),
        torch.empty(5, 9)[:, 2:6],
        torch.empty(4, 5).T,
        torch.empty(5, 4, dtype=torch.bfloat16),
    ],
    ids=["matrix", "image", "part", "transposed", "half"],
)
def test_it_is_written_wherever_it_is_wanted(multiplier, target, with_bias):
    left, right, bias, expected, offset = operands()
    target.fill_(torch.nan)
    product.write_product(target, left, right, bias if with_bias else None)
    expected = expected + offset if with_bias else expected
    assert_close(target.double().view(5, 4) if target.ndim == 3 else target.double(), expected, rtol=1e-2, atol=1e-2)


def test_operands_may_lie_in_any_order(multiplier):
    left, right, bias, expected, offset = operands()
    found = product.product(left.T.contiguous().T, right.T.contiguous().T, torch.stack([bias, bias], 1)[:, 0])
    assert_close(found, (expected + offset).float())


@given(shape=st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 5)))
def test_arranging_changes_no_value(shape):
    weight = torch.randn(shape)
    for prefers_blas in (False, True):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(product, "PREFERS_BLAS", prefers_blas)
            assert torch.equal(product.arranged(weight), weight)


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("batch", [1, 3])
def test_a_layer_is_its_dense_twin_whoever_multiplies(multiplier, groups, layout, batch):
    layer = LPSConv2d(16, 24, 9, padding=4, groups=groups, engine="bags")
    x = torch.randn(batch, 16, 12, 10).contiguous(memory_format=layout).requires_grad_()
    expected, found = layer.to_conv()(x), layer(x)
    assert_close(found, expected, rtol=1e-4, atol=1e-5)
    gy = torch.randn_like(found)
    (wanted,) = torch.autograd.grad(expected, x, gy)
    got, grad = torch.autograd.grad(found, [x, layer.weight], gy)
    assert_close(got, wanted, rtol=1e-4, atol=1e-5)
    with torch.no_grad():
        reference = LPSConv2d(16, 24, 9, padding=4, groups=groups, engine="reference")
        reference.load_state_dict(layer.state_dict())
    (slope,) = torch.autograd.grad(reference(x), reference.weight, gy)
    assert_close(grad, slope, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("name", "expected"), [("Intel Xeon", True), ("AMD EPYC", False), (None, False)])
def test_the_processor_is_what_pytorch_says(monkeypatch, name, expected):
    said = {} if name is None else {"cpu_name": name}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: said, raising=False)
    assert processor.is_intel() == expected


@pytest.mark.parametrize(("capability", "expected"), [("AVX2", True), ("AVX512", False), ("DEFAULT", False)])
def test_the_instructions_are_those_that_pytorch_uses(monkeypatch, capability, expected):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    assert processor.is_avx2_at_most() is expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"cpu_name": "AMD EPYC", "avx512_f": True, "avx_vnni": False}, True),
        ({"cpu_name": "AMD EPYC", "avx512_f": True, "avx_vnni": True}, False),
        ({"cpu_name": "AMD EPYC", "avx512_f": False}, False),
        ({"cpu_name": "Intel Xeon", "avx512_f": True}, False),
    ],
)
def test_units_of_half_the_width_are_told_by_what_came_later(monkeypatch, said, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: said, raising=False)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    assert processor.is_zen4() is expected
    assert (rates.rates_here() is rates.ZEN4) is expected


@pytest.mark.parametrize(("name", "expected"), [("Intel Xeon", rates.INTEL), ("AMD EPYC", rates.AVX2)])
def test_rates_are_those_of_the_processor_and_the_instructions(monkeypatch, name, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"cpu_name": name, "avx512_f": True}, raising=False)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    assert rates.rates_here() is expected


def test_a_pytorch_that_says_nothing(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert not processor.is_intel()
    assert not processor.is_zen4()
