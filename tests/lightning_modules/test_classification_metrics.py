"""The area under the ROC curve of several classes, against scikit-learn."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from lightning_modules.classification_metrics import OneVersusRestAUC


@st.composite
def judged(draw):
    """Scores with ties, and classes that need not all occur."""
    classes, samples = draw(st.integers(2, 5)), draw(st.integers(1, 20))
    scores = draw(st.lists(st.lists(st.integers(-2, 2), min_size=classes, max_size=classes), min_size=samples))
    target = draw(st.lists(st.integers(0, classes - 1), min_size=len(scores), max_size=len(scores)))
    return torch.tensor(scores, dtype=torch.float32), torch.tensor(target)


def computed(scores, target, batch=1000):
    metric = OneVersusRestAUC(scores.shape[1])
    for part in zip(scores.split(batch), target.split(batch), strict=True):
        metric.update(*part)
    return float(metric.compute())


@given(sample=judged(), batch=st.integers(1, 20))
def test_the_area_is_the_mean_over_the_classes_that_occur(sample, batch):
    scores, target = sample
    probability = scores.softmax(dim=1).numpy()
    areas = [
        roc_auc_score(target == label, probability[:, label])
        for label in range(scores.shape[1])
        if 0 < (target == label).sum() < len(target)
    ]
    expected = sum(areas) / len(areas) if areas else 0.0
    assert computed(scores, target, batch) == pytest.approx(expected, abs=1e-6)


@given(seed=st.integers(0, 99), classes=st.integers(3, 6))
def test_the_area_is_that_of_scikit_learn(seed, classes):
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(60, classes, generator=generator)
    target = torch.arange(60) % classes
    probability = scores.double().softmax(dim=1)
    expected = roc_auc_score(target, probability, multi_class="ovr", average="macro")
    assert computed(scores, target) == pytest.approx(expected, abs=1e-6)


def test_of_two_classes_it_is_the_ordinary_area():
    scores = torch.randn(40, 2, generator=torch.Generator().manual_seed(0))
    target = (torch.arange(40) % 3 == 0).long()
    expected = roc_auc_score(target, scores[:, 1] - scores[:, 0])
    assert computed(scores, target) == pytest.approx(expected, abs=1e-6)


def test_a_ranking_upside_down_has_no_area():
    target = torch.tensor([0, 1, 1])
    scores = torch.tensor([[0.0, 1.0], [1.0, 0.0], [2.0, 0.0]])
    assert computed(scores, target) == 0
    assert computed(-scores, target) == 1
