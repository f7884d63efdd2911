"""Both tasks on points: what they log against scikit-learn and numpy, what they predict, and that they train."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from pytorch_lightning import Trainer
from sklearn.metrics import accuracy_score, balanced_accuracy_score, jaccard_score, log_loss
from torch import nn
from torch.utils.data import DataLoader

from lightning_modules.part_segmentation import PartSegmentationTask
from lightning_modules.point_classification import PointClassificationTask
from lpsc_nd.models import PointClassifier, PointSegmenter
from lpsc_nd.points import PointPyramid, PyramidBuilder, global_pool

BUILDER = PyramidBuilder(0.4, depth=2, num_levels=1, num_directions=(2, 2))
CLASS_PARTS = [[0, 1], [2, 3]]


@dataclass
class Batch:
    """A batch that knows nothing of the data sets."""

    pyramid: PointPyramid
    labels: torch.Tensor
    features: torch.Tensor | None = None
    parts: torch.Tensor | None = None

    def to(self, device):
        moved = {name: None if part is None else part.to(device) for name, part in vars(self).items()}
        return Batch(**moved)


class Scores(nn.Module):
    """Scores that follow from the points: sums of waves of the coordinates, pooled over a cloud or not."""

    def __init__(self, columns, pooled):
        super().__init__()
        self.matrix = nn.Parameter(torch.randn(3, columns, generator=torch.Generator().manual_seed(0)) * 3)
        self.pooled = pooled
        self.categories = []

    def forward(self, x, pyramid, categories=None):
        self.categories.append(categories)
        scores = torch.sin(pyramid.positions[0] @ self.matrix)
        return global_pool(scores, pyramid.batches[0], pyramid.num_clouds) if self.pooled else scores


def batches(number=3, clouds=4, points=30):
    """Return batches of clouds; class 1 lies higher, and the higher half of every cloud is another part."""
    generator = torch.Generator().manual_seed(0)
    made = []
    for _ in range(number):
        labels = torch.randint(2, (clouds,), generator=generator)
        owners = torch.arange(clouds).repeat_interleave(points)
        positions = torch.rand(clouds * points, 3, generator=generator)
        parts = 2 * labels[owners] + (positions[:, 2] > 0.5)
        positions[:, 2] += labels[owners]
        made.append(Batch(BUILDER(positions, owners), labels, parts=parts))
    return made


def loader(made):
    return DataLoader(dataset=made, batch_size=None)


@pytest.fixture
def trainer(tmp_path):
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    return Trainer(default_root_dir=tmp_path, max_epochs=4, accelerator="cpu", **quiet)


def classifier():
    return PointClassificationTask(Scores(2, pooled=True), 2)


def segmenter(**options):
    return PartSegmentationTask(Scores(4, pooled=False), CLASS_PARTS, **options)


def test_classification_logs_what_scikit_learn_finds(trainer):
    made = batches()
    task = classifier()
    with torch.no_grad():
        probability = torch.cat([task.network(None, one.pyramid) for one in made]).double().softmax(dim=1).numpy()
    target = torch.cat([one.labels for one in made]).numpy()
    (found,) = trainer.test(task, loader(made), verbose=False)
    assert found["test/accuracy"] == pytest.approx(accuracy_score(target, probability.argmax(axis=1)))
    assert found["test/mean_accuracy"] == pytest.approx(balanced_accuracy_score(target, probability.argmax(axis=1)))
    assert found["test/loss"] == pytest.approx(log_loss(target, probability), rel=1e-4)
    predicted = trainer.predict(task, loader(made))
    np.testing.assert_allclose(torch.cat([one["probability"] for one in predicted]), probability, rtol=1e-4)
    assert torch.cat([one["target"] for one in predicted]).tolist() == target.tolist()


def own_best(scores, category):
    """Return the best part of a category for each point."""
    own = np.array(CLASS_PARTS[category])
    return own[scores[:, own].argmax(axis=1)]


def clouds_of(task, made):
    """Return category, true parts, predicted parts and all scores for every cloud."""
    found = []
    for one in made:
        with torch.no_grad():
            scores = task.network(None, one.pyramid)[one.pyramid.cluster].numpy()
        owners = one.pyramid.batches[0][one.pyramid.cluster].numpy()
        for number, category in enumerate(one.labels.tolist()):
            own = scores[owners == number]
            found.append((category, one.parts.numpy()[owners == number], own_best(own, category), own))
    return found


def iou(category, truth, predicted):
    values = jaccard_score(truth, predicted, labels=CLASS_PARTS[category], average=None, zero_division=1.0)
    return values.mean()


def test_segmentation_logs_what_scikit_learn_finds(trainer):
    made, task = batches(), segmenter()
    clouds = clouds_of(task, made)
    truth = np.concatenate([cloud[1] for cloud in clouds])
    ious = np.array([iou(*cloud[:3]) for cloud in clouds])
    categories = np.array([cloud[0] for cloud in clouds])
    (found,) = trainer.test(task, loader(made), verbose=False)
    assert found["test/accuracy"] == pytest.approx(accuracy_score(truth, np.concatenate([c[2] for c in clouds])))
    assert found["test/instance_mIoU"] == pytest.approx(ious.mean())
    assert found["test/class_mIoU"] == pytest.approx(np.mean([ious[categories == k].mean() for k in (0, 1)]))
    probability = torch.from_numpy(np.concatenate([cloud[3] for cloud in clouds])).double().softmax(dim=1)
    assert found["test/loss"] == pytest.approx(log_loss(truth, probability, labels=range(4)), rel=1e-4)


def test_segmentation_predicts_a_row_for_each_cloud(trainer):
    made, task = batches(), segmenter()
    clouds = clouds_of(task, made)
    rows = trainer.predict(task, loader(made))
    columns = {name: torch.cat([row[name] for row in rows]).numpy() for name in rows[0]}
    assert columns["target"].tolist() == [cloud[0] for cloud in clouds]
    assert columns["points"].tolist() == [30] * len(clouds)
    np.testing.assert_allclose(columns["accuracy"], [(c[1] == c[2]).mean() for c in clouds], rtol=1e-6)
    np.testing.assert_allclose(columns["iou"], [iou(*cloud[:3]) for cloud in clouds], rtol=1e-6)
    shares = [np.bincount(cloud[2], minlength=4) / 30 for cloud in clouds]
    np.testing.assert_allclose(columns["share"], shares, rtol=1e-6)
    assert (
        torch.cat([task.predicted_parts(one) for one in made]).tolist()
        == np.concatenate([c[2] for c in clouds]).tolist()
    )


@pytest.mark.parametrize("give", [True, False])
def test_the_network_sees_the_category_if_it_is_to(give):
    (batch,) = batches(1)
    task = segmenter(give_category=give)
    task.predicted_parts(batch)
    (seen,) = task.network.categories
    assert (seen is batch.labels) if give else (seen is None)


SHARED = {"widths": (8, 8), "inputs": ["coordinates"]}


def classifying():
    return PointClassificationTask(PointClassifier(0, 2, BUILDER, **SHARED), 2)


def segmenting():
    return PartSegmentationTask(PointSegmenter(0, 4, BUILDER, num_categories=2, **SHARED), CLASS_PARTS)


@pytest.mark.parametrize("make", [classifying, segmenting])
def test_the_networks_learn_and_their_checkpoints_are_plain(make, trainer, tmp_path):
    torch.manual_seed(0)
    task = make()
    made = batches(12)
    task.optimizer = lambda parameters: torch.optim.Adam(parameters, lr=0.02)
    (before,) = trainer.validate(task, loader(made), verbose=False)
    trainer.fit(task, loader(made), loader(made))
    assert trainer.callback_metrics["val/loss"] < 0.5 * before["val/loss"]
    trainer.save_checkpoint(tmp_path / "task.ckpt")
    stored = torch.load(tmp_path / "task.ckpt", weights_only=True)
    assert "network" not in stored["hyper_parameters"]
    assert "own_parts" not in stored["state_dict"]
    again = type(task).load_from_checkpoint(tmp_path / "task.ckpt", network=task.network)
    assert again.hparams == task.hparams


@pytest.mark.parametrize("task", [classifier(), segmenter()], ids=lambda task: type(task).__name__)
@pytest.mark.parametrize("step", ["training_step", "validation_step", "test_step", "predict_step"])
def test_a_batch_without_a_pyramid_is_refused(task, step):
    with pytest.raises(TypeError, match=r"batch must have a pyramid, got tuple; .*PyramidCollate"):
        getattr(task, step)((torch.zeros(2), torch.zeros(2)), 0)


def test_a_batch_without_parts_is_refused():
    (batch,) = batches(1)
    batch.parts = None
    with pytest.raises(ValueError, match="batch must have part labels, got none"):
        segmenter().training_step(batch, 0)


def test_bad_parts_are_named():
    with pytest.raises(ValueError, match=r"class_parts\[0\] must be one or more labels"):
        PartSegmentationTask(nn.Identity(), [[]])


def blocks(page, language):
    text = (Path(__file__).parents[2] / "docs" / page).read_text()
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def test_the_ten_lines_of_the_documentation_train(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    (own,) = (block for block in blocks("point_data.md", "python") if "class SticksDataModule" in block)
    (lines,) = blocks("point_training.md", "py")
    names = {"__name__": "documentation"}
    exec(own, names)
    exec(lines.replace("Trainer(", "Trainer(accelerator='cpu', log_every_n_steps=1, logger=False, "), names)
    assert names["trainer"].callback_metrics["test/accuracy"] > 0.9
    assert "test/accuracy" in capsys.readouterr().out
