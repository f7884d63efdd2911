"""The command line, run as a user runs it."""

import csv
import os
import signal

import pytest
import torch

from lightning_modules.callbacks import EpochTimer
from lightning_modules.classification import ClassificationTask
from lightning_modules.cli import main
from lpsc_nd.models import ResidualNet


def metrics(folder):
    """The logged rows of a run, the measured times left out."""
    with (folder / "metrics.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if k != "train/seconds"} for row in csv.DictReader(file)]


@pytest.mark.parametrize("words", [[], ["fit"], ["test"], ["predict"], ["validate"]])
def test_a_bare_command_prints_help_and_fails(words, capsys):
    with pytest.raises(SystemExit) as exit_info:
        main(words)
    output = capsys.readouterr()
    assert exit_info.value.code == 2
    assert "usage: lpsc" in output.err
    assert "lpsc fit --config configs/digits_lpsc.yaml" in output.err
    assert output.out == ""


def test_help_succeeds(capsys):
    with pytest.raises(SystemExit) as exit_info:
        main(["--help"])
    assert exit_info.value.code == 0
    assert "usage: lpsc" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--trainer.max_epoks=3"], "max_epoks"),
        (["--model.init_args.network.init_args.conv.init_args.kernel_sise=3"], "kernel_sise"),
        (["--data.init_args.batch_sice=3"], "batch_sice"),
        (["--model.class_path=lightning_modules.classification.Clasification"], "Clasification"),
        (["--data.init_args.batch_size=many"], "batch_size"),
        (["--config", "no_such_file.yaml"], "no_such_file.yaml"),
    ],
)
def test_a_wrong_configuration_is_refused_by_name(lpsc, tmp_path, capsys, words, named):
    with pytest.raises(SystemExit) as exit_info:
        lpsc("fit", tmp_path, *words)
    assert exit_info.value.code == 2
    assert named in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_key_in_a_file_is_refused_by_name(lpsc, tmp_path, capsys):
    extra = tmp_path / "extra.yaml"
    extra.write_text("trainer:\n  max_epochs: 1\nmodle:\n  class_path: x\n")
    with pytest.raises(SystemExit) as exit_info:
        lpsc("fit", tmp_path / "run", "--config", str(extra))
    assert exit_info.value.code == 2
    assert "modle" in capsys.readouterr().err


def test_a_run_leaves_its_configuration_logs_and_checkpoints(fitted):
    names = {path.relative_to(fitted).as_posix() for path in fitted.rglob("*") if path.is_file()}
    assert {"config.yaml", "metrics.csv", "checkpoints/best.ckpt", "checkpoints/last.ckpt"} <= names
    assert any(name.startswith("events.out.tfevents") for name in names)
    rows = metrics(fitted)
    assert {"train/loss", "val/loss", "val/accuracy", "val/f1", "val/mean_accuracy"} <= set(rows[0])
    assert {row["epoch"] for row in rows} == {"0", "1"}


def test_a_checkpoint_holds_plain_types_and_builds_the_task_again(fitted):
    path = fitted / "checkpoints" / "last.ckpt"
    checkpoint = torch.load(path, weights_only=True)
    assert checkpoint["hyper_parameters"]["network"]["class_path"] == "lpsc_nd.models.ResidualNet"
    task = ClassificationTask.load_from_checkpoint(path)
    assert isinstance(task.network, ResidualNet)
    for name, value in task.state_dict().items():
        assert torch.equal(value, checkpoint["state_dict"][name])


def test_evaluation_of_a_checkpoint(lpsc, fitted, tmp_path):
    best = ["--ckpt_path", str(fitted / "checkpoints" / "best.ckpt")]
    lpsc("validate", tmp_path, *best)
    trained = min(metrics(fitted), key=lambda row: float(row["val/loss"] or "inf"))
    again = metrics(tmp_path / "version_0")[-1]
    for name in ("val/loss", "val/accuracy"):
        assert float(again[name]) == pytest.approx(float(trained[name]), rel=1e-6)
    assert "test/accuracy" in lpsc("test", tmp_path, *best).trainer.callback_metrics


def test_prediction_writes_the_test_set_s_table(lpsc, fitted, tmp_path):
    best = ["--ckpt_path", str(fitted / "checkpoints" / "best.ckpt")]
    accuracy = float(lpsc("test", tmp_path, *best).trainer.callback_metrics["test/accuracy"])
    data = lpsc("predict", tmp_path, *best).datamodule
    with (tmp_path / "version_1" / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["index"]) for row in rows] == list(range(len(data.splits.test)))
    assert [int(row["target"]) for row in rows] == data.splits.test.tensors[1].tolist()
    assert sum(row["target"] == row["predicted"] for row in rows) / len(rows) == pytest.approx(accuracy)
    assert sum(float(rows[0][f"probability_{i}"]) for i in range(10)) == pytest.approx(1.0, abs=1e-5)


def test_an_evaluation_without_a_checkpoint_is_warned_about(lpsc, tmp_path):
    with pytest.warns(UserWarning, match="lpsc test without --ckpt_path: the network has its initial weights"):
        lpsc("test", tmp_path)


def test_the_same_seed_gives_the_same_numbers(lpsc, fitted, tmp_path):
    lpsc("fit", tmp_path, "--trainer.max_epochs=2")
    lpsc("fit", tmp_path, "--trainer.max_epochs=2", "--seed_everything=1")
    assert metrics(tmp_path / "version_0") == metrics(fitted)
    assert metrics(tmp_path / "version_1") != metrics(fitted)


def test_a_resumed_run_ends_as_an_uninterrupted_one(lpsc, fitted, tmp_path):
    lpsc("fit", tmp_path, "--trainer.max_epochs=1")
    first = tmp_path / "version_0"
    last = str(first / "checkpoints" / "last.ckpt")
    lpsc("fit", tmp_path, "--trainer.max_epochs=2", "--ckpt_path", last)
    assert metrics(first) + metrics(tmp_path / "version_1") == metrics(fitted)


def terminate_in_the_second_epoch(callback, trainer, pl_module, outputs, batch, batch_idx):
    if trainer.current_epoch == 1 and batch_idx == 3:
        os.kill(os.getpid(), signal.SIGTERM)


def test_sigterm_keeps_the_last_whole_epoch_and_is_told_by_the_exit_code(lpsc, tmp_path, monkeypatch):
    monkeypatch.setattr("lightning_modules.cli.run", lambda words: lpsc(*words))
    monkeypatch.setattr(EpochTimer, "on_train_batch_end", terminate_in_the_second_epoch)
    with pytest.raises(SystemExit) as exit_info:
        main(["fit", str(tmp_path), "--trainer.max_epochs=3"])
    assert exit_info.value.code == 143
    folder = tmp_path / "version_0" / "checkpoints"
    for name in ("best.ckpt", "last.ckpt"):
        assert torch.load(folder / name, weights_only=True)["global_step"] == 17  # batches of the first epoch


def test_the_last_checkpoint_is_that_of_the_last_epoch_even_if_it_was_not_the_best(lpsc, tmp_path):
    lpsc("fit", tmp_path, "--trainer.max_epochs=3", "--checkpoint.mode=max")  # the loss is highest at first
    steps = {
        name: torch.load(tmp_path / "version_0" / "checkpoints" / name, weights_only=True)["global_step"]
        for name in ("best.ckpt", "last.ckpt")
    }
    assert steps == {"best.ckpt": 17, "last.ckpt": 51}


def test_other_commands_are_reached(capsys, tmp_path):
    main(["inspect", "mask", "--kernel-size", "5", "--output", str(tmp_path / "mask")])
    assert (tmp_path / "mask" / "mask.csv").exists()
    with pytest.raises(SystemExit) as exit_info:
        main(["compare", "--help"])
    assert exit_info.value.code == 0
    assert "usage: lpsc compare" in capsys.readouterr().out
