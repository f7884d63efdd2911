"""Networks on points: what they do not depend on, that they learn, and what they refuse."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from jsonargparse import ArgumentParser
from torch import nn

from lpsc_nd import LPSPointConv
from lpsc_nd.models import PointClassifier, PointSegmenter
from lpsc_nd.points import PointPyramid, PyramidBuilder

BUILDER = PyramidBuilder(0.25, depth=2, num_levels=1, num_directions=(2, 2))
DEEP = PyramidBuilder(0.2, depth=3, subsample=False)
WIDTHS = {1: (8,), 2: (8, 12), 3: (8, 12, 16)}


def cloud(seed, count=40):
    """Return points whose coordinates are 256ths: sums are exact in any order."""
    return np.random.default_rng(seed).integers(0, 257, (count, 3)).astype(np.float32) / 256


def trained_statistics(net, pyramid, *rest):
    """Give the running statistics values other than those of a new network."""
    with torch.no_grad():
        net.train()(None, pyramid, *rest)
    return net.eval()


def classifier(builder=BUILDER, **options):
    torch.manual_seed(0)
    return PointClassifier(0, 5, builder, **{"widths": WIDTHS[builder.depth], **options})


def segmenter(builder=BUILDER, **options):
    torch.manual_seed(0)
    return PointSegmenter(0, 5, builder, **{"widths": WIDTHS[builder.depth], **options})


NETWORKS = {"classifier": classifier, "segmenter": segmenter}


@pytest.mark.parametrize("builder", [replace(BUILDER, depth=1), BUILDER, DEEP], ids=["1", "2", "3"])
@pytest.mark.parametrize("bottleneck", [1, 4])
@pytest.mark.parametrize("blocks", [0, 2])
def test_shapes(builder, bottleneck, blocks):
    pyramid = PointPyramid.collate([builder(cloud(seed)) for seed in range(3)])
    options = {"bottleneck": bottleneck, "blocks": blocks}
    assert classifier(builder, **options)(None, pyramid).shape == (3, 5)
    scores = segmenter(builder, decoder_blocks=blocks, **options)(None, pyramid)
    assert scores.shape == (len(pyramid.positions[0]), 5)
    assert pyramid.spread(scores).shape == (120, 5)


@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)
@pytest.mark.parametrize("inputs", [("ones",), ("ones", "coordinates")])
@given(sizes=st.lists(st.integers(0, 40), min_size=1, max_size=4), seed=st.integers(0, 99))
def test_a_cloud_alone_is_the_cloud_within_a_batch(make, inputs, sizes, seed):
    net = trained_statistics(make(inputs=inputs, dropout=0.5), BUILDER(cloud(7)))
    single = [BUILDER(cloud(seed + place, size)) for place, size in enumerate(sizes)]
    together = net(None, PointPyramid.collate(single))
    alone = torch.cat([net(None, pyramid) for pyramid in single])
    assert together.isfinite().all()
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("pooling", ["mean", "max"])
@given(seed=st.integers(0, 99))
def test_a_classification_does_not_depend_on_the_order_of_the_points(pooling, seed):
    net = trained_statistics(classifier(pooling=pooling, inputs=["ones", "coordinates"]), BUILDER(cloud(7)))
    points = cloud(seed)
    order = np.random.default_rng(seed).permutation(len(points))
    torch.testing.assert_close(net(None, BUILDER(points[order])), net(None, BUILDER(points)), rtol=1e-4, atol=1e-5)


@given(seed=st.integers(0, 99))
def test_scores_follow_the_points_when_these_change_places(seed):
    net = trained_statistics(segmenter(DEEP), DEEP(cloud(7)))
    points = cloud(seed)
    order = np.random.default_rng(seed).permutation(len(points))
    found, turned = net(None, DEEP(points)), net(None, DEEP(points[order]))
    torch.testing.assert_close(turned, found[order], rtol=1e-4, atol=1e-5)


def test_a_network_of_ones_does_not_see_where_a_cloud_is():
    net = trained_statistics(classifier(), BUILDER(cloud(7)))
    here, there = BUILDER(cloud(1)), BUILDER(cloud(1) + 2)  # by whole cells
    torch.testing.assert_close(net(None, there), net(None, here), rtol=1e-4, atol=1e-5)
    seeing = trained_statistics(classifier(inputs=["coordinates"]), BUILDER(cloud(7)))
    assert not torch.allclose(seeing(None, there), seeing(None, here), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)
@pytest.mark.parametrize("bottleneck", [1, 4])
def test_every_parameter_gets_a_gradient(make, bottleneck):
    builder = replace(BUILDER, cell_size=0.15)  # so fine that some cells hold a single point: a centre on the way down
    pyramid = PointPyramid.collate([builder(cloud(seed, 60)) for seed in range(4)])
    net = make(builder, bottleneck=bottleneck, inputs=["ones", "coordinates"])
    net(None, pyramid).square().sum().backward()
    without = [name for name, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert without == []


@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)
def test_a_step_lowers_the_loss(make):
    pyramid = PointPyramid.collate([BUILDER(cloud(seed)) for seed in range(6)])
    net = make(inputs=["ones", "coordinates"])
    labels = torch.arange(len(net(None, pyramid))) % 5
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
    losses = []
    for _ in range(3):
        loss = nn.functional.cross_entropy(net(None, pyramid), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] > losses[1] > losses[2]


@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("sizes", [(0,), (1,), (0, 0), (1, 0, 1), (0, 30, 0)])
def test_empty_clouds_and_single_points(make, training, sizes):
    net = make(inputs=["ones", "coordinates"]).train(training)
    pyramid = PointPyramid.collate([BUILDER(cloud(3, size)) for size in sizes])
    scores = net(None, pyramid)
    scores.sum().backward()
    tensors = [scores, *net.buffers(), *(p.grad for p in net.parameters() if p.grad is not None)]
    assert all(tensor.isfinite().all() for tensor in tensors)
    assert len(scores) == (len(sizes) if make is classifier else len(pyramid.positions[0]))


def test_features_are_used():
    net = PointClassifier(2, 3, BUILDER, widths=(4, 8)).eval()
    pyramid = BUILDER(cloud(0))
    normals = torch.randn(40, 2)
    scores = net(pyramid.average(normals), pyramid)
    assert scores.shape == (1, 3)
    assert not torch.allclose(scores, net(pyramid.average(-normals), pyramid))


def test_categories_are_used():
    net = segmenter(num_categories=3)
    pyramid = PointPyramid.collate([BUILDER(cloud(0)), BUILDER(cloud(0))])
    trained_statistics(net, pyramid, torch.tensor([0, 1]))
    same, different = (net(None, pyramid, torch.tensor(kinds)).chunk(2) for kinds in ([1, 1], [1, 2]))
    torch.testing.assert_close(*same)
    assert torch.equal(same[0], different[0])
    assert not torch.allclose(same[1], different[1])


def test_every_convolution_comes_from_the_builder():
    asked = []

    def conv(in_channels, out_channels, partition):
        asked.append((in_channels, out_channels, partition.radius))
        return LPSPointConv(in_channels, out_channels, partition)

    net = segmenter(conv=conv)
    first, second = BUILDER.partition(0).radius, BUILDER.partition(1).radius
    expected = [(1, 8, first), (2, 2, first), (3, 3, second), (3, 3, first), (2, 2, first)]
    assert asked == expected
    assert len([module for module in net.modules() if isinstance(module, LPSPointConv)]) == len(expected)


def test_the_coarse_half_of_a_join_is_linear_on_both_together():
    join = segmenter().joins[0].eval()
    coarse, fine, up = torch.randn(3, 12), torch.randn(7, 8), torch.tensor([0, 2, 1, 1, 0, 2, 2])
    both = torch.cat([join.coarse.weight, join.fine.weight], dim=1)
    expected = join.norm(torch.cat([coarse[up], fine], dim=1) @ both.T).relu()
    torch.testing.assert_close(join(coarse, fine, up), expected)


def test_a_configuration_file_can_hold_a_network():
    parser = ArgumentParser()
    parser.add_argument("--network", type=nn.Module)
    settings = {
        "in_features": 0,
        "num_classes": 4,
        "pyramid": {"cell_size": 0.25, "depth": 2},
        "widths": [4, 8],
        "inputs": ["ones", "coordinates"],
    }
    conv = {"class_path": "lpsc_nd.LPSPointConv", "init_args": {"reduction": "sum", "bias": False}}
    for name in ("PointClassifier", "PointSegmenter"):
        network = {"class_path": f"lpsc_nd.models.{name}", "init_args": {**settings, "conv": conv}}
        made = parser.instantiate(parser.parse_object({"network": network})).network
        assert made.encoder.stem.conv.reduction == "sum"
        assert made.encoder.widths == (4, 8)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"in_features": -1}, ValueError, "in_features must be at least 0"),
        ({"num_classes": 0}, ValueError, "num_classes must be at least 1"),
        ({"pyramid": 0.25}, TypeError, "pyramid must be a PyramidBuilder, got float"),
        ({"widths": (8,)}, ValueError, r"widths must be one integer or a tuple of 2, got \(8,\)"),
        ({"widths": (8, 0)}, ValueError, r"widths\[1\] must be at least 1"),
        ({"blocks": -1}, ValueError, "blocks must be at least 0"),
        ({"bottleneck": 0}, ValueError, "bottleneck must be at least 1"),
        ({"inputs": ()}, ValueError, "inputs must name a column"),
        ({"dropout": 1.0}, ValueError, "dropout must be less than 1"),
        ({"dropout": -0.1}, ValueError, "dropout must be at least 0"),
    ],
)
@pytest.mark.parametrize("network", [PointClassifier, PointSegmenter])
def test_bad_arguments(network, change, error, words):
    good = {"in_features": 0, "num_classes": 4, "pyramid": BUILDER, "widths": (4, 8)}
    with pytest.raises(error, match=words):
        network(**{**good, **change})


def test_bad_arguments_of_one_network_alone():
    with pytest.raises(ValueError, match="pooling must be one of 'mean', 'max', got 'sum'"):
        classifier(pooling="sum")
    with pytest.raises(ValueError, match="decoder_blocks must be at least 0"):
        segmenter(decoder_blocks=-1)
    with pytest.raises(ValueError, match="num_categories must be at least 0"):
        segmenter(num_categories=-1)


@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)
def test_bad_pyramids(make):
    net = make()
    with pytest.raises(TypeError, match="pyramid must be a PointPyramid, got Tensor"):
        net(None, torch.zeros(3, 3))
    with pytest.raises(ValueError, match="pyramid must have 2 levels, as widths has entries, got 3"):
        net(None, replace(BUILDER, depth=3)(cloud(0)))
    with pytest.raises(RuntimeError, match="expected a neighborhood of 4 regions, but got one of 8 regions"):
        net(None, replace(BUILDER, num_levels=2)(cloud(0)))


@pytest.mark.parametrize(
    ("categories", "words"),
    [
        (None, "categories must be given if and only if num_categories is not 0, it is 3; got none"),
        (torch.tensor([0.0]), r"categories must be int64, one for each of 1 clouds, got torch\.float32"),
        (torch.tensor([0, 1]), r"one for each of 1 clouds, got torch\.int64 of shape \(2,\)"),
        (torch.tensor([3]), r"categories must be in 0\.\.2, got 3\.\.3"),
    ],
)
def test_bad_categories(categories, words):
    with pytest.raises(ValueError, match=words):
        segmenter(num_categories=3)(None, BUILDER(cloud(0)), categories)


def test_categories_that_nobody_asked_for():
    with pytest.raises(ValueError, match="it is 0; got some"):
        segmenter()(None, BUILDER(cloud(0)), torch.tensor([0]))
