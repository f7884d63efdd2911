"""Building neighbourhoods: inputs of all kinds, the empty cases, the cap, the memory and the errors."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lpsc_nd import LogPolarPartition, Neighborhood
from lpsc_nd.geometry import Field
from lpsc_nd.points import memory
from lpsc_nd.testing import MaskPartition

PLANE = LogPolarPartition(2, 1.0, 2, 4, 2.0)
POINTS = np.array([[0.0, 0.0], [0.0, 0.25], [0.5, 0.0], [5.0, 5.0]])


class Half:
    """A partition of one's own: right and left of the centre, within one unit."""

    num_regions = 2

    def __init__(self, field, codes=None):
        self.field = field
        self.codes = codes

    def region(self, offsets):
        codes = np.where(offsets[..., 1] > 0, 1, 2) * (np.abs(offsets).max(axis=-1) <= 1)
        return codes if self.codes is None else self.codes(codes)


def square():
    return Field(np.eye(2), 2**0.5)


def nearest_by_hand(partition, points, limit):
    """Keep for every query the ``limit`` first of its neighbours, sorted by distance and index."""
    rows = []
    for query in points:
        regions = partition.region(points - query)
        near = sorted((float(np.hypot(*(points[s] - query))), s) for s in np.flatnonzero(regions))[:limit]
        rows.append([sorted(s for _, s in near if regions[s] == r) for r in range(1, partition.num_regions + 1)])
    return rows


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.int32])
def test_arrays_and_tensors_of_any_type_are_alike(dtype):
    points = (POINTS * 4).round() if dtype == torch.int32 else POINTS
    partition = LogPolarPartition(2, 2.0, 2, 4, 2.0)
    tensor = torch.tensor(points).to(dtype)
    if dtype.is_floating_point:
        tensor.requires_grad_()
    assert Neighborhood.build(partition, tensor) == Neighborhood.build(partition, points)
    assert Neighborhood.build(partition, points.tolist()) == Neighborhood.build(partition, points[::-1][::-1])


def test_queries_that_are_the_sources_may_be_given(as_lists):
    batch = torch.tensor([0, 0, 1, 1])
    once = Neighborhood.build(PLANE, POINTS, source_batch=batch)
    assert Neighborhood.build(PLANE, POINTS, POINTS.copy(), source_batch=batch, query_batch=batch) == once
    other = Neighborhood.build(PLANE, POINTS, POINTS, source_batch=batch, query_batch=np.array([0, 1, 1, 1]))
    assert [bag for bag in as_lists(other)[1] if bag] == [[2]]
    assert other.centers.tolist() == [0, -1, 2, 3]


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize(("num_sources", "num_queries"), [(0, 0), (0, 3), (3, 0), (0, None)])
def test_empty_clouds_have_results_of_the_right_shape(ndim, num_sources, num_queries):
    partition = LogPolarPartition(ndim, 1.0, 2, {1: 2, 2: 4, 3: 6}[ndim], 2.0)
    queries = None if num_queries is None else np.zeros((num_queries, ndim))
    found = Neighborhood.build(partition, np.zeros((num_sources, ndim)), queries, max_neighbors=2)
    assert found.counts.shape == (num_queries or 0, partition.num_regions)
    assert found.counts.sum() == len(found.indices) == 0
    assert found.centers.tolist() == [-1] * (num_queries or 0)
    assert (found.num_sources, found.num_queries) == (num_sources, num_queries or 0)
    found.validate()


def test_a_query_far_from_all_has_no_neighbours():
    found = Neighborhood.build(PLANE, POINTS, [[-100.0, 3.0], [0.0, 0.0]])
    assert found.centers.tolist() == [-1, 0]
    assert found.counts.sum(dim=1).tolist() == [0, 2]


def test_coincident_points_are_in_no_region_and_the_first_is_the_centre():
    found = Neighborhood.build(PLANE, [[1.0, 1.0], [1.0, 1.0], [1.0, 1.0]])
    assert len(found.indices) == 0
    assert found.centers.tolist() == [0, 0, 0]


def test_a_partition_of_ones_own(as_lists):
    found = Neighborhood.build(Half(square), POINTS, POINTS[:1])
    assert as_lists(found) == [[[1], [0, 2]]]


@given(data=st.data(), limit=st.integers(1, 6))
def test_max_neighbors_keeps_the_nearest(data, limit, quarters, as_lists):
    points = data.draw(quarters(2))
    partition = LogPolarPartition(2, 1.5, 2, 4, 2.0)
    whole = Neighborhood.build(partition, points)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = Neighborhood.build(partition, points, max_neighbors=limit)
    assert as_lists(found) == nearest_by_hand(partition, points, limit)
    assert found.num_cut == len(whole.indices) - len(found.indices)
    assert len(caught) == (found.num_cut > 0)
    assert torch.equal(found.centers, whole.centers)


def test_max_neighbors_measures_as_the_field_does_and_warns():
    partition = LogPolarPartition(2, 4.0, 1, 1, 2.0, axes=(4.0, 1.0))
    with pytest.warns(UserWarning, match="max_neighbors=1 left out 1 neighbours") as caught:
        found = Neighborhood.build(partition, [[3.0, 0.0], [0.0, 0.9]], [[0.0, 0.0]], max_neighbors=1)
    assert found.indices.tolist() == [0]  # 3/4 of the way to the border, against 9/10
    assert found.num_cut == 1
    assert caught[0].filename == __file__


def test_too_little_memory_is_noticed_before_it_is_taken(monkeypatch):
    points = np.random.default_rng(0).random((2000, 2))
    whole = LogPolarPartition(2, 0.5, 2, 4, 2.0)
    monkeypatch.setattr(memory, "available", lambda: 2**24)
    message = r"a neighborhood of about 1\.\d+e\+06 neighbours .* needs about 0\.0\d+ GiB, and 0\.0156 GiB .* radius"
    with pytest.raises(MemoryError, match=message) as caught:
        Neighborhood.build(whole, points)
    smaller = float(str(caught.value).split("a field of radius ")[1].split()[0])
    assert smaller < 0.5
    Neighborhood.build(LogPolarPartition(2, smaller, 2, 4, 2.0), points)
    with pytest.warns(UserWarning, match="left out"):
        Neighborhood.build(whole, points, max_neighbors=4)


def test_too_little_memory_for_the_bags_alone(monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 100)
    with pytest.raises(MemoryError, match="fewer queries or regions are needed"):
        Neighborhood.build(PLANE, POINTS)


def test_memory_is_known_here_or_not_limited(monkeypatch):
    assert memory.available() > 2**20
    monkeypatch.setattr(memory, "available", lambda: None)
    Neighborhood.build(PLANE, POINTS)


@pytest.mark.parametrize(("limit", "left"), [("max", None), ("1000", 400), ("500", 0)])
def test_the_control_groups_limit_counts(limit, left, tmp_path, monkeypatch):
    (tmp_path / "memory.max").write_text(limit + "\n")
    (tmp_path / "memory.current").write_text("600\n")
    free = memory.available()
    monkeypatch.setattr(memory, "_CONTROL_GROUP", tmp_path)
    assert memory.available() == left if left is not None else memory.available() >= free // 2


def test_more_bags_than_an_integer_can_number(monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: None)
    partition = Half(square)
    partition.num_regions = 2**60
    with pytest.raises(ValueError, match="are too many for one neighborhood"):
        Neighborhood.build(partition, POINTS)


NAN, INF = float("nan"), float("inf")
EYES = np.stack([np.eye(2)] * 4)
BAD = [
    ({"partition": object()}, TypeError, "partition must have num_regions and region"),
    (
        {"partition": MaskPartition((1,), (1, 1), 1)},
        TypeError,
        r"MaskPartition does not say how far .* add a method field",
    ),
    (
        {"partition": Half(lambda: 3.0)},
        TypeError,
        r"field\(\) of Half must return an lpsc_nd.geometry.Field, got float",
    ),
    ({"partition": Half(square, lambda c: c + 5)}, ValueError, r"region codes must be in 0\.\.2"),
    ({"partition": Half(square, lambda c: c * 1.0)}, ValueError, "partition.region must return integers of shape"),
    ({"partition": Half(square, lambda c: c[:-1])}, ValueError, "partition.region must return integers of shape"),
    ({"partition": LogPolarPartition(2, 1.0, 2, 4, 2.0, convention="official")}, ValueError, "convention 'official'"),
    ({"sources": [1.0, 2.0]}, ValueError, r"sources must have shape \(n, 2\), got \(2,\)"),
    ({"sources": np.zeros((3, 3))}, ValueError, r"sources must have shape \(n, 2\), got \(3, 3\)"),
    ({"sources": [[0.0, 0.0], [0.0]]}, ValueError, "sources must be an array of numbers"),
    ({"sources": [["a", "b"]]}, ValueError, "sources must be an array of numbers"),
    ({"sources": np.zeros((3, 2), dtype=complex)}, TypeError, "sources must hold real numbers"),
    ({"sources": torch.zeros(3, 2, dtype=torch.complex64)}, TypeError, "sources must hold real numbers"),
    ({"sources": [[0.0, 0.0], [NAN, 1.0]]}, ValueError, "sources must be finite, got .* in row 1"),
    ({"sources": [[0.0, INF]]}, ValueError, "sources must be finite"),
    ({"queries": [[0.0, -INF]]}, ValueError, "queries must be finite"),
    ({"queries": np.zeros((0, 3))}, ValueError, r"queries must have shape \(n, 2\), got \(0, 3\)"),
    ({"source_batch": [0, 1, 0, 1]}, ValueError, "source_batch must be ascending, got 1 before 0"),
    ({"source_batch": [-1, 0, 0, 1]}, ValueError, "source_batch must not be negative, got -1"),
    ({"source_batch": [0, 0, 1]}, ValueError, r"source_batch must have one entry per point, shape \(4,\), got \(3,\)"),
    ({"source_batch": [[0, 0, 1, 1]]}, ValueError, "source_batch must have one entry per point"),
    ({"source_batch": [0.0, 0.0, 1.0, 1.0]}, ValueError, "source_batch must hold integers, got float64"),
    ({"source_batch": [True] * 4}, ValueError, "source_batch must hold integers, got bool"),
    ({"query_batch": [0, 0, 0, 0]}, ValueError, "query_batch must be None where the queries are the sources"),
    ({"queries": POINTS, "query_batch": [0, 0, 0, 0]}, ValueError, "must be given together"),
    ({"queries": POINTS, "source_batch": [0, 0, 0, 0]}, ValueError, "must be given together"),
    ({"max_neighbors": 0}, ValueError, "max_neighbors must be at least 1"),
    ({"max_neighbors": 2.0}, TypeError, "max_neighbors must be an integer"),
    ({"frames": np.eye(2)}, ValueError, r"frames must have shape \(4, 2, 2\), one per query"),
    ({"frames": EYES * 2}, ValueError, "frames must be orthogonal .* for query 0"),
    ({"frames": EYES * NAN}, ValueError, "frames must be orthogonal"),
]


@pytest.mark.parametrize(("arguments", "error", "words"), BAD)
def test_bad_arguments(arguments, error, words):
    with pytest.raises(error, match=words):
        Neighborhood.build(**{"partition": PLANE, "sources": POINTS, **arguments})
