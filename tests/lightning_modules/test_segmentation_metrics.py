"""Measures of segmentation, against scikit-learn and a worked example."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import accuracy_score, confusion_matrix, jaccard_score, recall_score, roc_auc_score

from lightning_modules.segmentation_metrics import segmentation_metrics, vessel_metrics

CLASSES = 5
IMAGES = st.tuples(st.integers(1, 4), st.integers(1, 6), st.integers(1, 6))


@st.composite
def labelled(draw, values, predicted):
    shape = draw(IMAGES)
    return draw(arrays(np.int64, shape, elements=values)), draw(arrays(predicted[0], shape, elements=predicted[1]))


PAIRS = labelled(st.sampled_from([*range(CLASSES), 255]), (np.int64, st.integers(0, CLASSES - 1)))
PROBABILITIES = (np.float32, st.integers(0, 8).map(lambda value: value / 8))
VESSELS = labelled(st.sampled_from([0, 1, 255]), PROBABILITIES)


def computed(metrics, *batches):
    """All measures of some batches, as plain numbers."""
    metrics.reset()
    for batch in batches:
        metrics.update(*map(torch.as_tensor, batch))
    return {name: value.item() for name, value in metrics.compute().items()}


def test_the_worked_example():
    truth = [[0, 0, 0, 1], [1, 1, 2, 2], [255, 0, 0, 1]]
    predicted = [[0, 0, 1, 1], [1, 0, 2, 1], [2, 0, 3, 1]]
    found = computed(segmentation_metrics(4), ([predicted], [truth]))
    expected = {"oAcc": 0.636364, "mAcc": 0.616667, "fAcc": 0.5, "mIoU": 0.375}
    assert {name: round(value, 6) for name, value in found.items()} == expected


@given(pair=PAIRS)
def test_the_four_measures_are_those_of_scikit_learn(pair):
    target, predicted = pair
    found = computed(segmentation_metrics(CLASSES), (predicted, target))
    truth, guess = target[target != 255], predicted[target != 255]
    if len(truth) == 0:
        assert set(found.values()) == {0.0}
        return
    occurring, seen = np.unique(truth), np.unique([truth, guess])
    options = {"average": None, "zero_division": 0}
    share = np.array([(truth == label).mean() for label in seen])
    iou = jaccard_score(truth, guess, labels=seen, **options)
    expected = {
        "oAcc": accuracy_score(truth, guess),
        "mAcc": recall_score(truth, guess, labels=occurring, **options).mean(),
        "fAcc": (share * iou).sum(),
        "mIoU": iou.mean(),
    }
    assert found == pytest.approx(expected, abs=1e-6)


@given(pairs=st.lists(PAIRS, min_size=2, max_size=4))
def test_the_four_measures_are_of_the_whole_set(pairs):
    batches = [(predicted, target) for target, predicted in pairs]
    flat = [np.concatenate([part.ravel() for part in parts])[None] for parts in zip(*batches, strict=True)]
    metrics = segmentation_metrics(CLASSES)
    assert computed(metrics, *batches) == pytest.approx(computed(metrics, tuple(flat)), abs=1e-6)


def test_the_four_measures_share_one_confusion_matrix():
    metrics = segmentation_metrics(3)
    predicted, target = torch.tensor([[0, 1, 2]]), torch.tensor([[0, 2, 2]])
    for _ in range(3):
        metrics.update(predicted, target)
    assert list(metrics.compute_groups.values()) == [["oAcc", "mAcc", "fAcc", "mIoU"]]
    np.testing.assert_array_equal(metrics["oAcc"].confusion, 3 * confusion_matrix(target[0], predicted[0]))
    assert len(metrics.clone(prefix="val/").compute_groups) == 1


def image_scores(truth, probability):
    """Sensitivity, accuracy and AUC of one image's pixels, NaN where undefined."""
    truth, probability = truth[truth != 255], probability[truth != 255]
    kinds = set(truth.tolist())
    return {
        "sensitivity": recall_score(truth, probability > 0.5) if 1 in kinds else math.nan,
        "accuracy": accuracy_score(truth, probability > 0.5) if kinds else math.nan,
        "AUC": roc_auc_score(truth, probability) if kinds == {0, 1} else math.nan,
    }


@given(pairs=st.lists(VESSELS, min_size=1, max_size=3))
def test_the_three_measures_are_means_over_images(pairs):
    found = computed(vessel_metrics(), *[(probability, target) for target, probability in pairs])
    scores = [image_scores(*image) for pair in pairs for image in zip(*pair, strict=True)]
    for name, value in found.items():
        defined = [score[name] for score in scores if not math.isnan(score[name])]
        assert value == pytest.approx(sum(defined) / max(1, len(defined)), abs=1e-5)


def test_the_three_measures_do_not_merge_when_they_begin_equal():
    metrics = vessel_metrics()
    perfect = (torch.tensor([[0.1, 0.9]]), torch.tensor([[0, 1]]))
    found = computed(metrics, perfect, (torch.tensor([[0.8, 0.9, 0.1, 0.2]]), torch.tensor([[0, 1, 1, 1]])))
    assert found == pytest.approx({"sensitivity": 2 / 3, "accuracy": (1 + 1 / 4) / 2, "AUC": (1 + 1 / 3) / 2})


def test_a_few_images_without_vessels_do_not_count_in_sensitivity():
    found = computed(vessel_metrics(), (torch.tensor([[0.9, 0.1], [0.2, 0.2]]), torch.tensor([[1, 0], [0, 255]])))
    assert found == {"sensitivity": 1.0, "accuracy": 1.0, "AUC": 1.0}
