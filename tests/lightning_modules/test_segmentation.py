"""The segmentation task: its loss, its rates, and runs from Python."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pytorch_lightning import Trainer
from sklearn.metrics import log_loss
from torch import nn
from torch.nn import functional as F
from torch.optim import SGD
from torch.utils.data import DataLoader, TensorDataset

from lightning_modules.rates import PolynomialFloorLR
from lightning_modules.segmentation import SegmentationTask, at_size_of, masked_cross_entropy

CLASSES = 3


class Net(nn.Module):
    """A backbone and a head, one convolution each."""

    def __init__(self):
        super().__init__()
        self.backbone = nn.Conv2d(3, 4, 3, padding=1)
        self.head = nn.Conv2d(4, CLASSES, 1)

    def forward(self, x):
        return self.head(self.backbone(x).relu())


@pytest.fixture
def trainer(tmp_path):
    def make(**options):
        quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
        return Trainer(default_root_dir=tmp_path, **{"max_epochs": 1} | quiet | options)

    return make


def pixels(number=6, size=8):
    generator = torch.Generator().manual_seed(0)
    target = torch.randint(CLASSES, (number, size, size), generator=generator)
    noise = torch.randn(number, 3, size, size, generator=generator)
    images = F.one_hot(target, 3).permute(0, 3, 1, 2).float() + 0.1 * noise
    target[:, 0] = 255
    return DataLoader(dataset=TensorDataset(images, target), batch_size=4)


@given(seed=st.integers(0, 99), void=st.floats(0, 1))
def test_the_loss_is_the_mean_over_pixels_that_are_not_void(seed, void):
    torch.manual_seed(seed)
    scores = torch.randn(2, CLASSES, 4, 5, dtype=torch.float64, requires_grad=True)
    target = torch.randint(CLASSES, (2, 4, 5)).masked_fill(torch.rand(2, 4, 5) < void, 255)
    known = target != 255
    loss = masked_cross_entropy(scores, target)
    if known.any():
        probability = scores.detach().softmax(dim=1).movedim(1, -1)[known]
        assert loss.item() == pytest.approx(log_loss(target[known], probability, labels=range(CLASSES)))
    else:
        assert loss.item() == 0
    loss.backward()
    assert scores.grad.isfinite().all()
    assert scores.grad.movedim(1, -1)[~known].abs().sum() == 0


def test_scores_are_brought_to_the_size_of_the_target():
    scores = torch.randn(2, 3, 4, 4)
    assert at_size_of(torch.zeros(2, 4, 4), scores) is scores
    assert at_size_of(torch.zeros(2, 7, 9), scores).shape == (2, 3, 7, 9)
    flat = torch.full((1, 1, 2, 2), 5.0)
    assert (at_size_of(torch.zeros(1, 6, 6), flat) == 5).all()


def test_a_run_learns_and_measures(trainer):
    torch.manual_seed(0)
    run = trainer(max_epochs=30)
    task = SegmentationTask(Net(), CLASSES, optimizer=lambda parameters: SGD(parameters, lr=0.5))
    (before,) = run.validate(task, pixels(), verbose=False)
    run.fit(task, pixels(), pixels())
    assert set(before) == {"val/loss", "val/oAcc", "val/mAcc", "val/fAcc", "val/mIoU"}
    assert {"train/loss", "train/mIoU"} <= set(run.callback_metrics)
    (after,) = run.test(task, pixels(), verbose=False)
    assert after["test/mIoU"] > 0.9 > before["val/mIoU"]
    assert after["test/loss"] < before["val/loss"]


@pytest.mark.parametrize("stage", ["fit", "validate", "test", "predict"])
def test_every_stage_runs_once(trainer, stage):
    task, run = SegmentationTask(Net(), CLASSES), trainer(fast_dev_run=True)
    getattr(run, stage)(task, *((pixels(), pixels()) if stage == "fit" else (pixels(),)))
    assert run.state.finished


@pytest.mark.parametrize("precision", ["bf16-true", "bf16-mixed", "64-true"])
def test_other_precisions_measure_nearly_the_same(trainer, precision):
    torch.manual_seed(0)
    task = SegmentationTask(Net(), CLASSES)
    (expected,) = trainer().test(task, pixels(), verbose=False)
    (found,) = trainer(precision=precision).test(task, pixels(), verbose=False)
    assert found == pytest.approx(expected, abs=0.05)


def test_a_set_of_void_alone_measures_zero(trainer):
    data = DataLoader(dataset=TensorDataset(torch.zeros(2, 3, 4, 4), torch.full((2, 4, 4), 255)), batch_size=2)
    (found,) = trainer().test(SegmentationTask(Net(), CLASSES), data, verbose=False)
    assert set(found.values()) == {0.0}


def test_predictions_are_classes_and_their_shares(trainer):
    task = SegmentationTask(Net(), CLASSES)
    batches = trainer().predict(task, pixels())
    assert [batch["predicted"].shape for batch in batches] == [(4, 8, 8), (2, 8, 8)]
    images = pixels().dataset.tensors[0][:4]
    with torch.no_grad():
        expected = task(images).argmax(dim=1)
    assert batches[0]["predicted"].dtype == torch.uint8
    assert torch.equal(batches[0]["predicted"].long(), expected)
    assert batches[0]["share"].shape == (4, CLASSES)
    torch.testing.assert_close(batches[0]["share"], F.one_hot(expected, CLASSES).float().mean(dim=(1, 2)))


def test_the_backbone_learns_at_its_own_rate_and_the_schedule_steps_with_the_batches(trainer):
    steps, rates = 6, []
    task = SegmentationTask(
        Net(),
        CLASSES,
        optimizer=lambda parameters: SGD(parameters, lr=0.01),
        scheduler=lambda optimizer: PolynomialFloorLR(optimizer, steps),
        scheduler_interval="step",
        backbone="backbone",
    )
    task.on_train_batch_start = lambda *_: rates.append([group["lr"] for group in task.optimizers().param_groups])
    start = copy.deepcopy(task.network)
    trainer(max_epochs=3).fit(task, pixels(), pixels())
    factors = [(1 - step / steps) ** 0.9 for step in range(steps)]
    assert rates == [pytest.approx([0.001 * factor, 0.01 * factor]) for factor in factors]
    for name, before in start.named_parameters():
        assert not torch.equal(before, task.network.get_parameter(name))


def test_the_schedule_steps_with_the_epochs_otherwise(trainer):
    task = SegmentationTask(
        Net(),
        CLASSES,
        optimizer=lambda parameters: SGD(parameters, lr=0.01),
        scheduler=lambda optimizer: PolynomialFloorLR(optimizer, 4),
    )
    trainer(max_epochs=2).fit(task, pixels(), pixels())
    assert task.lr_schedulers().last_epoch == 2


def test_checkpoints_are_plain(trainer, tmp_path):
    run, task = trainer(), SegmentationTask(Net(), CLASSES, backbone="head", backbone_rate=0.5)
    run.fit(task, pixels(), pixels())
    run.save_checkpoint(tmp_path / "task.ckpt")
    kept = torch.load(tmp_path / "task.ckpt", weights_only=True)["hyper_parameters"]
    assert (kept["num_classes"], kept["backbone"], kept["backbone_rate"]) == (CLASSES, "head", 0.5)
    again = SegmentationTask.load_from_checkpoint(tmp_path / "task.ckpt", network=Net())
    assert torch.equal(again.network.head.weight, task.network.head.weight)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_classes": 1}, "num_classes must be from 2 to 255, got 1"),
        ({"num_classes": 256}, "num_classes must be from 2 to 255, got 256"),
        ({"scheduler_interval": "day"}, "scheduler_interval must be 'epoch' or 'step', got 'day'"),
        ({"backbone": "tail"}, r"backbone must be a submodule .*, one of \['backbone', 'head'\], got 'tail'"),
        ({"backbone_rate": 0.0}, "backbone_rate must be greater than 0, got 0.0"),
        ({"backbone_rate": float("nan")}, "backbone_rate must be greater than 0, got nan"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        SegmentationTask(**{"network": Net(), "num_classes": CLASSES} | arguments)
