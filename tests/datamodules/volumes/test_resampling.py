"""Spacing to spacing: what SciPy's interpolation gives, and nothing where nothing changes."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from datamodules.volumes.resampling import resample, resampled_size, same_spacing

LENGTHS = st.tuples(*3 * (st.sampled_from((0.5, 0.75, 1.0, 1.3, 3.0)),))
SHAPES = st.tuples(*3 * (st.integers(1, 9),))


def interpolated(values, spacing, target, size, order):
    """Oracle: the value at each new voxel's middle, the first middles agreeing."""
    axes = [np.arange(count) * new / old for count, new, old in zip(size, target, spacing, strict=True)]
    places = np.stack(np.meshgrid(*axes, indexing="ij"))
    return np.stack([ndimage.map_coordinates(channel, places, order=order, mode="nearest") for channel in values])


@given(shape=SHAPES, spacing=LENGTHS, target=LENGTHS, channels=st.integers(1, 3), seed=st.integers(0, 99))
def test_images_are_interpolated_linearly(shape, spacing, target, channels, seed):
    values = np.random.default_rng(seed).normal(size=(channels, *shape)).astype(np.float32)
    size = resampled_size(shape, spacing, target)
    result = resample(torch.from_numpy(values), spacing, target, size, "bilinear")
    assert result.shape == (channels, *size)
    assert type(result) is torch.Tensor
    expected = interpolated(values.astype(np.float64), spacing, target, size, 1)
    np.testing.assert_allclose(result.numpy(), expected, atol=2e-4)


def test_the_oracle_interpolates():
    values = np.array([[[[0.0, 10.0]]]])
    assert interpolated(values, (1, 1, 1), (1, 1, 0.25), (1, 1, 6), 1).ravel().tolist() == [0, 2.5, 5, 7.5, 10, 10]


@given(shape=SHAPES, spacing=LENGTHS, target=LENGTHS, seed=st.integers(0, 99))
def test_labels_are_those_of_a_nearest_voxel(shape, spacing, target, seed):
    labels = np.random.default_rng(seed).integers(0, 200, shape).astype(np.uint8)
    size = resampled_size(shape, spacing, target)
    result = resample(torch.from_numpy(labels[None]), spacing, target, size, "nearest")[0].numpy()
    assert result.dtype == np.uint8
    assert result.shape == size
    places = [
        np.minimum(np.arange(count) * new / old, extent - 1)
        for count, new, old, extent in zip(size, target, spacing, shape, strict=True)
    ]
    near = [(np.floor(place + 0.5 - 1e-3).astype(int), np.floor(place + 0.5 + 1e-3).astype(int)) for place in places]
    allowed = [
        labels[np.ix_(*(pair[side] for pair, side in zip(near, sides, strict=True)))] for sides in np.ndindex(2, 2, 2)
    ]
    assert (result == np.stack(allowed).clip(0, 255)).any(axis=0).all()


@given(shape=SHAPES, spacing=LENGTHS, seed=st.integers(0, 99))
def test_the_same_spacing_changes_nothing(shape, spacing, seed):
    values = torch.from_numpy(np.random.default_rng(seed).normal(size=(1, *shape)).astype(np.float32))
    assert resampled_size(shape, spacing, spacing) == shape
    assert resample(values, spacing, spacing, shape, "bilinear") is values


@given(shape=st.tuples(*3 * (st.integers(1, 7),)), factor=st.integers(1, 4), seed=st.integers(0, 99))
def test_finer_labels_come_back_unchanged(shape, factor, seed):
    labels = torch.from_numpy(np.random.default_rng(seed).integers(0, 5, (1, *shape)).astype(np.uint8))
    coarse, fine = (1.0, 2.0, 3.0), tuple(length / factor for length in (1.0, 2.0, 3.0))
    size = resampled_size(shape, coarse, fine)
    assert size == tuple((count - 1) * factor + 1 for count in shape)
    back = resample(resample(labels, coarse, fine, size, "nearest"), fine, coarse, shape, "nearest")
    assert torch.equal(back, labels)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [((1, 1, 1), (1, 1, 1), True), ((1, 1, 3), (1, 1, 3.002), True), ((1, 1, 3), (1, 1, 3.01), False)],
)
def test_spacings_are_compared_relatively(one, other, same):
    assert same_spacing(one, other) is same
