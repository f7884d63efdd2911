"""What all tasks share."""

import pytest
import torch
from torch import nn
from torch.optim import SGD, AdamW
from torch.optim.lr_scheduler import ReduceLROnPlateau, StepLR

from lightning_modules.base import is_plain
from lightning_modules.classification import ClassificationTask


def network():
    return nn.Sequential(nn.Flatten(), nn.Linear(4, 3))


@pytest.mark.parametrize("value", [1, 0.5, "a", True, None, [1, "a"], (1, 2), {"a": [1, {"b": None}]}])
def test_plain_values(value):
    assert is_plain(value)


@pytest.mark.parametrize("value", [torch.zeros(1), nn.Identity(), AdamW, [nn.Identity()], {"a": torch.zeros(1)}, print])
def test_objects_are_not_plain(value):
    assert not is_plain(value)


def test_plain_arguments_are_recorded_and_objects_left_out():
    task = ClassificationTask(network(), num_classes=3, optimizer=SGD, label_smoothing=0.1)
    expected = {"num_classes": 3, "label_smoothing": 0.1, "monitor": "val/loss", "scheduler": None, "auc": False}
    assert dict(task.hparams) == expected


def test_the_optimizer_gets_every_parameter():
    task = ClassificationTask(network(), 3, optimizer=lambda parameters: SGD(parameters, lr=0.25))
    optimizer = task.configure_optimizers()
    assert isinstance(optimizer, SGD)
    assert optimizer.param_groups[0]["lr"] == 0.25
    assert optimizer.param_groups[0]["params"] == list(task.parameters())


def test_a_schedule_is_built_on_the_optimizer():
    task = ClassificationTask(network(), 3, scheduler=lambda optimizer: StepLR(optimizer, 2))
    built = task.configure_optimizers()
    assert built["lr_scheduler"]["scheduler"].optimizer is built["optimizer"]
    assert "monitor" not in built["lr_scheduler"]


def test_a_plateau_schedule_is_told_what_to_watch():
    task = ClassificationTask(network(), 3, scheduler=ReduceLROnPlateau, monitor="val/f1")
    assert task.configure_optimizers()["lr_scheduler"]["monitor"] == "val/f1"


def test_forward_is_the_network():
    task = ClassificationTask(network(), 3)
    x = torch.randn(2, 1, 2, 2)
    assert torch.equal(task(x), task.network(x))
