"""Blocks, normalisation and inputs of networks on points."""

from functools import partial

import pytest
import torch
from torch import nn

from lpsc_nd import LPSPointConv
from lpsc_nd.models import PointBottleneckBlock, PointDownBlock, PointResidualBlock
from lpsc_nd.models.points.blocks import PointStage
from lpsc_nd.models.points.builder import PointNorm, log_polar_convs
from lpsc_nd.models.points.inputs import PointInputs
from lpsc_nd.points import PyramidBuilder

BUILDER = PyramidBuilder(0.25, depth=2, num_levels=1, num_directions=4, ndim=2)
FIELD = BUILDER.partition(0)


@pytest.fixture
def pyramid():
    return BUILDER(torch.rand(60, 2, generator=torch.Generator().manual_seed(0)))


BLOCKS = {
    "residual": PointResidualBlock,
    "bottleneck": PointBottleneckBlock,
    "bottleneck 2": partial(PointBottleneckBlock, bottleneck=2),
}


@pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS)
@pytest.mark.parametrize("channels", [(4, 4), (4, 6)])
def test_shapes_and_gradients(block, channels, pyramid):
    made = block(log_polar_convs(), *channels, FIELD)
    x = torch.randn(len(pyramid.positions[0]), channels[0], requires_grad=True)
    y = made(x, pyramid.neighborhoods[0])
    assert y.shape == (len(x), channels[1])
    y.square().sum().backward()
    assert all(p.grad is not None for p in (x, *made.parameters()))


@pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS)
def test_a_block_without_weights_passes_its_input_through_the_shortcut(block, pyramid):
    made = block(log_polar_convs(), 3, 3, FIELD).eval()
    for module in made.modules():
        if isinstance(module, LPSPointConv):
            nn.init.zeros_(module.weight)
            nn.init.zeros_(module.center_weight)
    x = torch.randn(len(pyramid.positions[0]), 3)
    torch.testing.assert_close(made(x, pyramid.neighborhoods[0]), x.relu())


@pytest.mark.parametrize("bottleneck", [1, 4])
def test_the_way_down_without_weights_is_the_projected_mean(bottleneck, pyramid):
    made = PointDownBlock(log_polar_convs(), 3, 5, FIELD, bottleneck).eval()
    for parameter in made.path.parameters():
        nn.init.zeros_(parameter)
    x = torch.randn(len(pyramid.positions[0]), 3)
    y = made(x, pyramid, 0)
    expected = torch.stack([x[pyramid.up[0] == row].mean(0) for row in range(len(pyramid.positions[1]))])
    torch.testing.assert_close(y, made.shortcut(expected).relu(), equal_nan=False)


def test_channels_of_the_convolutions():
    asked = []

    def conv(in_channels, out_channels, partition):
        asked.append((in_channels, out_channels, partition.num_regions))
        return LPSPointConv(in_channels, out_channels, partition)

    PointResidualBlock(conv, 8, 12, FIELD)
    PointBottleneckBlock(conv, 8, 12, FIELD)
    PointBottleneckBlock(conv, 2, 2, FIELD, bottleneck=4)
    PointDownBlock(conv, 8, 12, FIELD, 1)
    PointDownBlock(conv, 8, 12, FIELD, 3)
    assert asked == [(8, 12, 4), (12, 12, 4), (3, 3, 4), (1, 1, 4), (8, 12, 4), (4, 4, 4)]


def test_a_stage_has_as_many_blocks_as_asked_for(pyramid):
    kinds = {1: PointResidualBlock, 2: PointBottleneckBlock}
    for bottleneck, kind in kinds.items():
        stage = PointStage(log_polar_convs(), 4, FIELD, 2, bottleneck)
        assert [type(block) for block in stage.blocks] == [kind, kind]
    x = torch.randn(len(pyramid.positions[0]), 4)
    assert PointStage(log_polar_convs(), 4, FIELD, 0, 1)(x, pyramid.neighborhoods[0]) is x


def test_the_default_convolution_has_no_bias():
    conv = log_polar_convs()(3, 4, FIELD)
    assert isinstance(conv, LPSPointConv)
    assert (conv.bias, conv.partition) == (None, FIELD)


@pytest.mark.parametrize(("value", "error"), [(0, ValueError), (2.0, TypeError)])
def test_bad_bottlenecks(value, error):
    with pytest.raises(error, match="bottleneck must be"):
        PointBottleneckBlock(log_polar_convs(), 4, 4, FIELD, bottleneck=value)


@pytest.mark.parametrize("rows", [2, 7])
@pytest.mark.parametrize("training", [True, False])
def test_norm_of_several_points_is_batch_norm(rows, training):
    norm, twin = PointNorm(3).train(training), nn.BatchNorm1d(3).train(training)
    x = torch.randn(rows, 3)
    assert torch.equal(norm(x), twin(x))
    assert torch.equal(norm.running_var, twin.running_var)


@pytest.mark.parametrize("rows", [0, 1])
def test_norm_of_too_few_points_for_a_variance(rows):
    norm = PointNorm(3)
    norm(torch.randn(9, 3))
    before, steps = norm.running_var.clone(), norm.num_batches_tracked.clone()
    x = torch.randn(rows, 3, requires_grad=True)
    y = norm(x)
    y.sum().backward()
    assert torch.equal(y, norm.eval()(x))
    assert torch.equal(norm.running_var, before)
    assert norm.num_batches_tracked == steps
    assert x.grad.isfinite().all()


def test_columns_of_the_inputs(pyramid):
    points = pyramid.positions[0]
    given = torch.randn(len(points), 3)
    both = PointInputs(3, ["ones", "coordinates"], 2)
    assert both.width == 6
    assert torch.equal(both(given, pyramid), torch.cat([given, torch.ones(len(points), 1), points], dim=1))
    assert torch.equal(PointInputs(0, ["coordinates"], 2)(None, pyramid), points)
    assert torch.equal(PointInputs(3, [], 2)(given, pyramid), given)
    assert PointInputs(3, ["coordinates"], 2)(given.double(), pyramid).dtype == torch.float64


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((0, []), ValueError, "inputs must name a column where in_features is 0"),
        ((-1, ["ones"]), ValueError, "in_features must be at least 0"),
        ((1, ["height"]), ValueError, "inputs must be one of 'ones', 'coordinates', got 'height'"),
        ((1, ["ones", "ones"]), ValueError, "inputs must not repeat a word"),
    ],
)
def test_bad_inputs(arguments, error, words):
    with pytest.raises(error, match=words):
        PointInputs(*arguments, 2)


@pytest.mark.parametrize(
    ("x", "error", "words"),
    [
        (None, ValueError, r"x must have shape \(\d+, 3\), points of level 0 and in_features, got None"),
        (torch.zeros(4, 3), ValueError, r"got \(4, 3\)"),
        (torch.zeros(4, 3, dtype=torch.int64), TypeError, r"x must be a floating-point tensor, got torch\.int64"),
    ],
)
def test_features_that_do_not_fit(x, error, words, pyramid):
    with pytest.raises(error, match=words):
        PointInputs(3, ["ones"], 2)(x, pyramid)
