"""The holder and its builder: copies, devices, memory, and what they refuse."""

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from jsonargparse import ArgumentParser

from lpsc_nd import Neighborhood
from lpsc_nd.points import CachedPyramids, PointPyramid, PyramidBuilder

PLANE = PyramidBuilder(0.3, depth=2, num_directions=4, ndim=2)


def drawn(seed=0, count=40, dtype=np.float64, builder=PLANE):
    return builder(np.random.default_rng(seed).random((count, builder.ndim)).astype(dtype))


def tensors(pyramid):
    tables = [t for one in (*pyramid.neighborhoods, *pyramid.down) for t in (one.indptr, one.indices, one.centers)]
    return [*pyramid.positions], [pyramid.cluster, *pyramid.batches, *pyramid.up, *tables]


def memories(pyramid):
    """Return how many pieces of memory hold the positions, and the integers."""
    return tuple(len({t.untyped_storage().data_ptr() for t in group}) for group in tensors(pyramid))


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda p: pickle.loads(pickle.dumps(p))])
def test_a_copy_is_equal_and_hashes_the_same(again):
    pyramid = drawn()
    assert again(pyramid) == pyramid
    assert hash(again(pyramid)) == hash(pyramid)


def test_different_pyramids_differ():
    pyramid = drawn()
    up, batch = pyramid.up[0].clone(), pyramid.batches[1].clone()
    up[0], batch[-1] = (up[0] + 1) % len(pyramid.positions[1]), 1
    others = [
        drawn(1),
        drawn(dtype=np.float32),
        replace(pyramid, num_clouds=2),
        replace(pyramid, up=(up,)),
        replace(pyramid, batches=(pyramid.batches[0], batch)),
        replace(pyramid, positions=(pyramid.positions[0] + 1, pyramid.positions[1])),
    ]
    assert all(other != pyramid for other in others)
    assert pyramid != "a pyramid"


def test_what_it_says_of_itself():
    pyramid = PLANE([[0.0, 0.0], [0.1, 0.1], [0.4, 0.0]])
    assert repr(pyramid) == "PointPyramid(num_clouds=1, points=[2, 1], device='cpu')"
    assert (pyramid.depth, pyramid.ndim, pyramid.device) == (2, 2, torch.device("cpu"))


def test_it_is_frozen():
    with pytest.raises(AttributeError):
        drawn().num_clouds = 4


@pytest.mark.parametrize(
    "make", [drawn, lambda: PointPyramid.collate([drawn(0), drawn(1)]), lambda: drawn().to("meta").to("meta")]
)
def test_it_lies_in_two_pieces_of_memory(make):
    assert memories(make()) == (1, 1)


def test_the_count_of_memories_can_tell():
    pyramid = drawn()
    assert memories(replace(pyramid, up=(pyramid.up[0].clone(),))) == (1, 2)


def test_moving_it_where_it_is_gives_itself():
    pyramid = drawn()
    assert pyramid.to("cpu") is pyramid
    assert pyramid.to(torch.device("cpu"), non_blocking=True) is pyramid


def test_moving_it_moves_every_tensor():
    moved = drawn().to("meta")
    assert {tensor.device.type for group in tensors(moved) for tensor in group} == {"meta"}
    assert moved.device == torch.device("meta")


def test_parts_in_memory_of_their_own_are_joined():
    pyramid = drawn()
    loose = replace(pyramid, up=(pyramid.up[0].clone(),), positions=tuple(level.clone() for level in pyramid.positions))
    assert loose == pyramid
    assert loose.packed() == pyramid
    assert memories(loose.packed()) == (1, 1)


def test_positions_keep_their_type_and_no_graph():
    positions = torch.rand(10, 2, requires_grad=True)
    pyramid = PLANE(positions)
    assert pyramid.positions[0].dtype == torch.float32
    assert not any(level.requires_grad for level in pyramid.positions)
    assert PLANE([[0, 0], [1, 1]]).positions[1].dtype == torch.float64
    assert drawn(dtype=np.float32).positions[0].dtype == torch.float32


def test_no_points():
    empty = PLANE(np.zeros((0, 2)))
    assert (empty.num_clouds, [len(level) for level in empty.positions]) == (1, [0, 0])
    empty.validate()
    assert PLANE(np.zeros((0, 2)), np.zeros(0, dtype=int)).num_clouds == 0
    assert empty.average(torch.zeros(0, 3)).shape == (0, 3)


def test_clouds_without_points():
    pyramid = PLANE([[0.0, 0.0], [1.0, 1.0]], [1, 1], 4)
    assert pyramid.num_clouds == 4
    assert {int(owner) for owner in torch.cat(pyramid.batches)} == {1}


def test_what_max_neighbors_leaves_out_is_counted():
    with pytest.warns(UserWarning, match="left out"):
        pyramid = PyramidBuilder(0.01, depth=1, reach=100.0, max_neighbors=3)(torch.rand(30, 3))
    assert pyramid.neighborhoods[0].num_cut > 0
    assert pyramid.neighborhoods[0].counts.sum(1).max() <= 3


def test_equal_builders_are_one_key():
    one = PyramidBuilder(0.5, num_directions=[2, 4], growth=2)
    assert one == PyramidBuilder(0.5, num_directions=(2, 4), growth=2.0)
    assert len({one, PyramidBuilder(0.5), PyramidBuilder(0.25)}) == 2
    assert repr(one) == repr(PyramidBuilder(0.5))


def test_a_configuration_file_can_hold_it():
    parser = ArgumentParser()
    parser.add_argument("--builder", type=PyramidBuilder)
    parser.add_class_arguments(CachedPyramids, "cached")
    parsed = parser.parse_object(
        {
            "builder": {"cell_size": 0.5, "num_directions": [2, 4]},
            "cached": {"builder": {"cell_size": 0.5, "depth": 2}, "folder": "somewhere"},
        }
    )
    made = parser.instantiate(parsed)
    assert made.builder == PyramidBuilder(0.5)
    assert made.cached.builder == PyramidBuilder(0.5, depth=2)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"cell_size": 0.0}, ValueError, "cell_size must be greater than 0"),
        ({"cell_size": "small"}, TypeError, "cell_size must be a number"),
        ({"depth": 0}, ValueError, "depth must be at least 1, got 0"),
        ({"depth": 2.0}, TypeError, "depth must be an integer"),
        ({"reach": -1.0}, ValueError, "reach must be greater than 0"),
        ({"cell_growth": 1.0}, ValueError, "cell_growth must be greater than 1"),
        ({"growth": 1.0}, ValueError, "growth must be greater than 1"),
        ({"num_levels": 0}, ValueError, "num_levels must be at least 1"),
        ({"num_directions": 7}, ValueError, "num_directions"),
        ({"ndim": 0}, ValueError, "ndim must be at least 1"),
        ({"max_neighbors": 0}, ValueError, "max_neighbors must be at least 1"),
        ({"subsample": 1}, TypeError, "subsample must be True or False, got 1"),
    ],
)
def test_bad_settings(change, error, words):
    with pytest.raises(error, match=words):
        PyramidBuilder(**{"cell_size": 0.5, **change})


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([[0.0, 0.0, 0.0]],), r"positions must have shape \(n, 2\), got \(1, 3\)"),
        (([[0.0, np.nan]],), "positions must be finite"),
        (([[0.0, 0.0]] * 2, [1, 0]), "batch must be ascending"),
        (([[0.0, 0.0]] * 2, [0]), "batch must have one entry per point"),
        (([[0.0, 0.0]] * 2, [0, 3], 3), "batch must be below num_clouds, 3, got 3"),
    ],
)
def test_bad_points(arguments, words):
    with pytest.raises(ValueError, match=words):
        PLANE(*arguments)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda p: {"positions": ()}, ValueError, "number of levels in positions must be at least 1"),
        (lambda p: {"positions": p.positions[:1]}, ValueError, "batches must have 1 entries for 1 levels, got 2"),
        (
            lambda p: {"positions": (p.positions[0].long(), p.positions[1])},
            TypeError,
            r"positions\[0\] must be a float",
        ),
        (
            lambda p: {"positions": (p.positions[0], p.positions[1][:, :1])},
            ValueError,
            r"positions\[1\] must have shape",
        ),
        (lambda p: {"positions": (p.positions[0], p.positions[1].float())}, ValueError, r"like positions\[0\]"),
        (lambda p: {"positions": tuple(t.to("meta") for t in p.positions)}, ValueError, "positions must be on the dev"),
        (lambda p: {"batches": (p.batches[0][1:], p.batches[1])}, ValueError, r"batches\[0\] must have one entry for"),
        (lambda p: {"batches": (p.batches[0].int(), p.batches[1])}, ValueError, r"batches\[0\] must be int64"),
        (lambda p: {"up": p.up[0]}, ValueError, "up must have 1 entries"),
        (lambda p: {"up": (p.up[0].tolist(),)}, TypeError, r"up\[0\] must be a tensor, got list"),
        (lambda p: {"up": (p.up[0].to("meta"),)}, ValueError, r"up\[0\] must be on the device"),
        (lambda p: {"down": (p.neighborhoods[0],)}, ValueError, r"down\[0\] must have \d+ sources and \d+ queries"),
        (lambda p: {"down": ("a table",)}, TypeError, r"down\[0\] must be a Neighborhood, got str"),
        (lambda p: {"down": (p.down[0].to("meta"),)}, ValueError, r"down\[0\] must be on the device"),
        (lambda p: {"num_clouds": -1}, ValueError, "num_clouds must be at least 0"),
    ],
)
def test_parts_that_do_not_fit(change, error, words):
    pyramid = drawn()
    with pytest.raises(error, match=words):
        replace(pyramid, **change(pyramid))


def changed(tensor, place, value):
    tensor = tensor.clone()
    tensor[place] = value
    return tensor


def broken(one):
    return Neighborhood(one.indptr, changed(one.indices, 0, one.num_sources), one.centers, one.num_sources, 8)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p: {"num_clouds": 0}, r"batches\[0\] must be in 0..-1"),
        (lambda p: {"batches": (changed(p.batches[0], 0, 1), p.batches[1]), "num_clouds": 2}, "must be ascending"),
        (lambda p: {"cluster": changed(p.cluster, 0, len(p.positions[0]))}, "cluster must be in"),
        (lambda p: {"up": (changed(p.up[0], 0, -1),)}, r"up\[0\] must be in"),
        (lambda p: {"batches": (p.batches[0], changed(p.batches[1], -1, 1)), "num_clouds": 2}, "stay in the cloud"),
        (lambda p: {"positions": (changed(p.positions[0], 0, np.nan), p.positions[1])}, r"\[0\] must be finite"),
        (lambda p: {"neighborhoods": (broken(p.neighborhoods[0]), p.neighborhoods[1])}, "indices must be in"),
    ],
)
def test_contents_that_do_not_fit(change, words):
    pyramid = drawn()
    pyramid.validate()
    with pytest.raises(ValueError, match=words):
        replace(pyramid, **change(pyramid)).validate()


@pytest.mark.parametrize(
    ("others", "words"),
    [
        (list, "collate needs at least one pyramid"),
        (lambda: [drawn(), drawn(builder=replace(PLANE, depth=1))], r"same depth to be joined, got \[1, 2\]"),
        (lambda: [drawn(), drawn(dtype=np.float32)], "same type of positions"),
        (lambda: [drawn(), drawn().to("meta")], "same device"),
        (lambda: [drawn(), drawn(builder=PyramidBuilder(0.3, depth=2))], r"same ndim to be joined, got \[2, 3\]"),
        (lambda: [drawn(), drawn(builder=replace(PLANE, num_levels=1))], "same num_regions"),
    ],
)
def test_bad_joins(others, words):
    with pytest.raises(ValueError, match=words):
        PointPyramid.collate(others())


def test_values_of_other_points_are_refused():
    pyramid = drawn()
    with pytest.raises(ValueError, match="values must have 40 rows, one for each of the points that the pyramid"):
        pyramid.average(torch.zeros(39, 2))
    with pytest.raises(ValueError, match="rows, one for each of the points of level 0"):
        pyramid.spread(torch.zeros(1, 2))
    with pytest.raises(ValueError, match="rows, one for each of the points of level 0"):
        pyramid.pool(torch.zeros(1, 2), 0)


@pytest.mark.parametrize("subsample", [False, True])
def test_another_default_device_is_of_no_account(subsample):
    builder, points = PyramidBuilder(0.25, depth=2, subsample=subsample), torch.rand(40, 3)
    expected = PointPyramid.collate([builder(points), builder(points)])
    with torch.device("meta"):
        assert PointPyramid.collate([builder(points), builder(points)]) == expected
