"""The volume task: its loss, windows, measures and spacing, and runs from Python."""

import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pytorch_lightning import LightningDataModule, Trainer
from torch import nn
from torch.optim import SGD
from torch.utils.data import DataLoader, TensorDataset

from lightning_modules.volumes.metrics import VolumeScores
from lightning_modules.volumes.segmentation import VolumeSegmentationTask
from lpsc_nd import LPSConv3d

CLASSES = 3
SIZES = st.tuples(*[st.integers(1, 9)] * 3)


@pytest.fixture
def trainer(tmp_path):
    def make(**options):
        quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
        return Trainer(default_root_dir=tmp_path, **{"max_epochs": 1} | quiet | options)

    return make


class Volumes(LightningDataModule):
    """A data module that knows its spacing."""

    def __init__(self, spacing):
        super().__init__()
        self.spacing = spacing

    def test_dataloader(self):
        return volumes()


def volumes(number=5, size=(6, 5, 4)):
    generator = torch.Generator().manual_seed(0)
    target = torch.randint(CLASSES, (number, *size), generator=generator)
    noise = torch.randn(number, 1, *size, generator=generator)
    return DataLoader(dataset=TensorDataset(target[:, None] - 1 + 0.1 * noise, target), batch_size=2)


def network(kernel_size=1):
    torch.manual_seed(0)
    first = nn.Conv3d(1, 8, kernel_size, padding=kernel_size // 2)
    return nn.Sequential(first, nn.ReLU(), nn.Conv3d(8, CLASSES, 1))


def brute_loss(scores, target):
    """Cross entropy, and one minus the soft Dice of every class but 0 over the whole batch."""
    entropy = -scores.log_softmax(dim=1).gather(1, target[:, None]).mean()
    dice = []
    for label in range(1, scores.shape[1]):
        probability, truth = scores.softmax(dim=1)[:, label], (target == label).to(scores.dtype)
        dice.append((2 * (probability * truth).sum() + 1e-5) / (probability.sum() + truth.sum() + 1e-5))
    return entropy + 1 - sum(dice) / len(dice)


@given(seed=st.integers(0, 99), present=st.sets(st.integers(0, CLASSES - 1), min_size=1))
def test_the_loss_is_cross_entropy_and_dice(seed, present):
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(2, CLASSES, 2, 3, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor(sorted(present))
    target = labels[torch.randint(len(labels), (2, 2, 3, 4), generator=generator)]
    loss = VolumeSegmentationTask(network(), CLASSES).loss(scores, target[:, None])
    assert loss.item() == pytest.approx(brute_loss(scores, target).item())
    loss.backward()
    assert scores.grad.isfinite().all()


@given(size=SIZES, patch=st.one_of(st.none(), st.tuples(*[st.integers(9, 12)] * 3), st.integers(9, 10)))
def test_a_volume_that_fits_is_evaluated_exactly(size, patch):
    x = torch.randn(2, 1, *size, generator=torch.Generator().manual_seed(0))
    task = VolumeSegmentationTask(network(3), CLASSES, patch_size=patch)
    assert torch.equal(task.scores(x), task.network(x))


@given(
    size=SIZES,
    patch=st.one_of(st.tuples(*[st.integers(1, 6)] * 3), st.integers(1, 6)),
    overlap=st.floats(0, 0.9),
    together=st.integers(1, 5),
)
def test_windows_do_not_show_where_the_network_sees_a_voxel_alone(size, patch, overlap, together):
    x = torch.randn(2, 1, *size, generator=torch.Generator().manual_seed(0))
    task = VolumeSegmentationTask(
        network(), CLASSES, patch_size=patch, overlap=overlap, windows_per_batch=together
    ).eval()
    with torch.no_grad():
        torch.testing.assert_close(task.scores(x), task.network(x), rtol=1e-4, atol=1e-5)


def test_windows_show_where_the_network_sees_further():
    x = torch.randn(1, 1, 8, 8, 8, generator=torch.Generator().manual_seed(0))
    task = VolumeSegmentationTask(network(3), CLASSES, patch_size=4)
    with torch.no_grad():
        assert (task.scores(x) - task.network(x)).abs().max() > 1e-3


def test_the_network_never_sees_more_than_a_window():
    seen = []

    class Net(nn.Conv3d):
        def forward(self, x):
            seen.append(tuple(x.shape))
            return super().forward(x)

    task = VolumeSegmentationTask(Net(1, CLASSES, 1), CLASSES, patch_size=(4, 8, 3), windows_per_batch=2)
    with torch.no_grad():
        assert task.scores(torch.zeros(1, 1, 9, 6, 7)).shape == (1, CLASSES, 9, 6, 7)
    assert {shape[2:] for shape in seen} == {(4, 6, 3)}
    assert max(shape[0] for shape in seen) == 2


def test_a_run_learns_and_measures(trainer):
    run = trainer(max_epochs=40)
    task = VolumeSegmentationTask(network(), CLASSES, optimizer=lambda parameters: SGD(parameters, lr=0.5))
    (before,) = run.validate(task, volumes(), verbose=False)
    run.fit(task, volumes(), volumes())
    assert set(before) == {"val/loss", *(f"val/{name}{k}" for name in ("Dice", "IoU") for k in ("", "_1", "_2"))}
    assert "train/loss" in run.callback_metrics
    (after,) = run.test(task, volumes(), verbose=False)
    assert after["test/Dice"] > 0.95 > before["val/Dice"]
    assert {"test/HD95", "test/HD95_1", "test/HD95_2"} <= set(after)


@pytest.mark.parametrize("stage", ["fit", "validate", "test", "predict"])
def test_every_stage_runs_once(trainer, stage):
    task, run = VolumeSegmentationTask(network(), CLASSES, patch_size=4), trainer(fast_dev_run=True)
    getattr(run, stage)(task, *((volumes(), volumes()) if stage == "fit" else (volumes(),)))
    assert run.state.finished


@pytest.mark.parametrize("precision", ["bf16-true", "bf16-mixed", "64-true"])
@pytest.mark.parametrize("patch_size", [None, 4])
def test_other_precisions_measure_nearly_the_same(trainer, precision, patch_size):
    (expected,) = trainer().test(VolumeSegmentationTask(network(), CLASSES), volumes(), verbose=False)
    task = VolumeSegmentationTask(network(), CLASSES, patch_size=patch_size)
    (found,) = trainer(precision=precision).test(task, volumes(), verbose=False)
    assert found == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize("given", [None, (3.0, 1.0, 0.5)])
def test_scores_are_those_of_all_volumes_in_millimetres(trainer, given):
    task = VolumeSegmentationTask(network(), CLASSES, spacing=given)
    (found,) = trainer().test(task, volumes(), verbose=False)
    images, target = volumes().dataset.tensors
    expected = VolumeScores(CLASSES)
    with torch.no_grad():
        expected.update(task(images).argmax(dim=1), target, given or (1.0, 1.0, 1.0))
        losses = [brute_loss(task(x), y).item() * len(y) for x, y in volumes()]
    for name, value in expected.compute().items():
        assert found[f"test/{name}"] == pytest.approx(float(value), rel=1e-5)
    assert found["test/loss"] == pytest.approx(sum(losses) / len(target), rel=1e-5)


def test_the_spacing_is_that_of_the_data(trainer):
    scores = {}
    for spacing in ((1.0, 1.0, 1.0), (3.0, 3.0, 3.0)):
        task = VolumeSegmentationTask(network(), CLASSES)
        (scores[spacing],) = trainer().test(task, datamodule=Volumes(spacing), verbose=False)
        assert task.spacing == spacing
    small, large = scores.values()
    assert large["test/HD95"] == pytest.approx(3 * small["test/HD95"])
    assert large["test/Dice"] == small["test/Dice"]


def test_the_same_task_runs_on_data_of_another_spacing(trainer):
    task = VolumeSegmentationTask(network(), CLASSES)
    for spacing in ((1.0, 1.0, 1.0), (3.0, 1.0, 1.0)):
        trainer().test(task, datamodule=Volumes(spacing), verbose=False)
        assert task.spacing == spacing


def test_another_spacing_than_that_of_the_data_is_refused(trainer):
    task = VolumeSegmentationTask(network(), CLASSES, spacing=(2.0, 1.0, 1.0))
    with pytest.raises(ValueError, match=r"spacing must be that of the data, \(3\.0, 1\.0, 1\.0\), .* \(2\.0, 1\.0"):
        trainer().test(task, datamodule=Volumes((3.0, 1.0, 1.0)), verbose=False)


@pytest.mark.parametrize("own", [None, (1.0, 1.0, 1.0), (3.0, 1.0, 2.0)])
def test_layers_of_another_spacing_than_the_data_are_refused(trainer, own):
    layer = LPSConv3d(1, CLASSES, 3, padding=1, num_levels=1, num_directions=(2, 4), spacing=own)
    with pytest.raises(ValueError, match=r"the data's, \(3\.0, 1\.0, 1\.0\).* network has"):
        trainer().test(VolumeSegmentationTask(layer, CLASSES), datamodule=Volumes((3.0, 1.0, 1.0)), verbose=False)


def test_layers_of_the_spacing_of_the_data_are_taken_up_to_a_factor(trainer):
    layer = LPSConv3d(1, CLASSES, 3, padding=1, num_levels=1, num_directions=(2, 4), spacing=(6.0, 2.0, 2.0))
    task = VolumeSegmentationTask(layer, CLASSES)
    (found,) = trainer().test(task, datamodule=Volumes((3.0, 1.0, 1.0)), verbose=False)
    assert found["test/HD95"] > 0


def test_predictions_are_classes_and_their_shares(trainer):
    task = VolumeSegmentationTask(network(), CLASSES)
    batches = trainer().predict(task, volumes())
    assert [batch["predicted"].shape for batch in batches] == [(2, 6, 5, 4), (2, 6, 5, 4), (1, 6, 5, 4)]
    images = volumes().dataset.tensors[0]
    with torch.no_grad():
        expected = task(images).argmax(dim=1)
    assert batches[0]["predicted"].dtype == torch.uint8
    assert torch.equal(torch.cat([batch["predicted"] for batch in batches]).long(), expected)
    shares = [[np.mean(volume.numpy() == label) for label in range(CLASSES)] for volume in expected]
    np.testing.assert_allclose(torch.cat([batch["share"] for batch in batches]), shares, rtol=1e-5)


def test_prediction_needs_no_target():
    task = VolumeSegmentationTask(network(), CLASSES)
    x, target = next(iter(volumes()))
    assert torch.equal(task.predict_step(x, 0)["predicted"], task.predict_step((x, target), 0)["predicted"])


def test_checkpoints_are_plain(trainer, tmp_path):
    run, task = trainer(), VolumeSegmentationTask(network(), CLASSES, patch_size=(4, 4, 2))
    run.fit(task, volumes(), volumes())
    run.save_checkpoint(tmp_path / "task.ckpt")
    assert torch.load(tmp_path / "task.ckpt", weights_only=True)["hyper_parameters"]["patch_size"] == (4, 4, 2)
    again = VolumeSegmentationTask.load_from_checkpoint(tmp_path / "task.ckpt", network=network())
    assert torch.equal(again.network[0].weight, task.network[0].weight)


def test_a_network_that_changes_the_size_is_refused():
    task = VolumeSegmentationTask(nn.Conv3d(1, CLASSES, 3), CLASSES)
    with pytest.raises(ValueError, match=r"network must keep the size of \(4, 4, 4\), got scores of \(2, 2, 2\)"):
        task.scores(torch.zeros(1, 1, 4, 4, 4))


def test_monai_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "monai.losses.dice", None)
    with pytest.raises(ModuleNotFoundError, match=r"MONAI.*pip install 'lpsc-nd\[volumes\]'"):
        VolumeSegmentationTask(network(), CLASSES)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"num_classes": 1}, ValueError, "num_classes must be at least 2, got 1"),
        ({"patch_size": 0}, ValueError, "patch_size must be at least 1, got 0"),
        ({"patch_size": (4, 0, 4)}, ValueError, r"patch_size\[1\] must be at least 1, got 0"),
        ({"patch_size": 4.0}, TypeError, "patch_size must be an integer, got 4.0"),
        ({"overlap": 1.0}, ValueError, "overlap must be less than 1, got 1"),
        ({"overlap": -0.1}, ValueError, "overlap must be at least 0, got -0.1"),
        ({"windows_per_batch": 0}, ValueError, "windows_per_batch must be at least 1, got 0"),
        ({"spacing": (1.0, 0.0, 1.0)}, ValueError, r"spacing\[1\] must be greater than 0, got 0"),
    ],
)
def test_bad_arguments_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        VolumeSegmentationTask(**{"network": network(), "num_classes": CLASSES} | arguments)


def test_a_patch_of_another_dimension_is_named():
    task = VolumeSegmentationTask(network(), CLASSES, patch_size=(4, 4))
    with pytest.raises(ValueError, match="patch_size must be one integer or a tuple of 3"):
        task.scores(torch.zeros(1, 1, 4, 4, 4))
