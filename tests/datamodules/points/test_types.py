"""Clouds and batches of clouds."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from datamodules.points.types import PointBatch, PointSample, collate_points


def make(count, label=0, columns=0, parts=False, name="", seed=0):
    generator = np.random.default_rng((seed, count, label))
    return PointSample(
        generator.normal(size=(count, 3)).astype(np.float32),
        label=label,
        features=generator.normal(size=(count, columns)).astype(np.float32) if columns else None,
        parts=generator.integers(0, 5, count) if parts else None,
        name=name,
    )


sizes = st.lists(st.integers(1, 9), min_size=1, max_size=6)


@given(sizes=sizes, columns=st.sampled_from([0, 1, 3]), parts=st.booleans())
def test_every_cloud_comes_back_out_of_a_batch(sizes, columns, parts):
    samples = [make(size, label, columns, parts, f"cloud {label}") for label, size in enumerate(sizes)]
    batch = collate_points(samples)
    assert batch.counts.tolist() == sizes
    assert batch.num_samples == len(sizes)
    assert batch.batch.tolist() == sorted(batch.batch.tolist())
    assert batch.names == tuple(sample.name for sample in samples)
    for number, sample in enumerate(samples):
        own = batch.batch == number
        assert int(batch.labels[number]) == sample.label
        for name in ("positions", "features", "parts"):
            expected, got = getattr(sample, name), getattr(batch, name)
            assert (expected is None) == (got is None)
            if expected is not None:
                np.testing.assert_array_equal(got[own].numpy(), expected)


def test_types_of_a_batch():
    batch = collate_points([make(3, columns=2, parts=True)])
    types = {name: value.dtype for name, value in vars(batch).items() if isinstance(value, torch.Tensor)}
    whole, real = torch.int64, torch.float32
    assert types == {"positions": real, "features": real, "batch": whole, "labels": whole, "parts": whole}


def test_a_batch_moves_as_a_whole():
    batch = collate_points([make(3, columns=2, parts=True, name="a"), make(2, columns=2, parts=True, name="b")])
    moved = batch.to("meta")
    assert isinstance(moved, PointBatch)
    assert moved.names == ("a", "b")
    tensors = [value for value in vars(moved).values() if isinstance(value, torch.Tensor)]
    assert len(tensors) == 5
    assert all(tensor.is_meta for tensor in tensors)
    assert collate_points([make(2)]).to("meta").features is None


def test_pinning_pins_every_tensor(monkeypatch):
    pinned = []
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: (pinned.append(tensor.shape), tensor)[1])
    collate_points([make(3, parts=True)]).pin_memory()
    assert sorted(pinned) == [(1,), (3,), (3,), (3, 3)]


@given(count=st.integers(1, 20), data=st.data())
def test_selected_points_keep_their_own_values(count, data):
    sample = make(count, columns=2, parts=True)
    chosen = np.array(data.draw(st.lists(st.integers(0, count - 1), min_size=1, max_size=20)))
    part = sample.select(chosen)
    for name in ("positions", "features", "parts"):
        np.testing.assert_array_equal(getattr(part, name), np.stack([getattr(sample, name)[i] for i in chosen]))
    assert (part.label, part.name) == (sample.label, sample.name)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"positions": np.zeros((0, 3), np.float32)}, r"positions must hold at least one point, got shape \[0, 3\]"),
        ({"positions": np.zeros((2, 2), np.float32)}, r"positions must be float32 of shape \[2, 3\], got .*\[2, 2\]"),
        ({"positions": np.zeros((2, 3))}, r"positions must be float32 .* got float64"),
        ({"features": np.zeros((3, 1), np.float32)}, r"features must be float32 of shape \[2, 1\], got .*\[3, 1\]"),
        ({"parts": np.zeros(3, np.int64)}, r"parts must be int64 of shape \[2\], got int64 of shape \[3\]"),
        ({"parts": np.zeros(2, np.int32)}, r"parts must be int64 .* got int32"),
        ({"has_normals": True}, "has_normals needs features"),
        ({"has_normals": True, "features": np.zeros((2, 2), np.float32)}, "has_normals needs features"),
    ],
)
def test_bad_clouds_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        PointSample(**{"positions": np.zeros((2, 3), np.float32), "label": 0, **changes})


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        ([], "samples must hold at least one cloud, got none"),
        ([make(2, columns=3), make(2)], r"features must be alike .* got \[3, None\] columns"),
        ([make(2, columns=3), make(2, columns=1)], r"features must be alike .* got \[3, 1\] columns"),
        ([make(2), make(2, parts=True)], r"parts must be alike .* got \[None, 1\] columns"),
    ],
)
def test_samples_that_make_no_batch_are_refused(samples, message):
    with pytest.raises(ValueError, match=message):
        collate_points(samples)
