"""The parts that a forward pass cannot do without."""

import math

import pytest
import torch

from benchmarks import bound_parts, bounds
from benchmarks.bounds import bound_contenders, main, row
from benchmarks.cases import CASES
from benchmarks.samples import Samples
from lpsc_nd.pooling.dense_kernel import layer_kernel

pytestmark = pytest.mark.usefixtures("without_kernels")


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("conv2d-9x9-16", {"dense", "bag sums", "pooling", "product"}),
        ("depthwise2d-9x9-64", {"dense", "bag sums", "pooling", "product"}),
        ("conv2d-5x5-3", {"dense", "kernel"}),
    ],
)
def test_each_engine_has_its_parts(name, parts):
    assert {part.operator for part in bound_contenders(CASES[name])} == parts


def test_hot_sums_are_as_many_and_as_long(monkeypatch):
    case, seen = CASES["smoke"], []
    monkeypatch.setattr(bound_parts, "sum_bags", lambda table, rows, offsets: seen.append((rows, offsets)) or table)
    bound_parts.hot_sums(case)()
    window = case.layer().window
    sites = case.input_shape[0] * case.input_shape[2] * case.input_shape[3]
    assert sum(len(offsets) - 1 for _, offsets in seen) == sites * window.num_bags
    assert sum(len(rows) for rows, _ in seen) <= sites * sum(window.stencil.counts + 1)
    assert all(int(offsets[-1]) == len(rows) for rows, offsets in seen)


def test_the_kernel_that_is_written_has_the_layer_s_size():
    case = CASES["conv2d-5x5-3"]
    layer = case.layer()
    expected = layer_kernel(layer.weight, layer.center_weight, layer.window, "mean")
    assert bound_parts.write_kernel(case)().numel() == expected.numel()


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("conv2d-9x9-64", "whole images"),
        ("conv2d-9x9-16", "side by side"),
        ("depthwise2d-9x9-64", "tiles"),
        ("conv1d-101-64", "tiles"),
    ],
)
def test_the_layer_s_own_pooling_sums_every_bag_of_every_site(monkeypatch, name, way):
    case, bags = CASES[name], []
    monkeypatch.setattr(bound_parts, "cheapest_way", lambda *_: way)  # which depends on the processor

    def count(table, rows, offsets):
        bags.append(len(offsets) - 1)
        return table.new_empty(bags[-1], table.shape[1])

    for module in (bound_parts.bags, bound_parts.whole_images, bound_parts.side_by_side):
        monkeypatch.setattr(module, "sum_bags", count)
    bound_parts.own_pooling(case)()
    window, (batch, channels, *size) = case.layer().window, case.input_shape
    values = batch * math.prod(window.output_size(size)) * window.num_bags
    together = bound_parts.side_by_side.images_at_once(batch, channels) if way == "side by side" else 1
    assert sum(bags) * together == values


def test_a_way_that_no_case_takes_is_not_pooled(monkeypatch):
    monkeypatch.setattr(bound_parts, "cheapest_way", lambda *_: "site by site")
    with pytest.raises(ValueError, match="no case is pooled site by site"):
        bound_parts.own_pooling(CASES["conv2d-9x9-64"])()


def test_the_ratio_is_dense_over_what_is_needed():
    times = {"dense, default": [8e-3], "bag sums, default": [1e-3], "product, default": [3e-3]}
    own = {**times, "pooling, default": [2e-3]}
    assert row(CASES["conv2d-9x9-16"], Samples(own))["best (fwd)"] == "2.00"
    assert row(CASES["conv2d-9x9-16"], Samples(own))["from own tables (fwd)"] == "1.60"
    assert row(CASES["conv2d-5x5-3"], Samples({"dense, default": [8e-3], "kernel, default": [2e-3]}))[
        "best (fwd)"
    ] == "0.80"  # fmt: skip


def test_with_backward_there_are_two_sums_and_three_products(monkeypatch):
    case, calls = CASES["conv2d-9x9-16"], []
    monkeypatch.setattr(bound_parts, "sum_bags", lambda table, *_: calls.append("sum") or table)
    monkeypatch.setattr(bound_parts, "product", lambda block, weight: calls.append("product") or block)
    parts = {part.operator: part for part in bound_contenders(case)}
    once = {}
    for name in ("bag sums", "product"):
        calls.clear()
        parts[name].forward()
        once[name] = len(calls)
        parts[name].training()
        assert len(calls) == once[name] * (1 + {"bag sums": 2, "product": 3}[name])
    times = {"dense, default": [24e-3], "bag sums, default": [2e-3], "product, default": [6e-3]}
    written = row(case, Samples(times), Samples({**times, "dense, default": [40e-3]}))
    assert written["best (fwd+bwd)"] == "5.00"


@pytest.mark.parametrize("in_place", [False, True])
def test_the_product_has_as_many_values_as_the_layer(monkeypatch, in_place):
    case, shapes, targets = CASES["conv2d-9x9-64"], [], []
    monkeypatch.setattr(bound_parts, "writes_in_place", lambda weight: in_place)
    monkeypatch.setattr(
        bound_parts, "product", lambda block, weight: targets.append(None) or shapes.append(block.shape)
    )
    write = lambda target, block: targets.append(target.shape) or shapes.append(block.shape)  # noqa: E731
    monkeypatch.setattr(bound_parts, "multiplier", lambda weight, bias, dtype: write)
    bound_parts.hot_product(case)()
    assert targets == [(rows, 64) if in_place else None for rows, _ in shapes]
    depth = case.layer().window.num_bags * case.in_channels
    assert all(columns == depth and rows * columns <= 1.1 * bound_parts.BLOCK_ELEMENTS for rows, columns in shapes)
    assert sum(rows for rows, _ in shapes) == pytest.approx(8 * 32 * 32, rel=0.01)


def test_depthwise_values_are_weighted_in_two_ways_as_many_as_the_layer_has(monkeypatch):
    case, shapes = CASES["depthwise2d-9x9-64"], []
    monkeypatch.setattr(bound_parts.functional, "conv2d", lambda x, kernel, groups: shapes.append(x.shape))
    ways = bound_parts.hot_weightings(case)
    sites, bags, channels = ways["default"]().shape
    assert (bags, channels) == (case.layer().window.num_bags, 64)
    assert sites * bags * channels <= 1.1 * bound_parts.BLOCK_ELEMENTS
    ways["channels last"]()
    assert {(shape[1], shape[3]) for shape in shapes} == {(channels, bags)}
    assert sum(shape[2] for shape in shapes) == pytest.approx(4 * 56 * 56, rel=0.01)


@pytest.mark.parametrize(
    ("name", "both"), [("conv2d-9x9-16", True), ("conv2d-5x5-3", False), ("depthwise2d-9x9-64", False)]
)
def test_backward_is_bounded_where_the_bag_engine_runs_both(name, both):
    assert bounds.bounds_backward(CASES[name]) is both


def test_the_command_prints_the_bounds(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    with torch.inference_mode():
        assert main(["--case", "smoke", "--seconds", "0.1"]) == 0
    assert "product" in capsys.readouterr().out
