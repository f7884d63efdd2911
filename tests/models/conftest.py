"""What the tests of several networks share."""

import pytest
import torch
from torch.nn import functional as F


def step_lowers_loss(network, x, target, rate):
    """Take one gradient step in training mode, and return the loss before and after it, drawn numbers being equal."""

    def loss():
        torch.manual_seed(0)
        scores = network(x)
        if scores.shape == target.shape:
            return F.binary_cross_entropy_with_logits(scores, target)
        return F.cross_entropy(scores, target)

    before = loss()
    before.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
    with torch.no_grad():
        for parameter in network.parameters():
            parameter -= rate * parameter.grad
        return before.item(), loss().item()


def loads_strictly(network, shapes):
    """Load a state dict of the given names and shapes, and return its number of entries."""
    with torch.device("meta"):
        network.load_state_dict({name: torch.zeros(shape) for name, shape in shapes.items()}, strict=True)
    return len(shapes)


def norm_shapes(name, channels):
    """Return names and shapes of one batch normalisation."""
    ones = ("weight", "bias", "running_mean", "running_var")
    return {**{f"{name}.{part}": (channels,) for part in ones}, f"{name}.num_batches_tracked": ()}


def basic_block_shapes(name, before, after, *, projects):
    """Return names and shapes of one residual block of torchvision's ResNet-18 and ResNet-34."""
    shapes = {f"{name}.conv1.weight": (after, before, 3, 3), **norm_shapes(f"{name}.bn1", after)}
    shapes |= {f"{name}.conv2.weight": (after, after, 3, 3), **norm_shapes(f"{name}.bn2", after)}
    if projects:
        shapes |= {f"{name}.downsample.0.weight": (after, before, 1, 1), **norm_shapes(f"{name}.downsample.1", after)}
    return shapes


def resnet_shapes(blocks, *, first=7, widths=(64, 128, 256, 512), classes=1000):
    """Return names and shapes of torchvision's residual networks of basic blocks, without ``fc`` for 0 classes."""
    shapes = {"conv1.weight": (widths[0], 3, first, first), **norm_shapes("bn1", widths[0])}
    before = widths[0]
    for stage, (width, depth) in enumerate(zip(widths, blocks, strict=True), start=1):
        for i in range(depth):
            shapes |= basic_block_shapes(f"layer{stage}.{i}", before, width, projects=before != width)
            before = width
    return shapes | ({"fc.weight": (classes, before), "fc.bias": (classes,)} if classes else {})


def mobilenet_shapes(*, last=18):
    """Return names and shapes of the features of torchvision's MobileNetV2: {index: {rest of the name: shape}}."""
    features = {0: {"0.weight": (32, 3, 3, 3), **norm_shapes("1", 32)}}
    before = 32
    for expansion, channels, depth in (
        (1, 16, 1),
        (6, 24, 2),
        (6, 32, 3),
        (6, 64, 4),
        (6, 96, 3),
        (6, 160, 3),
        (6, 320, 1),
    ):
        for _ in range(depth):
            hidden, shapes, place = before * expansion, {}, 0
            if expansion > 1:
                shapes |= {"conv.0.0.weight": (hidden, before, 1, 1), **norm_shapes("conv.0.1", hidden)}
                place = 1
            shapes |= {f"conv.{place}.0.weight": (hidden, 1, 3, 3), **norm_shapes(f"conv.{place}.1", hidden)}
            shapes |= {
                f"conv.{place + 1}.weight": (channels, hidden, 1, 1),
                **norm_shapes(f"conv.{place + 2}", channels),
            }
            features[len(features)] = shapes
            before = channels
    features[len(features)] = {"0.weight": (1280, 320, 1, 1), **norm_shapes("1", 1280)}
    return {index: shapes for index, shapes in features.items() if index <= last}


@pytest.fixture
def step():
    return step_lowers_loss


@pytest.fixture
def load():
    return loads_strictly


@pytest.fixture
def norm():
    return norm_shapes


@pytest.fixture
def resnet_names():
    return resnet_shapes


@pytest.fixture
def mobilenet_names():
    return mobilenet_shapes
