"""Intersection over union of parts, against a count point by point."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from lightning_modules.part_metrics import InstanceIoU, check_class_parts, cloud_ious, part_metrics, part_table

CLASS_PARTS = ((0,), (1, 2), (3, 4, 5), (2, 6))


@st.composite
def label_sets(draw):
    """Clouds of 0 to 7 points with true and predicted parts, the predicted ones of any category."""
    clouds = []
    for _ in range(draw(st.integers(1, 5))):
        category = draw(st.integers(0, len(CLASS_PARTS) - 1))
        own = st.sampled_from(CLASS_PARTS[category])
        pairs = draw(st.lists(st.tuples(own, st.one_of(own, st.integers(0, 6))), max_size=7))
        clouds.append((category, pairs))
    return clouds


def brute_iou(category, pairs):
    """Count the points of each part in turn."""
    values = []
    for part in CLASS_PARTS[category]:
        union = sum(part in pair for pair in pairs)
        values.append(sum(pair == (part, part) for pair in pairs) / union if union else 1.0)
    return sum(values) / len(values)


def brute_scores(clouds):
    counted = [(category, brute_iou(category, pairs)) for category, pairs in clouds if pairs]
    categories = {category for category, _ in counted}
    means = [np.mean([value for own, value in counted if own == category]) for category in categories]
    pairs = [pair for _, own in clouds for pair in own]
    return {
        "accuracy": np.mean([truth == found for truth, found in pairs]) if pairs else 0.0,
        "instance_mIoU": np.mean([value for _, value in counted]) if counted else 0.0,
        "class_mIoU": np.mean(means) if means else 0.0,
    }


def arguments(clouds):
    """Return predicted, parts, batch and categories of some clouds."""
    flat = [(truth, found, number) for number, (_, pairs) in enumerate(clouds) for truth, found in pairs]
    truth, found, batch = torch.tensor(flat, dtype=torch.int64).reshape(-1, 3).unbind(dim=1)
    return found, truth, batch, torch.tensor([category for category, _ in clouds])


def scores(*batches):
    metrics = part_metrics(CLASS_PARTS)
    for clouds in batches:
        metrics.update(*arguments(clouds))
    return {name: float(value) for name, value in metrics.compute().items()}


@given(label_sets())
def test_the_value_of_each_cloud(clouds):
    found = cloud_ious(*arguments(clouds), CLASS_PARTS)
    assert_allclose(found, [brute_iou(*cloud) for cloud in clouds], rtol=1e-6)


@given(label_sets())
def test_scores_are_those_of_counting(clouds):
    assert scores(clouds) == pytest.approx(brute_scores(clouds))


@given(st.lists(label_sets(), min_size=1, max_size=3))
def test_the_division_into_batches_does_not_matter(batches):
    assert scores(*batches) == pytest.approx(scores([cloud for batch in batches for cloud in batch]))


def test_the_counting_can_differ():
    assert brute_scores([(1, [(1, 1), (2, 1)])]) != pytest.approx(brute_scores([(1, [(1, 1), (2, 2)])]))


def test_a_part_that_is_nowhere_counts_one_and_a_wrongly_predicted_one_zero():
    assert scores([(1, [(1, 1)])]) == {"accuracy": 1, "instance_mIoU": 1, "class_mIoU": 1}
    assert scores([(1, [(1, 1), (1, 2)])])["instance_mIoU"] == pytest.approx((1 / 2 + 0) / 2)


def test_both_means_differ_where_categories_are_uneven():
    found = scores([(0, [(0, 0)]), (0, [(0, 0)]), (2, [(3, 4)])])
    assert found["instance_mIoU"] == pytest.approx((1 + 1 + 1 / 3) / 3)
    assert found["class_mIoU"] == pytest.approx((1 + 1 / 3) / 2)


def test_clouds_without_points_do_not_count():
    assert scores([(0, []), (1, [(1, 2)])]) == scores([(1, [(1, 2)])])
    assert scores([(3, [])]) == {"accuracy": 0, "instance_mIoU": 0, "class_mIoU": 0}


def test_nothing_yet_is_zero():
    metrics = part_metrics(CLASS_PARTS)
    with pytest.warns(UserWarning, match="before the ``update`` method"):
        assert {name: float(value) for name, value in metrics.compute().items()} == dict.fromkeys(metrics, 0.0)


def test_the_table_of_parts():
    assert part_table(CLASS_PARTS).nonzero().tolist() == [
        [row, part] for row, parts in enumerate(CLASS_PARTS) for part in parts
    ]


@pytest.mark.parametrize(
    ("class_parts", "error", "message"),
    [
        ([], ValueError, "class_parts must hold the parts of at least one category, got none"),
        ([[0], []], ValueError, r"class_parts\[1\] must be one or more labels, each once, got \(\)"),
        ([[2, 2]], ValueError, r"class_parts\[0\] must be one or more labels, each once, got \(2, 2\)"),
        ([[0, -1]], ValueError, r"class_parts\[0\]\[1\] must be at least 0, got -1"),
        ([[0.5]], TypeError, r"class_parts\[0\]\[0\] must be an integer, got 0.5"),
    ],
)
def test_bad_parts_are_named(class_parts, error, message):
    for check in (check_class_parts, InstanceIoU):
        with pytest.raises(error, match=message):
            check(class_parts)
