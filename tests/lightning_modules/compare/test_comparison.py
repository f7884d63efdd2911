"""Comparisons run as a user runs them: kept, interrupted, failed and told."""

import json
import os
import signal
import threading

import pytest
import torch
from torch import nn

from lightning_modules.callbacks import EpochTimer
from lightning_modules.compare.command import main
from lightning_modules.compare.comparison import warn_of_unequal
from lightning_modules.compare.records import Result
from lightning_modules.compare.termination import watch_termination
from lpsc_nd.models import ResidualNet


@pytest.fixture(autouse=True)
def _signals():
    """Leave Ctrl+C as it was: Lightning ignores it once it has ended a run."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def compare(configs, tiny):
    """Run ``lpsc compare`` on tiny networks; the exit code, or None."""

    def call(output, *words, names=("digits_conv",)):
        files = [str(configs / f"{name}.yaml") for name in names]
        try:
            main([*files, "--output", str(output), "--num-seeds", "1", *tiny, *words])
        except SystemExit as end:
            return end.code
        return None

    return call


@pytest.fixture(scope="module")
def finished(compare, tmp_path_factory):
    """The output folder of a finished comparison of two networks."""
    output = tmp_path_factory.mktemp("finished")
    names = ("digits_conv", "digits_dilated")
    assert compare(output, "--metrics", "test/loss", "val/accuracy", names=names) is None
    return output


def result_of(output, name="digits_conv"):
    return json.loads((output / name / "seed_0" / "result.json").read_text())


def without_times(epochs):
    """What two equal runs log equally."""
    return [{key: value for key, value in row.items() if key != "train/seconds"} for row in epochs]


def stop_once(monkeypatch, action, epoch=2):
    """Act after the first batch of an epoch, the first time that one gets there."""
    done = []

    def on_train_batch_end(callback, trainer, pl_module, outputs, batch, batch_idx):
        if trainer.current_epoch == epoch and batch_idx == 0 and not done:
            done.append(True)
            action()

    monkeypatch.setattr(EpochTimer, "on_train_batch_end", on_train_batch_end)


def test_the_report_is_there(finished):
    names = {path.name for path in finished.iterdir()}
    assert names == {"digits_conv", "digits_dilated", "runs.csv", "table.csv", "table.md", "scores.png", "scores.svg"}
    assert (finished / "scores.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (finished / "scores.svg").read_text()
    result = result_of(finished)
    line = next(line for line in (finished / "table.md").read_text().splitlines() if line.startswith("| digits_conv"))
    assert f"| {result['scores']['test/loss']:.4f} |" in line
    assert f"| {max(epoch['val/accuracy'] for epoch in result['epochs']):.4f} |" in line


def test_a_result_holds_every_epoch_and_the_number_of_parameters(finished, configs):
    result = result_of(finished, "digits_dilated")
    assert [row["epoch"] for row in result["epochs"]] == [0, 1, 2]
    assert {"train/loss", "train/seconds", "val/loss", "val/accuracy"} <= set(result["epochs"][0])
    network = ResidualNet(2, lambda a, b: nn.Conv2d(a, b, 3, padding=1, bias=False), 1, 10, [2, 3])
    assert result["parameters"] == sum(parameter.numel() for parameter in network.parameters())


def test_the_last_checkpoint_is_that_of_the_last_epoch_and_knows_all(finished):
    path = finished / "digits_conv" / "seed_0" / "checkpoints" / "last.ckpt"
    checkpoint = torch.load(path, weights_only=True)
    assert checkpoint["epoch"] == 2
    (state,) = (state for name, state in checkpoint["callbacks"].items() if "EpochCheckpoint" in name)
    assert [{"epoch": epoch, **values} for epoch, values in state["epochs"].items()] == result_of(finished)["epochs"]


def test_the_last_checkpoint_is_tested_where_it_is_asked_for(compare, finished, tmp_path):
    assert compare(tmp_path, "--evaluate", "last") is None
    best, last = result_of(finished), result_of(tmp_path)
    assert without_times(best["epochs"]) == without_times(last["epochs"])
    assert best["scores"] != last["scores"]
    assert "Tested: each run's last checkpoint." in (tmp_path / "table.md").read_text()


def test_the_checkpoint_that_the_configuration_prefers_is_tested(finished):
    folder = finished / "digits_conv" / "seed_0" / "checkpoints"
    best = min(result_of(finished)["epochs"], key=lambda row: row["val/loss"])
    assert torch.load(folder / "best.ckpt", weights_only=True)["epoch"] == best["epoch"]
    assert best["epoch"] < 2  # so that it is not the last one either
    assert sorted(path.name for path in folder.iterdir()) == ["best.ckpt", "last.ckpt"]


def test_finished_runs_are_kept(compare, finished, monkeypatch, capsys):
    monkeypatch.setattr("lightning_modules.compare.comparison.execute", None)
    before = {path: path.stat().st_mtime_ns for path in finished.rglob("result.json")}
    assert compare(finished, "--metrics", "test/accuracy", names=("digits_conv", "digits_dilated")) is None
    assert {path: path.stat().st_mtime_ns for path in finished.rglob("result.json")} == before
    assert "finished before" in capsys.readouterr().out
    assert "test/accuracy" in (finished / "table.md").read_text()


def test_runs_of_another_configuration_are_not_mixed(compare, finished, monkeypatch, capsys):
    monkeypatch.setattr("lightning_modules.compare.comparison.execute", None)
    assert compare(finished, "--trainer.max_epochs=4") == 2
    assert "trainer.max_epochs was 3 and is 4" in capsys.readouterr().err
    assert compare(finished, "--evaluate", "last") == 2
    assert 'evaluate was "best" and is "last"' in capsys.readouterr().err


def test_a_metric_that_nobody_logged_is_told_after_all_runs(compare, finished, capsys):
    assert compare(finished, "--metrics", "test/acuracy") == 2
    assert "got 'test/acuracy'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("action", "code"),
    [
        (lambda: signal.raise_signal(signal.SIGINT), 130),
        (lambda: os.kill(os.getpid(), signal.SIGTERM), 143),
    ],
    ids=["ctrl-c", "sigterm"],
)
def test_an_interrupted_run_goes_on_and_ends_as_an_uninterrupted_one(
    compare, finished, tmp_path, monkeypatch, capsys, action, code
):
    stop_once(monkeypatch, action)
    assert compare(tmp_path) == code
    assert "the same command goes on" in capsys.readouterr().err
    folder = tmp_path / "digits_conv" / "seed_0"
    assert not (folder / "result.json").exists()
    assert torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["epoch"] == 1
    signal.signal(signal.SIGINT, signal.default_int_handler)
    assert compare(tmp_path, "--metrics", "test/loss") is None
    assert "goes on" in capsys.readouterr().out
    resumed, whole = result_of(tmp_path), result_of(finished)
    assert without_times(resumed["epochs"]) == without_times(whole["epochs"])
    assert (resumed["scores"], resumed["digest"]) == (whole["scores"], whole["digest"])


def test_a_sigterm_that_lightning_does_not_see_ends_the_comparison_after_the_run(compare, tmp_path, monkeypatch):
    def execute(run, digest):
        os.kill(os.getpid(), signal.SIGTERM)
        return Result(run.name, run.seed, 1, {"test/accuracy": 0.5}, [], digest, {})

    monkeypatch.setattr("lightning_modules.compare.comparison.execute", execute)
    before = signal.getsignal(signal.SIGTERM)
    assert compare(tmp_path, names=("digits_conv", "digits_dilated")) == 143
    assert [path.parent.parent.name for path in tmp_path.rglob("result.json")] == ["digits_conv"]
    assert signal.getsignal(signal.SIGTERM) == before


def test_outside_the_main_thread_signals_are_left_alone():
    def watch():
        with watch_termination() as termination:
            termination.check()
            seen.append(signal.getsignal(signal.SIGTERM))

    seen = []
    thread = threading.Thread(target=watch)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGTERM)]


def fail():
    raise RuntimeError("the disk is full")


def test_a_failed_run_is_told_and_the_others_go_on(compare, tmp_path, monkeypatch, capsys):
    stop_once(monkeypatch, fail)
    names = ("digits_conv", "digits_dilated")
    assert compare(tmp_path, names=names) == 1
    folder = tmp_path / "digits_conv" / "seed_0"
    error = capsys.readouterr().err
    assert "failed: digits_conv, seed 0: RuntimeError: the disk is full" in error
    assert str(folder / "failure.txt") in error
    assert "Traceback" in (folder / "failure.txt").read_text()
    table = (tmp_path / "table.md").read_text()
    assert "| digits_conv | - | - | 0 | - |" in table
    assert "| digits_dilated | " in table
    assert compare(tmp_path, names=names) is None
    assert not (folder / "failure.txt").exists()
    assert [row["epoch"] for row in result_of(tmp_path)["epochs"]] == [0, 1, 2]


def test_without_a_best_checkpoint_there_is_none_to_test(compare, tmp_path, capsys):
    assert compare(tmp_path, "--checkpoint.save_top_k=0", "--trainer.max_epochs=1") == 1
    assert "there is no best checkpoint to test: set checkpoint.save_top_k to 1" in capsys.readouterr().err


def test_if_all_runs_fail_there_is_no_table(compare, tmp_path, monkeypatch):
    stop_once(monkeypatch, fail, epoch=0)
    assert compare(tmp_path) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["digits_conv"]


def test_a_wrong_configuration_is_found_before_the_first_run(compare, tmp_path, capsys):
    assert compare(tmp_path / "new", "--trainer.max_epoks=3") == 2
    assert "max_epoks" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_a_run_does_not_inherit_determinism(compare, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(
        EpochTimer, "on_train_epoch_start", lambda *_: seen.append(torch.are_deterministic_algorithms_enabled())
    )
    monkeypatch.setattr(EpochTimer, "on_train_epoch_end", lambda *_: None)
    torch.use_deterministic_algorithms(True)
    assert compare(tmp_path, "--trainer.deterministic=null", "--trainer.max_epochs=1") is None
    assert seen == [False]


def test_unequal_parameters_are_warned_about():
    warn_of_unequal({"a": 100, "b": 102})
    with pytest.warns(UserWarning, match="parameters differ by more than 2%: a 100, b 103"):
        warn_of_unequal({"a": 100, "b": 103})


def test_equal_parameters_are_asked_for(compare, finished, monkeypatch):
    monkeypatch.setattr("lightning_modules.compare.comparison.warn_of_unequal", _refuse)
    with pytest.raises(AssertionError, match=r"\['digits_conv', 'digits_dilated'\]"):
        compare(finished, "--equal-parameters", names=("digits_conv", "digits_dilated"))


def _refuse(parameters):
    raise AssertionError(sorted(parameters))
