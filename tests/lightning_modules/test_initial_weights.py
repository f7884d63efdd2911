"""Starting from a file of weights: what is loaded, when, and what is refused."""

import re
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from lightning_modules.classification import ClassificationTask
from lightning_modules.initial_weights import InitialWeights, WeightsError


def encoder():
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))


def task():
    network = nn.Sequential()
    network.add_module("encoder", encoder())
    network.add_module("head", nn.Linear(2, 2))
    return ClassificationTask(network, 2)


@pytest.fixture
def stored(tmp_path):
    """A donor's weights under the names ``low.0.*`` and ``low.1.*``, and a classifier's, in a file."""
    donor = encoder()
    donor[1].running_mean += 3
    donor[1].num_batches_tracked += 7
    weights = {f"low.{name}": value for name, value in donor.state_dict().items()}
    path = tmp_path / "weights.pth"
    torch.save(weights | {"fc.weight": torch.zeros(5, 2)}, path)
    return path, donor.state_dict()


def equal(part, weights):
    return all(torch.equal(value, weights[name]) for name, value in part.state_dict().items())


RENAMED = {"0.": "low.0.", "1.": "low.1."}


def test_the_part_gets_the_weights_and_the_rest_stays(stored):
    path, weights = stored
    model = task()
    head = model.network.head.weight.detach().clone()
    assert not equal(model.network.encoder, weights)
    InitialWeights(path, "network.encoder", RENAMED).load_into(model)
    assert equal(model.network.encoder, weights)
    assert torch.equal(model.network.head.weight, head)


def test_names_may_be_the_file_s_own(tmp_path):
    weights = encoder().state_dict()
    torch.save(weights, tmp_path / "weights.pth")
    model = task()
    InitialWeights(tmp_path / "weights.pth", "network.encoder").load_into(model)
    assert equal(model.network.encoder, weights)


@pytest.mark.parametrize("stage", ["fit", "validate", "test", "predict"])
def test_only_training_reads_the_file(stored, stage):
    path, weights = stored
    model = task()
    InitialWeights(path, "network.encoder", RENAMED).setup(SimpleNamespace(), model, stage)
    assert equal(model.network.encoder, weights) == (stage == "fit")


def test_a_run_that_goes_on_keeps_its_own_weights(lpsc, fitted, tmp_path):
    def stem(cli):
        return cli.model.network.stem.state_dict()

    last = torch.load(fitted / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    own = {name: value for name, value in last.items() if name.startswith("network.stem.")}
    other = {name.removeprefix("network.stem."): torch.ones_like(value) for name, value in own.items()}
    torch.save(other, tmp_path / "ones.pth")
    words = [
        "--trainer.callbacks=lightning_modules.initial_weights.InitialWeights",
        f"--trainer.callbacks.path={tmp_path / 'ones.pth'}",
        "--trainer.callbacks.module=network.stem",
        "--trainer.limit_train_batches=0",
        "--trainer.max_epochs=2",
    ]
    started = stem(lpsc("fit", tmp_path, *words))
    assert all(torch.equal(value, other[name]) for name, value in started.items())
    gone_on = stem(lpsc("fit", tmp_path, *words, "--ckpt_path", str(fitted / "checkpoints" / "last.ckpt")))
    assert all(torch.equal(value, last[f"network.stem.{name}"]) for name, value in gone_on.items())


def test_files_older_than_the_counter_of_batches_are_read(stored):
    path, weights = stored
    torch.save({name: value for name, value in torch.load(path).items() if "num_batches" not in name}, path)
    model = task()
    InitialWeights(path, "network.encoder", RENAMED).load_into(model)
    assert equal(model.network.encoder, weights | {"1.num_batches_tracked": torch.tensor(0)})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "must hold 'low.0.weight' for network.encoder.0.weight"),
        ({"low.0.weight": 3}, "must hold 'low.0.weight' for network.encoder.0.weight"),
        (
            {"low.0.weight": torch.zeros(2, 1, 5, 5)},
            "'low.0.weight' must have shape (2, 1, 3, 3) for network.encoder.0.weight, got (2, 1, 5, 5)",
        ),
        (torch.zeros(3), "must hold a state dict, got Tensor"),
    ],
)
def test_a_file_that_does_not_fit_is_named(tmp_path, content, message):
    path = tmp_path / "weights.pth"
    torch.save(content, path)
    with pytest.raises(WeightsError, match=rf"^{re.escape(f'{path}: {message}')}"):
        InitialWeights(path, "network.encoder", RENAMED).load_into(task())


def test_a_damaged_file_is_named(stored):
    path, _ = stored
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(WeightsError, match=rf"^{re.escape(str(path))}: cannot be read as weights"):
        InitialWeights(path, "network.encoder", RENAMED).load_into(task())


def test_a_missing_file_and_a_missing_part_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent\.pth does not exist"):
        InitialWeights(tmp_path / "absent.pth", "network.encoder").load_into(task())
    with pytest.raises(ValueError, match="module must be a part of the task, such as 'network', got 'encoder'"):
        InitialWeights(tmp_path / "absent.pth", "encoder").load_into(task())
