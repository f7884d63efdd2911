"""Neighbourhoods from edges: the same as from a search, given labels, graph objects, and errors."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lpsc_nd import LogPolarPartition, Neighborhood

PLANE = LogPolarPartition(2, 1.0, 2, 4, 2.0)
EDGES = torch.tensor([[0, 1, 2, 2, 0], [1, 0, 0, 0, 0]])


def radius_graph(sources, queries, radius, rng, *, loops):
    """List all pairs within the radius in any order, (2, E)."""
    distances = np.linalg.norm(sources[:, None] - queries[None], axis=2)
    edges = np.argwhere(distances <= radius * (1 + 1e-6))
    if not loops:
        edges = edges[edges[:, 0] != edges[:, 1]]
    return rng.permutation(edges, axis=0).T


@given(data=st.data(), loops=st.booleans(), seed=st.integers(0, 99))
def test_all_edges_of_the_field_give_what_a_search_gives(data, loops, seed, quarters):
    points = data.draw(quarters(2))
    edges = radius_graph(points, points, 1.0, np.random.default_rng(seed), loops=loops)
    found = Neighborhood.from_edges(edges, partition=PLANE, sources=points)
    assert found == Neighborhood.build(PLANE, points)


@given(data=st.data(), seed=st.integers(0, 99))
def test_queries_may_be_other_nodes(data, seed, quarters):
    sources, queries = data.draw(quarters(2)), data.draw(quarters(2))
    edges = radius_graph(sources, queries, 1.0, np.random.default_rng(seed), loops=True)
    found = Neighborhood.from_edges(edges, partition=PLANE, sources=torch.tensor(sources), queries=queries)
    assert found == Neighborhood.build(PLANE, sources, queries)


def test_frames_turn_the_offsets():
    points, turn = np.array([[0.0, 0.0], [0.0, 0.4]]), np.array([[0.0, 1.0], [-1.0, 0.0]])
    frames = np.stack([np.eye(2), turn])
    edges = [[0, 1], [1, 0]]
    found = Neighborhood.from_edges(edges, partition=PLANE, sources=points, frames=frames)
    assert found == Neighborhood.build(PLANE, points, frames=frames)


def test_labels_may_be_given(as_lists):
    found = Neighborhood.from_edges(EDGES, regions=[1, 2, 2, 2, 0], num_regions=2, num_sources=4)
    assert as_lists(found) == [[[], [1, 2, 2]], [[0], []], [[], []], [[], []]]
    assert found.centers.tolist() == [0, 1, 2, 3]
    found.validate()


def test_a_self_loop_with_a_label_is_in_its_bag(as_lists):
    found = Neighborhood.from_edges([[0], [0]], regions=[2], num_regions=2, num_sources=1)
    assert as_lists(found) == [[[], [0]]]
    assert found.centers.tolist() == [0]


def test_two_sets_of_nodes_without_positions_have_no_centers(as_lists):
    arguments = {"regions": [1, 1], "num_regions": 1, "num_sources": 3, "num_queries": 2}
    assert Neighborhood.from_edges([[0, 2], [1, 1]], **arguments).centers.tolist() == [-1, -1]
    given_centers = Neighborhood.from_edges([[0, 2], [1, 1]], **arguments, centers=[2, -1])
    assert given_centers.centers.tolist() == [2, -1]
    assert as_lists(given_centers) == [[[]], [[0, 2]]]


def test_a_graph_object_is_taken_as_it_is():
    points = torch.tensor([[0.0, 0.0], [0.0, 0.5], [0.5, 0.0]])
    graph = SimpleNamespace(edge_index=torch.tensor([[0, 1], [1, 2]]), pos=points, batch=None, num_nodes=3)
    assert Neighborhood.from_edges(graph, partition=PLANE) == Neighborhood.from_edges(
        graph.edge_index, partition=PLANE, sources=points
    )
    bare = SimpleNamespace(edge_index=torch.tensor([[0, 1], [1, 2]]), pos=None, num_nodes=5)
    assert Neighborhood.from_edges(bare, regions=[1, 1], num_regions=1).num_queries == 5


def test_no_edges_and_no_nodes():
    empty = torch.empty(2, 0, dtype=torch.int64)
    assert Neighborhood.from_edges(empty, regions=[], num_regions=2, num_sources=3).counts.tolist() == [[0, 0]] * 3
    assert Neighborhood.from_edges(empty, partition=PLANE, sources=np.zeros((0, 2))).num_queries == 0


GOOD = {"edge_index": EDGES, "regions": [1, 2, 2, 2, 0], "num_regions": 2, "num_sources": 4}
PLACED = {"edge_index": EDGES, "partition": PLANE, "sources": np.zeros((3, 2))}
BAD = [
    ({**GOOD, "edge_index": EDGES.T}, ValueError, r"edge_index must have shape \(2, E\)"),
    ({**GOOD, "edge_index": EDGES.double()}, ValueError, "edge_index must hold integers"),
    ({**GOOD, "edge_index": EDGES - 1}, ValueError, r"edge_index\[0\], the sources, must be in 0\.\.3, got -1\.\.1"),
    ({**GOOD, "num_sources": 2}, ValueError, r"the sources, must be in 0\.\.1, got 0\.\.2"),
    ({**GOOD, "num_queries": 1}, ValueError, r"edge_index\[1\], the queries, must be in 0\.\.0"),
    ({**GOOD, "num_sources": None}, ValueError, "num_sources must be given where there are no positions"),
    ({**GOOD, "num_regions": None}, ValueError, "num_regions must be given with regions"),
    ({**GOOD, "num_regions": 1}, ValueError, r"region codes must be in 0\.\.1, got 0\.\.2"),
    ({**GOOD, "regions": [-1, 2, 2, 2, 0]}, ValueError, r"region codes must be in 0\.\.2"),
    ({**GOOD, "regions": [1, 2]}, ValueError, r"regions must have one code per edge, shape \(5,\), got \(2,\)"),
    ({**GOOD, "regions": [0.5] * 5}, ValueError, "regions must hold integers"),
    ({**GOOD, "regions": None}, ValueError, "either partition or regions must be given"),
    ({**GOOD, "partition": PLANE}, ValueError, "either partition or regions must be given"),
    ({**GOOD, "frames": np.eye(2)}, ValueError, "frames turn the offsets of a partition"),
    ({**GOOD, "centers": [0]}, ValueError, r"centers must have one entry per query, shape \(4,\)"),
    ({**GOOD, "centers": [0, 1, 2, 4]}, ValueError, r"centers must be in -1\.\.3, got 0\.\.4"),
    ({**PLACED, "partition": 3}, TypeError, "partition must have num_regions and region"),
    ({**PLACED, "sources": None, "num_sources": 3}, ValueError, "partition needs positions"),
    ({**PLACED, "num_queries": 3}, ValueError, "partition needs positions"),
    ({**PLACED, "num_regions": 5}, ValueError, "num_regions must be that of the partition, 8, got 5"),
    ({**PLACED, "num_sources": 5}, ValueError, "num_sources must be the number of positions, 3, got 5"),
    ({**PLACED, "sources": np.zeros((3, 3))}, ValueError, r"offsets must have shape \(\.\.\., 2\)"),
    ({**PLACED, "queries": np.zeros((3, 3))}, ValueError, r"queries must have shape \(n, 2\)"),
    ({**PLACED, "sources": np.full((3, 2), np.nan)}, ValueError, "sources must be finite"),
]


@pytest.mark.parametrize(("arguments", "error", "words"), BAD)
def test_bad_arguments(arguments, error, words):
    with pytest.raises(error, match=words):
        Neighborhood.from_edges(**arguments)
