"""Scores of volumes, against counting voxels and measuring all distances one by one."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import distance_transform_edt

from lightning_modules.volumes.metrics import VolumeScores, hausdorff_distance, mask_scores

SIZES = st.tuples(st.integers(1, 6), st.integers(1, 5), st.integers(1, 4))
STEPS = st.sampled_from([0.3, 0.7421875, 1.0, 2.5, 5.0])
SPACINGS = st.tuples(STEPS, STEPS, STEPS)
CLASSES = 4


@st.composite
def mask_pairs(draw, sizes=SIZES):
    """Two masks of one size, each sparse, dense or anything, or empty."""
    size = draw(sizes)
    masks = arrays(np.bool_, size, elements=st.booleans())
    return draw(st.one_of(masks, st.just(np.zeros(size, bool)))), draw(masks)


@st.composite
def volume_pairs(draw):
    """Predicted and true classes of one to three volumes of one size."""
    shape = (draw(st.integers(1, 3)), *draw(SIZES))
    labels = arrays(np.int64, shape, elements=st.integers(0, CLASSES - 1))
    return draw(labels), draw(labels)


def surface(mask):
    """The voxels of a mask with a face towards a voxel outside of it, one by one."""
    found = []
    for place in map(tuple, np.argwhere(mask)):
        for axis, step in itertools.product(range(3), (-1, 1)):
            near = np.array(place)
            near[axis] += step
            inside = 0 <= near[axis] < mask.shape[axis]
            if not (inside and mask[tuple(near)]):
                found.append(place)
                break
    return np.array(found)


def brute_hausdorff(predicted, truth, spacing):
    """All distances between the voxels of two surfaces, their 95th percentiles, the larger one."""
    if not predicted.any() and not truth.any():
        return 0.0
    if not predicted.any() or not truth.any():
        return math.sqrt(sum((count * step) ** 2 for count, step in zip(truth.shape, spacing, strict=True)))
    first, second = (surface(mask) * np.array(spacing) for mask in (predicted, truth))
    distances = np.sqrt(((first[:, None] - second[None]) ** 2).sum(axis=2))
    return max(np.percentile(distances.min(axis=axis), 95) for axis in (0, 1))


def brute_scores(predicted, truth, spacing):
    both, sizes = np.sum(predicted & truth), (np.sum(predicted), np.sum(truth))
    dice = 2 * both / sum(sizes) if sum(sizes) else 1.0
    iou = both / (sum(sizes) - both) if sum(sizes) else 1.0
    return (dice, iou, brute_hausdorff(predicted, truth, spacing))


def tensors(*masks):
    return tuple(torch.from_numpy(np.asarray(mask)) for mask in masks)


def computed(batches, spacing, **options):
    scores = VolumeScores(CLASSES, **options)
    for predicted, target in batches:
        scores.update(*tensors(predicted, target), spacing)
    return {name: float(value) for name, value in scores.compute().items()}


@given(pair=mask_pairs(), spacing=SPACINGS)
def test_scores_of_a_mask_are_those_of_counting_and_measuring(pair, spacing):
    assert mask_scores(*tensors(*pair), spacing) == pytest.approx(brute_scores(*pair, spacing), rel=1e-5)


@given(pair=mask_pairs())
def test_dice_and_iou_are_those_of_monai(pair):
    from monai.metrics import compute_dice, compute_iou

    predicted, truth = (mask[None, None].float() for mask in tensors(*pair))
    found = mask_scores(*tensors(*pair), (1.0, 1.0, 1.0), distances=False)
    options = {"include_background": True, "ignore_empty": False}
    assert found.dice == pytest.approx(float(compute_dice(predicted, truth, **options)), rel=1e-5)
    assert found.iou == pytest.approx(float(compute_iou(predicted, truth, **options)), rel=1e-5)


@given(pair=mask_pairs(), spacing=SPACINGS)
def test_surfaces_seen_by_distance_transforms(pair, spacing):
    if not all(mask.any() for mask in pair):
        return
    surfaces = []
    for mask in pair:
        edge = np.zeros(mask.shape, bool)
        edge[tuple(surface(mask).T)] = True
        surfaces.append(edge)
    first, second = (distance_transform_edt(~edge, sampling=spacing) for edge in surfaces)
    expected = max(np.percentile(second[surfaces[0]], 95), np.percentile(first[surfaces[1]], 95))
    assert hausdorff_distance(*tensors(*pair), spacing) == pytest.approx(expected, rel=1e-5)


@given(pair=mask_pairs(), spacing=SPACINGS, factor=st.sampled_from([0.5, 3.0]))
def test_distances_are_symmetric_and_grow_with_the_voxels(pair, spacing, factor):
    predicted, truth = tensors(*pair)
    distance = hausdorff_distance(predicted, truth, spacing)
    assert hausdorff_distance(truth, predicted, spacing) == pytest.approx(distance, rel=1e-5)
    scaled = tuple(factor * step for step in spacing)
    assert hausdorff_distance(predicted, truth, scaled) == pytest.approx(factor * distance, rel=1e-5)
    assert hausdorff_distance(truth, truth, spacing) == 0


def test_millimetres_along_each_axis():
    truth = torch.zeros(9, 9, 9, dtype=torch.bool)
    truth[4, 4, 4] = True
    for axis, step in enumerate((5.0, 1.0, 0.25)):
        moved = truth.roll(3, dims=axis)
        assert hausdorff_distance(moved, truth, (5.0, 1.0, 0.25)) == pytest.approx(3 * step)


@given(batches=st.lists(volume_pairs(), min_size=1, max_size=3), spacing=SPACINGS)
def test_scores_are_means_over_volumes_of_every_class(batches, spacing):
    found = computed(batches, spacing)
    volumes = [volume for batch in batches for volume in zip(*batch, strict=True)]
    expected = np.array(
        [
            [brute_scores(predicted == label, truth == label, spacing) for label in range(1, CLASSES)]
            for predicted, truth in volumes
        ]
    ).mean(axis=0)
    for column, name in enumerate(("Dice", "IoU", "HD95")):
        assert found[name] == pytest.approx(expected[:, column].mean(), rel=1e-5)
        for label in range(1, CLASSES):
            assert found[f"{name}_{label}"] == pytest.approx(expected[label - 1, column], rel=1e-5)
    assert len(found) == 3 * CLASSES


@given(batches=st.lists(volume_pairs(), min_size=1, max_size=2))
def test_without_distances_the_others_are_the_same(batches):
    found = computed(batches, (1.0, 1.0, 1.0))
    without = computed(batches, (1.0, 1.0, 1.0), distances=False)
    assert without == {name: value for name, value in found.items() if not name.startswith("HD95")}


@pytest.mark.parametrize(
    ("predicted", "truth", "expected"),
    [
        ([[[0, 0]]], [[[0, 0]]], (1.0, 1.0, 0.0)),
        ([[[0, 1]]], [[[0, 0]]], (0.0, 0.0, math.sqrt(3**2 + 4**2 + 24**2))),
        ([[[0, 0]]], [[[1, 0]]], (0.0, 0.0, math.sqrt(3**2 + 4**2 + 24**2))),
        ([[[0, 1]]], [[[0, 1]]], (1.0, 1.0, 0.0)),
    ],
)
def test_nothing_predicted_or_nothing_there_has_finite_scores(predicted, truth, expected):
    scores = VolumeScores(2)
    scores.update(torch.tensor([predicted]), torch.tensor([truth]), (3.0, 4.0, 12.0))
    found = scores.compute()
    assert tuple(float(found[name]) for name in ("Dice", "IoU", "HD95")) == pytest.approx(expected)
    assert len(found) == 3


def test_no_volumes_are_zero():
    with pytest.warns(UserWarning, match="before the ``update`` method"):
        assert set(map(float, VolumeScores(2).compute().values())) == {0.0}


def test_the_measuring_can_differ():
    one, other = np.zeros((3, 3, 3), bool), np.zeros((3, 3, 3), bool)
    one[0, 0, 0] = other[0, 0, 1] = True
    assert brute_scores(one, other, (1, 1, 1)) != brute_scores(one, one, (1, 1, 1))
    assert brute_hausdorff(one, other, (1, 1, 2)) == 2
    assert len(surface(np.ones((3, 3, 3), bool))) == 26


def test_a_single_class_is_refused():
    with pytest.raises(ValueError, match="num_classes must be at least 2, got 1"):
        VolumeScores(1)
