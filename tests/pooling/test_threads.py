"""Products that are shared out to threads are the same products, also where the threads do not divide the rows."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from lpsc_nd import LPSConvNd
from lpsc_nd.pooling import product, run_tables, threads, whole_images
from lpsc_nd.pooling.rates import AMD, AVX2, INTEL, ZEN4


@pytest.fixture(params=[1, 2, 3])
def number_of_threads(request, on_threads):
    with on_threads(request.param):
        yield request.param


def operands(rows, depth, columns):
    generator = torch.Generator().manual_seed(rows)
    shapes = (rows, depth), (depth, columns), (columns,)
    return [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]


@pytest.mark.parametrize("rows", [0, 1, 2, 5, 60, 61, 62])
@pytest.mark.parametrize("with_bias", [False, True])
def test_rows_are_written(number_of_threads, rows, with_bias):
    left, right, bias = operands(rows, depth=37, columns=12)
    out = torch.full((rows, 12), torch.nan, dtype=torch.float64)
    threads.multiply_into(out, left, right, bias if with_bias else None)
    assert_close(out, left @ right + bias if with_bias else left @ right)


@pytest.mark.parametrize("depth", [0, 1])
def test_a_product_without_depth_is_its_bias(number_of_threads, depth):
    left, right, bias = operands(8, depth, columns=4)
    out = torch.full((8, 4), torch.nan, dtype=torch.float64)
    threads.multiply_into(out, left, right, bias)
    assert_close(out, left @ right + bias)


def test_columns_of_a_wider_matrix_are_written(number_of_threads):
    left, right, _ = operands(60, depth=37, columns=12)
    wide = torch.zeros(60, 20, dtype=torch.float64)
    threads.multiply_into(wide[:, 4:16], left, right)
    assert_close(wide[:, 4:16], left @ right)
    assert wide[:, :4].count_nonzero() == wide[:, 16:].count_nonzero() == 0


@pytest.mark.parametrize("rows", [0, 1, 60, 61])
def test_rows_are_added_to(number_of_threads, rows):
    left, right, _ = operands(rows, depth=37, columns=12)
    total = torch.ones(rows, 12, dtype=torch.float64)
    threads.add_into(total, left, right)
    assert_close(total, 1 + left @ right)


@pytest.mark.parametrize(("rates", "most"), [(INTEL, 1), (AVX2, 2), (AMD, 2), (ZEN4, 2)])
def test_threads_transpose_where_they_are_enough(monkeypatch, number_of_threads, rates, most):
    monkeypatch.setattr(threads, "RATES", rates)
    assert threads.transposes_in_blocks() == (number_of_threads <= most)


@pytest.mark.parametrize("columns", [1, 7, 12, 20])
def test_columns_are_added_to(number_of_threads, columns):
    left, right, _ = operands(9, depth=37, columns=columns)
    total = product.zero_columns(9, columns, torch.float64, torch.device("cpu"))
    for _ in range(2):
        product.add_columns(total, left, right)
    assert_close(total.transpose(0, 1).flatten(1), 2 * (left @ right))


@pytest.mark.parametrize(("columns", "parts"), [(12, (1, 2, 3)), (8, (1, 2, 2)), (7, (1, 1, 1))])
def test_as_many_parts_as_divide_the_columns(number_of_threads, columns, parts):
    assert threads.equal_parts(columns, number_of_threads) == parts[number_of_threads - 1]


@given(st.integers(1, 3), st.integers(1, 5), st.integers(1, 5), st.integers(1, 3), st.integers(2, 3), st.integers(3, 9))
def test_a_layer_computes_the_same_on_any_number_of_threads(on_threads, ndim, channels, filters, batch, number, size):
    layer = LPSConvNd(ndim, channels, filters, 5, padding=2, num_levels=1, engine="bags", dtype=torch.float64)
    x = torch.randn(batch, channels, *(size,) * ndim, dtype=torch.float64, requires_grad=True)

    def run():
        y = layer(x)
        return [y, *torch.autograd.grad(y.square().sum(), [x, layer.weight])]

    expected = run()
    with on_threads(number):
        found = run()
    for got, wanted in zip(found, expected, strict=True):
        assert_close(got, wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("intel", "avx2"), [(False, False), (True, False), (False, True)])
def test_more_is_done_at_once_on_several_threads_of_a_processor_where_it_was_measured(
    monkeypatch, number_of_threads, intel, avx2
):
    monkeypatch.setattr(threads, "is_intel", lambda: intel)
    monkeypatch.setattr(threads, "is_avx2_at_most", lambda: avx2)
    more = (intel or avx2) and number_of_threads > 1
    assert threads.larger(100, 4) == (400 if more else 100)
    monkeypatch.setattr(run_tables, "is_intel", lambda: intel)
    cpu = torch.device("cpu")
    volume, plane, line = (LPSConvNd(ndim, 2, 2, 5, padding=2, num_levels=1).window for ndim in (3, 2, 1))
    assert run_tables.slab_elements(volume, cpu) == run_tables.SLAB_ELEMENTS * (
        run_tables.LARGER if intel or more else 1
    )
    assert run_tables.slab_elements(plane, cpu) == run_tables.SLAB_ELEMENTS * (run_tables.LARGER if more else 1)
    assert run_tables.slab_elements(line, cpu) == run_tables.SLAB_ELEMENTS
    of_one = whole_images.pooled_elements(plane, 64, (16, 16))
    most = whole_images.POOLED_ELEMENTS * (whole_images.POOLED_SHARED if more else 1)
    limits = whole_images.limits_of(plane, 64, 64)
    assert whole_images.images_at_once(plane, 64, (16, 16), limits) == most // of_one > 1
