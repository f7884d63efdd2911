"""``lpsc inspect kernels``: what a run has learned."""

from pathlib import Path

import pytest
import torch

from lightning_modules.classification import ClassificationTask
from lightning_modules.inspect_command.networks import CheckpointError, load_task
from lightning_modules.inspect_command.sources import Sources
from lightning_modules.training_cli import run

CONFIGS = Path(__file__).parents[3] / "configs"
LPSC = CONFIGS / "digits_lpsc.yaml"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A checkpoint of the log-polar network, as a run of one batch leaves it."""
    root = tmp_path_factory.mktemp("run")
    words = ["fit", "--config", str(LPSC), "--trainer.default_root_dir", str(root), "--trainer.max_epochs=1"]
    words += ["--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false", "--trainer.log_every_n_steps=1"]
    words += ["--trainer.limit_train_batches=1"]
    words += ["--model.init_args.network.init_args.widths=[4,8]", "--trainer.enable_model_summary=false"]
    run(words)
    return root / "version_0" / "checkpoints" / "last.ckpt"


def test_every_log_polar_layer_is_drawn(inspect, rows, checkpoint):
    folder, _ = inspect("kernels", "--checkpoint", checkpoint)
    table = {row["layer"]: row for row in rows(folder / "kernels.csv")}
    assert list(table) == [
        "stem.0", "stages.0.0.conv1", "stages.0.0.conv2", "stages.2.0.conv1", "stages.2.0.conv2"
    ]  # fmt: skip
    weight = torch.load(checkpoint, weights_only=True)["state_dict"]["network.stem.0.weight"]
    row = table["stem.0"]
    assert float(row["largest weight"]) == pytest.approx(float(weight.abs().max()), abs=1e-4)
    assert (row["window"], row["regions"], row["kernels"], row["channels"]) == ("5 x 5", "12", "4", "1")
    for name in table:
        assert (folder / f"kernels_{name}.png").read_bytes().startswith(b"\x89PNG")
        assert (folder / f"kernels_{name}.svg").stat().st_size > 0


def test_one_layer_s_dense_kernels(inspect, checkpoint):
    folder, _ = inspect("kernels", "--checkpoint", checkpoint, "--layer", "stem.0", "--values", "taps")
    assert [path.name for path in folder.glob("*.png")] == ["kernels_stem.0.png"]


def test_the_checkpoint_s_weights_are_loaded(checkpoint):
    task = load_task(checkpoint, None, Sources(build=None, images=None))
    state = torch.load(checkpoint, weights_only=True)["state_dict"]
    assert isinstance(task, ClassificationTask)
    assert all(torch.equal(value, state[name]) for name, value in task.state_dict().items())


def changed(checkpoint, tmp_path, change):
    """A copy of the checkpoint with something else in it."""
    content = torch.load(checkpoint, weights_only=True)
    change(content)
    torch.save(content, tmp_path / "changed.ckpt")
    return tmp_path / "changed.ckpt"


def without_network(content):
    del content["hyper_parameters"]["network"]


def with_another_task(content):
    content["hyper_parameters"]["_class_path"] = "torch.nn.Linear"


def with_an_unknown_task(content):
    content["hyper_parameters"]["_class_path"] = "no_such_package.Task"


def with_an_unknown_network(content):
    content["hyper_parameters"]["network"]["class_path"] = "lpsc_nd.models.NoNet"


def with_a_network_of_wrong_arguments(content):
    content["hyper_parameters"]["network"]["init_args"]["widths"] = [0]


def without_a_weight(content):
    del content["state_dict"]["network.stem.0.weight"]


def without_weights(content):
    del content["state_dict"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (without_network, "does not hold its network's configuration; give --config as well"),
        (with_another_task, "'torch.nn.Linear', which is no BaseTask"),
        (with_an_unknown_task, "'no_such_package.Task', which cannot be imported"),
        (with_an_unknown_network, "does not fit the network: "),
        (with_a_network_of_wrong_arguments, "does not fit the network: "),
        (without_a_weight, "does not fit the network: "),
        (without_weights, "is not a checkpoint of lpsc fit: it has no state_dict"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(refused, checkpoint, tmp_path, change, reason):
    path = changed(checkpoint, tmp_path, change)
    message = refused("kernels", "--checkpoint", path)
    assert f"{path}: " in message
    assert reason in message


def test_a_configuration_of_another_size_does_not_fit(refused, checkpoint):
    assert f"{checkpoint}: does not fit the network" in refused("kernels", "--checkpoint", checkpoint, "--config", LPSC)


def test_a_checkpoint_without_configuration_is_read_with_one(inspect, checkpoint, tmp_path):
    small = tmp_path / "small.yaml"
    small.write_text(LPSC.read_text().replace("[20, 40]", "[4, 8]"))
    path = changed(checkpoint, tmp_path, without_network)
    folder, _ = inspect("kernels", "--checkpoint", path, "--config", small, "--layer", "stem.0")
    assert (folder / "kernels_stem.0.png").exists()


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 cut"])
def test_damaged_files_are_refused(refused, tmp_path, content):
    path = tmp_path / "damaged.ckpt"
    path.write_bytes(content)
    assert f"{path}: cannot be read as a checkpoint, is it complete?" in refused("kernels", "--checkpoint", path)


def test_a_cut_off_checkpoint_is_refused(checkpoint, tmp_path):
    path = tmp_path / "cut.ckpt"
    path.write_bytes(checkpoint.read_bytes()[:-1000])
    with pytest.raises(CheckpointError, match="cannot be read as a checkpoint"):
        load_task(path, None, Sources(build=None, images=None))


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--checkpoint", "none.ckpt"], "none.ckpt does not exist"),
        ([], "the following arguments are required: --checkpoint"),
    ],
)
def test_no_checkpoint_is_refused(refused, words, reason):
    assert reason in refused("kernels", *words)


def test_an_unknown_layer_is_refused(refused, checkpoint):
    assert "--layer must be among stem.0, " in refused("kernels", "--checkpoint", checkpoint, "--layer", "stem.1")


def test_a_network_without_log_polar_layers_is_refused(refused, fitted):
    message = refused("kernels", "--checkpoint", fitted / "checkpoints" / "last.ckpt")
    assert "the ResidualNet has no log-polar layers" in message
