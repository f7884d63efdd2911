"""The benchmark of layers on a GPU, as far as it runs without one."""

import pytest
import torch

from benchmarks import gpu
from benchmarks.cases import CASES, TARGETS
from benchmarks.gpu import contenders, enlarged, large_targets, main, measure, rows
from benchmarks.samples import Samples


def test_batches_are_larger_and_no_case_is_timed_twice():
    assert enlarged(CASES["conv2d-9x9-64"]).input_shape == (128, 64, 32, 32)
    shapes = [(case.input_shape, case.kernel_size, case.groups, case.out_channels) for case in large_targets()]
    assert len(set(shapes)) == len(shapes)
    assert len(shapes) == len(TARGETS) - 2


@pytest.mark.parametrize("dtype", [None, torch.bfloat16])
def test_contenders_wait_for_the_device_and_cast_forward(monkeypatch, dtype):
    waited = []
    monkeypatch.setattr(gpu, "synchronize", waited.append)
    for contender in contenders(CASES["smoke"], "cpu", dtype):
        waited.clear()
        assert contender.forward().dtype == (dtype or torch.float32)
        assert {gradient.dtype for gradient in contender.training()} == {torch.float32}
        assert waited == ["cpu", "cpu"]


def test_every_contender_takes_part_in_every_pass_and_precision():
    measured = measure(CASES["smoke"], "cpu", 0.02)
    assert set(measured.samples) == {"float32", "bfloat16"}
    operators = {"ours", "dense", "small", "dilated", "engine expand", "engine bags"}
    for passes in measured.samples.values():
        for samples in passes.values():
            assert {name.rpartition(",")[0] for name in samples.seconds} == operators
    assert [row["precision"] for row in rows(measured)] == ["float32", "bfloat16"]


def test_rows_tell_ratios_to_ours():
    samples = Samples({"ours, default": [2e-3, 2e-3], "dense, default": [3e-3, 5e-3]})
    (row,) = rows(gpu.GpuMeasurement(CASES["smoke"], {"float32": {"forward": samples}}))
    assert row["ms (fwd)"] == "2"
    assert row["x dense (fwd)"] == "2.00"
    assert row["x bags (fwd)"] == ""


def test_without_a_gpu_it_says_so(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit):
        main([])
    assert "no GPU" in capsys.readouterr().err
