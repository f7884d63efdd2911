"""The parts that a forward pass cannot do without."""

import pytest
import torch

from benchmarks import bounds
from benchmarks.bounds import bound_contenders, main, row
from benchmarks.cases import CASES
from benchmarks.samples import Samples
from lpsc_nd.pooling.dense_kernel import layer_kernel


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("conv2d-9x9-16", {"dense", "bag sums", "product"}),
        ("depthwise2d-9x9-64", {"dense", "bag sums"}),
        ("conv2d-5x5-3", {"dense", "kernel"}),
    ],
)
def test_each_engine_has_its_parts(name, parts):
    assert {part.operator for part in bound_contenders(CASES[name])} == parts


def test_hot_sums_are_as_many_and_as_long(monkeypatch):
    case, seen = CASES["smoke"], []
    monkeypatch.setattr(bounds, "sum_bags", lambda table, rows, offsets: seen.append((rows, offsets)) or table)
    bounds._hot_sums(case)()
    window = case.layer().window
    sites = case.input_shape[0] * case.input_shape[2] * case.input_shape[3]
    assert sum(len(offsets) - 1 for _, offsets in seen) == sites * window.num_bags
    assert sum(len(rows) for rows, _ in seen) <= sites * sum(window.stencil.counts + 1)
    assert all(int(offsets[-1]) == len(rows) for rows, offsets in seen)


def test_the_kernel_that_is_written_has_the_layer_s_size():
    case = CASES["conv2d-5x5-3"]
    layer = case.layer()
    expected = layer_kernel(layer.weight, layer.center_weight, layer.window, "mean")
    assert bounds._write_kernel(case)().numel() == expected.numel()


def test_the_ratio_is_dense_over_what_is_needed():
    times = {"dense, default": [8e-3], "bag sums, default": [1e-3], "product, default": [3e-3]}
    assert row(CASES["conv2d-9x9-16"], Samples(times))["x dense at the best"] == "2.00"
    assert row(CASES["conv2d-5x5-3"], Samples({"dense, default": [8e-3], "kernel, default": [2e-3]}))[
        "x dense at the best"
    ] == "0.80"  # fmt: skip


def test_the_command_prints_the_bounds(capsys):
    with torch.inference_mode():
        assert main(["--case", "smoke", "--seconds", "0.1"]) == 0
    assert "product" in capsys.readouterr().out
