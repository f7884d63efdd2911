"""Batches with pyramids: built at once or kept, they are the same; and they reach a trainer whole."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from datamodules.points.kept_pyramids import AttachPyramid, PreparedCloud, collate_prepared, num_bytes
from datamodules.points.pyramids import PyramidBatch, PyramidCollate
from datamodules.points.shapes import SurfaceOptions, SurfacesDataModule
from datamodules.points.transforms import RandomRotation
from datamodules.points.types import PointSample
from lpsc_nd.points import PyramidBuilder

BUILDER = PyramidBuilder(0.3, depth=2, num_levels=1, num_directions=(2, 2))


@st.composite
def cloud_lists(draw):
    """Clouds of 1 to 12 points on a coarse lattice, so that points coincide and cells fill up."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    sizes = draw(st.lists(st.integers(1, 12), min_size=1, max_size=4))
    features = draw(st.integers(0, 2))
    clouds = []
    for label, size in enumerate(sizes):
        positions = (generator.integers(-4, 5, (size, 3)) / 4).astype(np.float32)
        columns = generator.normal(size=(size, features)).astype(np.float32) if features else None
        parts = generator.integers(0, 5, size)
        clouds.append(PointSample(positions, label=label, features=columns, parts=parts, name=f"cloud {label}"))
    return clouds


def tensors(batch):
    tables = [*batch.pyramid.neighborhoods, *batch.pyramid.down]
    own = [batch.labels, batch.parts, batch.features]
    return [tensor for tensor in own if tensor is not None] + [table.indices for table in tables]


def assert_equal_batches(one, other):
    assert one.pyramid == other.pyramid
    assert one.names == other.names
    for name in ("labels", "parts", "features"):
        mine, yours = getattr(one, name), getattr(other, name)
        assert (mine is None) == (yours is None)
        assert mine is None or torch.equal(mine, yours)


@given(cloud_lists())
def test_pyramids_built_at_once_and_one_by_one_are_the_same(clouds):
    attach = AttachPyramid(BUILDER)
    assert_equal_batches(PyramidCollate(BUILDER)(clouds), collate_prepared([attach(cloud) for cloud in clouds]))


def test_the_check_of_batches_can_fail():
    cloud = PointSample(np.eye(3, dtype=np.float32), label=1, parts=np.arange(3), name="a")
    batch = PyramidCollate(BUILDER)([cloud])
    others = [
        replace(batch, labels=batch.labels + 1),
        replace(batch, parts=None),
        replace(batch, parts=batch.parts + 1),
        replace(batch, names=("b",)),
        PyramidCollate(replace(BUILDER, depth=1))([cloud]),
    ]
    for other in others:
        with pytest.raises(AssertionError):
            assert_equal_batches(batch, other)


@given(cloud_lists())
def test_features_are_means_over_the_cells_of_each_cloud(clouds):
    batch = PyramidCollate(BUILDER)(clouds)
    assert batch.num_samples == len(clouds) == batch.pyramid.num_clouds
    assert batch.parts.tolist() == [part for cloud in clouds for part in cloud.parts]
    if clouds[0].features is None:
        assert batch.features is None
        return
    cells: dict[tuple[int, ...], list[np.ndarray]] = {}
    for cloud in clouds:
        for position, row in zip(cloud.positions.astype(np.float64), cloud.features, strict=True):
            cells.setdefault((cloud.label, *np.floor(position / 0.3).astype(int)), []).append(row)
    means = sorted(np.mean(rows, axis=0).tolist() for rows in cells.values())
    np.testing.assert_allclose(sorted(batch.features.tolist()), means, atol=1e-5)


def test_a_batch_moves_as_a_whole():
    batch = PyramidCollate(BUILDER)([PointSample(np.eye(3, dtype=np.float32), label=1, parts=np.arange(3))])
    moved = batch.to("meta")
    assert {tensor.device.type for tensor in tensors(moved)} == {"meta"}
    assert moved.pyramid.device.type == "meta"
    assert moved.features is None
    assert_equal_batches(batch.to("cpu"), batch)


def test_unchanged_clouds_are_built_once():
    attach = AttachPyramid(BUILDER)
    cloud = PointSample(np.eye(3, dtype=np.float32), label=1)
    first = attach(cloud)
    assert isinstance(first, PreparedCloud)
    assert attach(replace(cloud, label=2)).pyramid is first.pyramid
    moved = replace(cloud, positions=cloud.positions + np.float32(0.25))
    assert attach(moved).pyramid is not first.pyramid


def test_what_does_not_fit_into_memory_is_built_again():
    clouds = [PointSample(np.eye(3, dtype=np.float32) + np.float32(shift), label=0) for shift in (0, 1)]
    sizes = [num_bytes(BUILDER(cloud.positions)) for cloud in clouds]
    attach = AttachPyramid(BUILDER, memory_mb=1.5 * max(sizes) / 2**20)
    first, second = (attach(cloud).pyramid for cloud in clouds)
    assert attach(clouds[0]).pyramid is first
    assert attach(clouds[1]).pyramid is not second
    assert attach(clouds[1]).pyramid == second
    nothing = AttachPyramid(BUILDER, memory_mb=0)
    assert nothing(clouds[0]).pyramid is not nothing(clouds[0]).pyramid


def test_the_size_of_a_pyramid_is_that_of_its_buffers():
    pyramid = BUILDER(np.random.default_rng(0).random((40, 3)))
    stored = {
        t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in (pyramid.cluster, pyramid.positions[0])
    }
    assert num_bytes(pyramid) == sum(stored.values())


def test_a_folder_serves_other_processes(tmp_path):
    cloud = PointSample(np.random.default_rng(0).random((20, 3)).astype(np.float32), label=0)
    first = AttachPyramid(BUILDER, cache_dir=tmp_path)(cloud).pyramid
    assert len(list(tmp_path.iterdir())) == 1
    other = AttachPyramid(BUILDER, cache_dir=tmp_path)
    assert other(cloud).pyramid == first == BUILDER(cloud.positions)
    assert len(list(tmp_path.iterdir())) == 1


def surfaces(workers, **hooks):
    return SurfacesDataModule(
        SurfaceOptions(num_points=30), num_train=8, num_val=4, num_test=4, batch_size=4, num_workers=workers, **hooks
    )


@pytest.mark.parametrize("kept", [False, True], ids=["collate", "prepare"])
def test_workers_make_the_batches_of_the_main_process(kept):
    hooks = (
        {"prepare": AttachPyramid(BUILDER), "collate": collate_prepared}
        if kept
        else {"collate": PyramidCollate(BUILDER)}
    )
    torch.manual_seed(0)
    here = list(surfaces(0, train_transforms=[RandomRotation()], **hooks).train_dataloader())
    there = list(surfaces(1, train_transforms=[RandomRotation()], **hooks).train_dataloader())
    assert len(here) == len(there) == 2
    for mine, yours in zip(here, there, strict=True):
        assert isinstance(mine, PyramidBatch)
        assert_equal_batches(mine, yours)


def test_turned_clouds_have_other_pyramids_in_each_epoch():
    loader = surfaces(0, train_transforms=[RandomRotation()], collate=PyramidCollate(BUILDER)).train_dataloader()
    epochs = []
    for epoch in (0, 1, 1):
        loader.sampler.set_epoch(epoch)
        epochs.append(torch.cat([batch.pyramid.positions[0] for batch in loader]))
    assert torch.equal(epochs[1], epochs[2])
    assert epochs[0].shape != epochs[1].shape or not torch.equal(epochs[0], epochs[1])


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: PyramidCollate(0.3), TypeError, "builder must be a PyramidBuilder, got float"),
        (lambda: AttachPyramid(None), TypeError, "builder must be a PyramidBuilder, got NoneType"),
        (lambda: AttachPyramid(BUILDER, memory_mb=-1), ValueError, "memory_mb must be at least 0, got -1"),
        (lambda: PyramidCollate(BUILDER)([]), ValueError, "samples must hold at least one cloud, got none"),
        (lambda: collate_prepared([]), ValueError, "samples must hold at least one cloud, got none"),
    ],
)
def test_bad_arguments_are_named(make, error, message):
    with pytest.raises(error, match=message):
        make()
