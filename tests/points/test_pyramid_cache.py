"""Pyramids kept on disk: the same as built, built once, and never read where anything has changed."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader, Dataset

from lpsc_nd.points import CachedPyramids, PointPyramid, PyramidBuilder, pyramid_cache

BUILDER = PyramidBuilder(0.3, depth=2, num_directions=4, ndim=2)


def points(seed=0, count=30):
    return np.random.default_rng(seed).random((count, 2))


@given(count=st.integers(0, 20), seed=st.integers(0, 99), kind=st.sampled_from([np.float32, np.float64]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_it_gives_what_the_builder_gives(count, seed, kind, tmp_path):
    cached, cloud = CachedPyramids(BUILDER, tmp_path), points(seed, count).astype(kind)
    for _ in range(2):
        found = cached(cloud)
        assert found == BUILDER(cloud)
        assert found.positions[0].dtype == BUILDER(cloud).positions[0].dtype


def test_it_builds_once(tmp_path, monkeypatch):
    built = []
    monkeypatch.setattr(PyramidBuilder, "__call__", counted(PyramidBuilder.__call__, built))
    cached = CachedPyramids(BUILDER, tmp_path / "a" / "b")
    for _ in range(3):
        cached(points(0))
    assert len(built) == 1
    assert CachedPyramids(replace(BUILDER), str(tmp_path / "a" / "b"))(points(0)).depth == 2
    assert len(built) == 1
    assert len(list((tmp_path / "a" / "b").iterdir())) == 1


def counted(function, calls):
    def call(*arguments):
        calls.append(arguments)
        return function(*arguments)

    return call


def test_whatever_changes_the_pyramid_changes_the_file(tmp_path, monkeypatch):
    cached, cloud = CachedPyramids(BUILDER, tmp_path), points()
    settings = [{"cell_size": 0.31}, {"depth": 1}, {"growth": 2.1}, {"reach": 2.0}, {"subsample": False}]
    paths = [
        cached.path(cloud),
        cached.path(cloud[::-1]),
        cached.path(cloud + 1e-12),
        cached.path(cloud.astype(np.float32)),
        cached.path(cloud, np.zeros(30, dtype=int)),
        cached.path(cloud, np.arange(30)),
        cached.path(cloud, None, 2),
        *(CachedPyramids(replace(BUILDER, **change), tmp_path).path(cloud) for change in settings),
    ]
    monkeypatch.setattr(pyramid_cache, "BUILDING", 10**6)
    paths.append(cached.path(cloud))
    assert len(set(paths)) == len(paths)


def test_arrays_and_tensors_share_a_file(tmp_path):
    cached, cloud = CachedPyramids(BUILDER, tmp_path), points()
    assert cached.path(cloud) == cached.path(torch.from_numpy(cloud)) == cached.path(np.asfortranarray(cloud))


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-5], lambda b: b[:200] + b"?" + b[201:], lambda b: b"", lambda b: b"x"]
)
def test_a_damaged_file_is_built_and_written_again(damage, tmp_path):
    cached, cloud = CachedPyramids(BUILDER, tmp_path), points()
    expected, path = cached(cloud), cached.path(cloud)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.warns(UserWarning, match=rf"{path.name} is .*; it is built and written again"):
        assert cached(cloud) == expected
    assert PointPyramid.load(path) == expected


def test_bad_arguments(tmp_path):
    with pytest.raises(TypeError, match="builder must be a PyramidBuilder, got function"):
        CachedPyramids(points, tmp_path)
    with pytest.raises(ValueError, match="positions must have shape"):
        CachedPyramids(BUILDER, tmp_path)(np.zeros((4, 3)))
    with pytest.raises(ValueError, match="batch must be below num_clouds"):
        CachedPyramids(BUILDER, tmp_path)(np.zeros((1, 2)), [3], 2)
    assert list(tmp_path.iterdir()) == []


class Clouds(Dataset):
    def __init__(self, folder):
        self.cached = CachedPyramids(BUILDER, folder)

    def __len__(self):
        return 12

    def __getitem__(self, index):
        return self.cached(points(index % 3))


def test_several_loading_processes_share_a_folder(tmp_path):
    loader = DataLoader(Clouds(tmp_path), batch_size=4, num_workers=2, collate_fn=PointPyramid.collate)
    found = list(loader)
    for number, batch in enumerate(found):
        assert batch == PointPyramid.collate([BUILDER(points((4 * number + i) % 3)) for i in range(4)])
    assert len(list(tmp_path.iterdir())) == 3
