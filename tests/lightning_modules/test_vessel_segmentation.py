"""The vessel task: its loss, mirrored prediction, and runs from Python."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pytorch_lightning import Trainer
from sklearn.metrics import log_loss, roc_auc_score
from torch import nn
from torch.optim import SGD
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.utils.data import DataLoader, TensorDataset

from lightning_modules.vessel_segmentation import VesselSegmentationTask, masked_binary_cross_entropy


class Net(nn.Module):
    """Weighted channels, and a weight that grows along the columns: not symmetric under mirroring."""

    def __init__(self, slope=0.0):
        super().__init__()
        self.mix = nn.Conv2d(3, 1, 1)
        self.slope = slope

    def forward(self, x):
        return self.mix(x) + self.slope * torch.arange(x.shape[-1])


@pytest.fixture
def trainer(tmp_path):
    def make(**options):
        quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
        return Trainer(default_root_dir=tmp_path, **{"max_epochs": 1} | quiet | options)

    return make


def photographs(number=5, size=(8, 6), target_size=(8, 6)):
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(number, 3, *size, generator=generator)
    target = (images[:, 1] > 0.3).long()
    if target_size != size:
        target = torch.randint(0, 2, (number, *target_size), generator=generator)
    target[:, :2] = 255
    return DataLoader(dataset=TensorDataset(images, target), batch_size=2)


@given(seed=st.integers(0, 99), void=st.floats(0, 1))
def test_the_loss_is_the_mean_over_pixels_inside_the_field_of_view(seed, void):
    torch.manual_seed(seed)
    scores = torch.randn(2, 4, 5, dtype=torch.float64, requires_grad=True)
    target = torch.randint(2, (2, 4, 5)).masked_fill(torch.rand(2, 4, 5) < void, 255)
    inside = target != 255
    loss = masked_binary_cross_entropy(scores, target)
    if inside.any():
        expected = log_loss(target[inside], scores.detach().sigmoid()[inside], labels=[0, 1])
        assert loss.item() == pytest.approx(expected)
    else:
        assert loss.item() == 0
    loss.backward()
    assert scores.grad[~inside].abs().sum() == 0
    assert scores.grad.isfinite().all()


def test_a_run_learns_and_measures(trainer):
    torch.manual_seed(0)
    run = trainer(max_epochs=20)
    task = VesselSegmentationTask(Net(), optimizer=lambda parameters: SGD(parameters, lr=1.0))
    run.validate(task, photographs(), verbose=False)
    run.fit(task, photographs(), photographs())
    assert {"train/loss", "val/loss", "val/sensitivity", "val/accuracy", "val/AUC"} <= set(run.callback_metrics)
    (found,) = run.test(task, photographs(), verbose=False)
    assert found["test/AUC"] > 0.97
    assert found["test/accuracy"] > 0.85


@pytest.mark.parametrize("stage", ["fit", "validate", "test", "predict"])
def test_every_stage_runs_once(trainer, stage):
    task, run = VesselSegmentationTask(Net(), test_flips=True), trainer(fast_dev_run=True)
    getattr(run, stage)(task, *((photographs(), photographs()) if stage == "fit" else (photographs(),)))
    assert run.state.finished


@pytest.mark.parametrize("precision", ["bf16-true", "bf16-mixed", "64-true"])
def test_other_precisions_measure_nearly_the_same(trainer, precision):
    torch.manual_seed(0)
    task = VesselSegmentationTask(Net())
    (expected,) = trainer().test(task, photographs(), verbose=False)
    (found,) = trainer(precision=precision).test(task, photographs(), verbose=False)
    assert found == pytest.approx(expected, abs=0.05)


def test_measures_are_taken_at_the_size_of_the_target(trainer):
    data = photographs(number=3, target_size=(13, 11))
    task = VesselSegmentationTask(Net())
    (found,) = trainer().test(task, data, verbose=False)
    images, target = data.dataset.tensors
    with torch.no_grad():
        scores = nn.functional.interpolate(task(images), size=(13, 11), mode="bilinear")[:, 0]
    areas = [
        roc_auc_score(truth[truth != 255], score[truth != 255]) for truth, score in zip(target, scores, strict=True)
    ]
    assert found["test/AUC"] == pytest.approx(sum(areas) / 3, abs=1e-5)
    assert found["test/loss"] == pytest.approx(
        sum(log_loss(target[index][2:].flatten(), scores[index][2:].flatten().double().sigmoid()) for index in range(3))
        / 3,
        rel=1e-5,
    )


def test_mirrored_prediction_does_not_depend_on_the_side(trainer):
    images, target = photographs().dataset.tensors
    mirrored = images.flip(3)
    found = {}
    for flips in (False, True):
        task = VesselSegmentationTask(Net(slope=0.3), test_flips=flips)
        torch.nn.init.constant_(task.network.mix.weight, 0.5)
        torch.nn.init.zeros_(task.network.mix.bias)
        with torch.no_grad():
            found[flips] = [task.predict_step((x, target), 0)["probability"] for x in (images, mirrored)]
    torch.testing.assert_close(found[True][0], found[True][1].flip(2))
    assert (found[False][0] - found[False][1].flip(2)).abs().max() > 0.1


def test_predictions_are_probabilities_and_masks(trainer):
    batches = trainer().predict(VesselSegmentationTask(Net()), photographs())
    for batch in batches:
        assert batch["predicted"].dtype == torch.uint8
        assert torch.equal(batch["predicted"] == 1, batch["probability"] > 0.5)
        torch.testing.assert_close(batch["share"], batch["predicted"].float().mean(dim=(1, 2)))
    assert torch.cat([batch["share"] for batch in batches]).shape == (5,)


def test_the_rate_can_follow_the_training_loss(trainer):
    task = VesselSegmentationTask(
        Net(),
        optimizer=lambda parameters: SGD(parameters, lr=0.1),
        scheduler=lambda optimizer: ReduceLROnPlateau(optimizer, factor=0.5, patience=0, threshold=1.0),
        monitor="train/loss",
    )
    trainer(max_epochs=3).fit(task, photographs(), photographs())
    assert task.optimizers().param_groups[0]["lr"] == pytest.approx(0.1 * 0.5**3)


def test_checkpoints_are_plain(trainer, tmp_path):
    run, task = trainer(), VesselSegmentationTask(Net(), test_flips=True)
    run.fit(task, photographs(), photographs())
    run.save_checkpoint(tmp_path / "task.ckpt")
    assert torch.load(tmp_path / "task.ckpt", weights_only=True)["hyper_parameters"]["test_flips"] is True
    again = VesselSegmentationTask.load_from_checkpoint(tmp_path / "task.ckpt", network=Net())
    assert torch.equal(again.network.mix.weight, task.network.mix.weight)
