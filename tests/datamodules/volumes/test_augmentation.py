"""Variation: volumes and labels move together, by the key alone."""

import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from datamodules.sampling import SampleKey
from datamodules.volumes.augmentation import VolumeAugmentation

KEYS = st.builds(SampleKey, st.integers(0, 9), st.integers(-(2**40), 2**40), st.integers(0, 9))
AXES = st.lists(st.sampled_from((0, 1, 2)), unique=True).map(tuple)


@given(shape=st.tuples(*3 * (st.integers(1, 5),)), axes=AXES, key=KEYS, intensity=st.booleans())
def test_labels_move_with_their_volume_along_the_axes_that_may(shape, axes, key, intensity):
    labels = torch.arange(int(np.prod(shape))).reshape(shape)
    images = torch.stack([labels.float(), -labels.float()])
    varied, moved = VolumeAugmentation(axes, intensity)(images, labels, key)
    assert type(varied) is type(moved) is torch.Tensor
    assert varied.shape == images.shape
    assert moved.dtype == torch.int64
    flips = [[axis for axis in axes if choice >> axis & 1] for choice in range(8)]
    assert any(torch.equal(moved, labels.flip(list(flip))) for flip in flips)
    if not intensity:
        assert torch.equal(varied[0], moved.float())
        assert torch.equal(varied[1], -moved.float())
    else:
        change = np.polyfit(moved.ravel(), varied[0].ravel(), 1) if moved.numel() > 1 else (1.0, varied[0].item())
        assert abs(change[0] - 1) <= 0.1 + 1e-4
        np.testing.assert_allclose(np.polyval(change, moved.ravel()), varied[0].ravel(), atol=1e-3)


@given(key=KEYS)
def test_the_same_key_varies_alike_whatever_came_before(key):
    images = torch.randn(1, 3, 4, 5)
    augmentation = VolumeAugmentation()
    first, _ = augmentation(images, None, key)
    augmentation(images, None, SampleKey(99))
    assert torch.equal(augmentation(images, None, key)[0], first)
    assert torch.equal(VolumeAugmentation()(images, None, key)[0], first)


def test_all_mirrorings_and_plain_volumes_come_up():
    volume = torch.arange(8.0).reshape(1, 2, 2, 2)
    augmentation = VolumeAugmentation(intensity=False)
    found = {tuple(augmentation(volume, None, SampleKey(index))[0].ravel().tolist()) for index in range(80)}
    assert len(found) == 8


def test_missing_monai_is_explained(monkeypatch):
    monkeypatch.setitem(sys.modules, "monai.transforms", None)
    monkeypatch.setitem(sys.modules, "monai", None)
    with pytest.raises(ModuleNotFoundError, match=r"MONAI, which is not installed: pip install 'lpsc-nd\[volumes\]'"):
        VolumeAugmentation()(torch.zeros(1, 2, 2, 2), None, SampleKey(0))


@pytest.mark.parametrize(
    ("axes", "error", "message"),
    [
        ((3,), ValueError, r"flip_axes must be different axes from 0 to 2, got \(3,\)"),
        ((0, 0), ValueError, r"flip_axes must be different axes from 0 to 2, got \(0, 0\)"),
        ((-1,), ValueError, r"flip_axes\[0\] must be at least 0, got -1"),
        ((1.0,), TypeError, r"flip_axes\[0\] must be an integer"),
    ],
)
def test_bad_axes_are_named(axes, error, message):
    with pytest.raises(error, match=message):
        VolumeAugmentation(axes)
