"""The classification task, against scikit-learn's metrics; and trained from Python."""

import numpy as np
import pytest
import torch
from pytorch_lightning import LightningDataModule, Trainer
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    f1_score,
    log_loss,
    roc_auc_score,
    top_k_accuracy_score,
)
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from lightning_modules.classification import ClassificationTask
from lpsc_nd import LPSConv3d


class Table(nn.Module):
    """Returns scores it was given: the input is the scores."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x):
        return self.scale * x


@pytest.fixture
def trainer(tmp_path):
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    return Trainer(default_root_dir=tmp_path, max_epochs=1, accelerator="cpu", **quiet)


def loader(number=50, classes=3):
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(number, classes, generator=generator)
    target = torch.randint(classes - 1, (number,), generator=generator)
    target[0] = classes - 1  # a class of one sample: the mean over classes is not that over samples
    return DataLoader(dataset=TensorDataset(scores, target), batch_size=16)


def test_metrics_are_those_of_scikit_learn(trainer):
    data = loader()
    scores, target = data.dataset.tensors
    (found,) = trainer.test(ClassificationTask(Table(), 3), data, verbose=False)
    predicted = scores.argmax(dim=1)
    assert found["test/accuracy"] == pytest.approx(accuracy_score(target, predicted))
    assert found["test/mean_accuracy"] == pytest.approx(balanced_accuracy_score(target, predicted))
    assert found["test/f1"] == pytest.approx(f1_score(target, predicted, average="macro"))
    assert found["test/loss"] == pytest.approx(log_loss(target, scores.double().softmax(dim=1)), rel=1e-5)


def test_five_best_scores_count_with_more_classes(trainer):
    data = loader(200, 12)
    scores, target = data.dataset.tensors
    (found,) = trainer.test(ClassificationTask(Table(), 12), data, verbose=False)
    assert found["test/top5_accuracy"] == pytest.approx(top_k_accuracy_score(target, scores, k=5, labels=range(12)))
    (few,) = trainer.test(ClassificationTask(Table(), 5), loader(50, 5), verbose=False)
    assert "test/top5_accuracy" not in few


def test_the_area_under_the_curve_is_an_option(trainer):
    data = loader(60, 4)
    scores, target = data.dataset.tensors
    (found,) = trainer.test(ClassificationTask(Table(), 4, auc=True), data, verbose=False)
    expected = roc_auc_score(target, scores.double().softmax(dim=1), multi_class="ovr", average="macro")
    assert found["test/AUC"] == pytest.approx(expected, abs=1e-6)
    (without,) = trainer.test(ClassificationTask(Table(), 4), data, verbose=False)
    assert without == {name: value for name, value in found.items() if name != "test/AUC"}


def test_the_area_is_of_all_batches_and_not_of_training(trainer):
    trainer.fit(ClassificationTask(Table(), 3, auc=True), loader(), loader())
    assert "val/AUC" in trainer.callback_metrics
    assert "train/AUC" not in trainer.callback_metrics


class Solids(LightningDataModule):
    """A data module that knows its spacing."""

    spacing = (3.0, 1.0, 1.0)

    def test_dataloader(self):
        return DataLoader(dataset=TensorDataset(torch.zeros(4, 1, 3, 3, 3), torch.arange(4) % 2), batch_size=2)


@pytest.mark.parametrize("spacing", [None, (3.0, 1.0, 1.0)])
def test_layers_have_the_spacing_of_the_data(trainer, spacing):
    layer = LPSConv3d(1, 2, 3, num_levels=1, num_directions=(2, 4), spacing=spacing)
    task = ClassificationTask(nn.Sequential(layer, nn.Flatten()), 2)
    if spacing is None:
        with pytest.raises(ValueError, match=r"the layers' spacing .* \(3\.0, 1\.0, 1\.0\).*0 has None"):
            trainer.test(task, datamodule=Solids(), verbose=False)
    else:
        trainer.test(task, datamodule=Solids(), verbose=False)
        assert trainer.state.finished


def test_predictions(trainer):
    data = loader()
    batches = trainer.predict(ClassificationTask(Table(), 3), data)
    scores, target = data.dataset.tensors
    probability = np.exp(scores.numpy()) / np.exp(scores.numpy()).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(torch.cat([b["probability"] for b in batches]), probability, rtol=1e-5)
    assert torch.equal(torch.cat([b["predicted"] for b in batches]), scores.argmax(dim=1))
    assert torch.equal(torch.cat([b["target"] for b in batches]), target)


def test_label_smoothing_enters_the_training_loss_alone():
    task = ClassificationTask(Table(), 2, label_smoothing=0.5)
    batch = (torch.tensor([[2.0, 0.0]]), torch.tensor([0]))
    logs = {}
    task.log = lambda name, value, **_: logs.__setitem__(name, value.item())
    task.log_dict = lambda *_, **__: None
    log_probability = torch.tensor([2.0, 0.0]).log_softmax(dim=0)
    smoothed = -(0.75 * log_probability[0] + 0.25 * log_probability[1])
    assert task.training_step(batch, 0).item() == pytest.approx(smoothed.item())
    task.validation_step(batch, 0)
    assert logs["val/loss"] == pytest.approx(float(-log_probability[0]))


def test_a_task_built_in_python_trains_and_its_checkpoint_is_plain(trainer, tmp_path):
    network = nn.Linear(3, 3)
    task = ClassificationTask(network, 3)
    start = network.weight.detach().clone()
    trainer.fit(task, loader(), loader())
    assert not torch.equal(network.weight, start)
    trainer.save_checkpoint(tmp_path / "task.ckpt")
    assert torch.load(tmp_path / "task.ckpt", weights_only=True)["hyper_parameters"]["num_classes"] == 3
    again = ClassificationTask.load_from_checkpoint(tmp_path / "task.ckpt", network=nn.Linear(3, 3))
    assert torch.equal(again.network.weight, network.weight)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_classes": 1}, "num_classes must be at least 2, got 1"),
        ({"label_smoothing": 1.5}, "label_smoothing must be from 0 to 1, got 1.5"),
        ({"label_smoothing": -0.1}, "label_smoothing must be from 0 to 1, got -0.1"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        ClassificationTask(**{"network": Table(), "num_classes": 3} | arguments)
