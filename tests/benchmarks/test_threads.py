"""The ratios of one thread and of several, measured in turns."""

import pytest
import torch

from benchmarks import threads
from benchmarks.cases import CASES
from benchmarks.references import conv_contender
from benchmarks.samples import Samples
from benchmarks.threads import kept, main, measure, on_threads, row

TIMES = {
    "dense on 1, default": [8.0, 12.0, 9.0],
    "dense on 2, default": [6.0, 6.0, 6.0],
    "dense on 2, channels last": [4.0, 6.0, 4.0],
    "ours on 1, default": [2.0, 2.0, 3.0],
    "ours on 2, default": [2.0, 1.5, 2.0],
}


def test_what_is_kept_is_the_ratio_of_ratios_of_the_best_layouts():
    samples = Samples(TIMES)
    assert kept(samples, 2) == pytest.approx(4 / 2 / (9 / 3))  # of 2 / 4, 4 / 6 and 2 / 3
    written = row(CASES["smoke"], {"forward": samples}, 2)
    assert written["x dense on 1 (fwd)"] == "4.00"
    assert written["x dense on 2 (fwd)"] == "2.00"
    assert written["kept (fwd)"] == "0.67"


def test_a_contender_runs_on_its_threads():
    layer, before = CASES["smoke"].layer(), torch.get_num_threads()
    seen = []
    layer.register_forward_hook(lambda *_: seen.append(torch.get_num_threads()))
    contender = conv_contender("ours", layer, torch.randn(CASES["smoke"].input_shape), "default")
    try:
        for number in (2, 1):
            on_threads(contender, number).forward()
            on_threads(contender, number).training()
    finally:
        torch.set_num_threads(before)
    assert seen == [2, 2, 1, 1]
    assert on_threads(contender, 2).name == "ours on 2, default"


def test_the_number_of_threads_is_left_as_it_was():
    before = torch.get_num_threads()
    measured = measure(CASES["smoke"], 2, 0.05)
    assert torch.get_num_threads() == before
    for samples in measured.values():
        assert {name.rpartition(",")[0] for name in samples.seconds} == {
            f"{operator} on {number}" for operator in ("ours", "dense") for number in (1, 2)
        }


def test_without_one_of_the_contenders_there_is_no_ratio():
    with pytest.raises(ValueError, match="on each number of threads"):
        kept(Samples({"dense on 1, default": [1.0], "ours on 1, default": [1.0]}), 2)


def test_the_command_prints_what_is_kept(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(threads, "RESULTS", tmp_path)
    monkeypatch.setattr(threads, "measure", lambda *_: {"forward": Samples(TIMES)})
    assert main(["--case", "smoke", "--seconds", "0.05"]) == 0
    assert "0.67" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(threads, "TARGETS", (CASES["smoke"],))
    assert main(["--seconds", "0.05"]) == 0
    (written,) = tmp_path.glob("*/threads.csv")
    assert "0.67" in written.read_text()


def test_one_thread_is_no_comparison(capsys):
    with pytest.raises(SystemExit):
        main(["--threads", "1"])
    assert "--threads must be 2 or more, got 1" in capsys.readouterr().err
