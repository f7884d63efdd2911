"""The holder: equality, copies, devices, joining clouds, and what it refuses."""

import copy
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lpsc_nd import LogPolarPartition, Neighborhood

PLANE = LogPolarPartition(2, 1.0, 2, 4, 2.0)


def drawn(seed, count=20, queries=None):
    generator = np.random.default_rng(seed)
    others = None if queries is None else generator.random((queries, 2))
    return Neighborhood.build(PLANE, generator.random((count, 2)), others)


def parts(**changes):
    """Two queries, two regions, three sources: bags [0, 2], [1], [], [2]."""
    good = {
        "indptr": torch.tensor([0, 2, 3, 3, 4]),
        "indices": torch.tensor([0, 2, 1, 2]),
        "centers": torch.tensor([1, -1]),
        "num_sources": 3,
        "num_regions": 2,
    }
    return {**good, **changes}


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda n: pickle.loads(pickle.dumps(n))])
def test_a_copy_is_equal_and_hashes_the_same(again):
    found = drawn(0)
    assert again(found) == found
    assert hash(again(found)) == hash(found)


def test_different_neighborhoods_differ():
    one = Neighborhood(**parts())
    changes = [
        {"indices": torch.tensor([0, 1, 1, 2])},
        {"centers": torch.tensor([1, 0])},
        {"indptr": torch.tensor([0, 2, 3, 4, 4])},
        {"num_sources": 4},
        {"num_cut": 1},
    ]
    assert all(Neighborhood(**parts(**change)) != one for change in changes)
    assert one == Neighborhood(**parts())
    assert one != "a neighborhood"


def test_what_it_says_of_itself():
    text = "Neighborhood(num_queries=2, num_sources=3, num_regions=2, neighbors=4, device='cpu')"
    assert repr(Neighborhood(**parts())) == text


def test_it_is_frozen():
    with pytest.raises(AttributeError):
        Neighborhood(**parts()).num_sources = 4


def test_moving_it_where_it_is_gives_itself():
    found = drawn(1)
    assert found.to("cpu") is found
    assert found.to("cpu", non_blocking=True) is found


def test_moving_it_moves_every_tensor():
    moved = drawn(1).to(torch.device("meta"))
    assert {tensor.device.type for tensor in (moved.indptr, moved.indices, moved.centers)} == {"meta"}
    assert moved.device == torch.device("meta")
    assert moved.num_queries == 20


def test_points_on_a_device_give_a_neighborhood_there():
    assert Neighborhood.build(PLANE, torch.zeros(0, 2)).device == torch.device("cpu")


@given(sizes=st.lists(st.tuples(st.integers(0, 15), st.none() | st.integers(0, 5)), min_size=1, max_size=4))
def test_joining_clouds_is_building_them_together(sizes):
    generator = np.random.default_rng(len(sizes))
    sources = [generator.random((count, 2)) for count, _ in sizes]
    queries = [cloud if n is None else generator.random((n, 2)) for cloud, (_, n) in zip(sources, sizes, strict=True)]
    single = [Neighborhood.build(PLANE, s, q) for s, q in zip(sources, queries, strict=True)]
    joined = Neighborhood.collate(single)
    joined.validate()
    batches = [np.repeat(np.arange(len(sizes)), list(map(len, clouds))) for clouds in (sources, queries)]
    together = Neighborhood.build(
        PLANE, np.concatenate(sources), np.concatenate(queries), source_batch=batches[0], query_batch=batches[1]
    )
    assert joined == together


def test_joining_keeps_what_was_cut():
    one = Neighborhood(**parts(num_cut=2))
    assert Neighborhood.collate([one, one]).num_cut == 4
    assert Neighborhood.collate([one]) == one


def test_bad_joins():
    with pytest.raises(ValueError, match="at least one"):
        Neighborhood.collate([])
    with pytest.raises(ValueError, match=r"same num_regions to be joined, got \[2, 8\]"):
        Neighborhood.collate([Neighborhood(**parts()), drawn(0)])
    with pytest.raises(ValueError, match="same device"):
        Neighborhood.collate([drawn(0), drawn(0).to("meta")])


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"indptr": [0, 1]}, TypeError, "indptr must be a tensor, got list"),
        ({"indices": torch.tensor([0.0])}, ValueError, "indices must be int64 of one axis, got torch.float32"),
        ({"indices": torch.tensor([0], dtype=torch.int32)}, ValueError, "indices must be int64"),
        ({"centers": torch.tensor([[1], [2]])}, ValueError, "centers must be int64 of one axis"),
        ({"centers": torch.tensor([1])}, ValueError, r"indptr must have 1 queries \* 2 regions \+ 1 entries, got 5"),
        ({"centers": torch.empty(2, dtype=torch.int64, device="meta")}, ValueError, "on the device of indptr"),
        ({"num_sources": -1}, ValueError, "num_sources must be at least 0"),
        ({"num_regions": 2.0}, TypeError, "num_regions must be an integer"),
    ],
)
def test_bad_parts(change, error, words):
    with pytest.raises(error, match=words):
        Neighborhood(**parts(**change))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"indptr": torch.tensor([1, 2, 3, 3, 4])}, "indptr must ascend from 0 to the 4 indices"),
        ({"indptr": torch.tensor([0, 3, 2, 3, 4])}, "indptr must ascend"),
        ({"indptr": torch.tensor([0, 2, 3, 3, 5])}, "indptr must ascend"),
        ({"indices": torch.tensor([0, 3, 1, 2])}, r"indices must be in 0\.\.2, got 0\.\.3"),
        ({"indices": torch.tensor([-1, 2, 1, 2])}, r"indices must be in 0\.\.2"),
        ({"indices": torch.tensor([2, 0, 1, 2])}, "indices must be ascending within each bag"),
        ({"centers": torch.tensor([3, -1])}, r"centers must be in -1\.\.2, got -1\.\.3"),
        ({"centers": torch.tensor([1, -2])}, r"centers must be in -1\.\.2"),
    ],
)
def test_bad_contents(change, words):
    with pytest.raises(ValueError, match=words):
        Neighborhood(**parts(**change)).validate()


def test_good_contents():
    Neighborhood(**parts()).validate()
    Neighborhood(**parts(indices=torch.tensor([2, 2, 1, 0]))).validate()
    assert Neighborhood(**parts()).counts.tolist() == [[2, 1], [0, 1]]
