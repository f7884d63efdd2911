"""Input gradients and the copy they are taken on."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from lpsc_nd import LPSConv2d
from lpsc_nd.inspect import (
    bounding_box,
    draw_gradient_maps,
    effective_cells,
    input_gradient,
    input_gradients,
    last_map,
    reaches_border,
    receptive_field,
)
from lpsc_nd.inspect.linear_copy import linear_copy
from lpsc_nd.models import SimpleVGG


def fields_of(module, shape):
    return {name: bounding_box(gradient) for name, gradient in input_gradients(module, shape)}


def test_the_paper_s_fields():
    assert receptive_field(SimpleVGG(), (3, 96, 96)) == (14, 14)
    assert receptive_field(SimpleVGG(variant="lpsc"), (3, 96, 96)) == (22, 22)


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 2), st.integers(1, 2)), min_size=1, max_size=4))
def test_fields_of_chains_are_known_by_arithmetic(layers):
    field, jump, expected = 1, 1, []
    for kernel, stride, dilation in layers:
        field += dilation * (kernel - 1) * jump
        jump *= stride
        expected.append((field,))
    chain = nn.Sequential(*(nn.Conv1d(1, 1, k, stride=s, dilation=d) for k, s, d in layers))
    fields = fields_of(chain, (1, 2 * field + jump))
    assert [fields[str(i)] for i in range(len(layers))] == expected
    assert fields[""] == expected[-1]


def test_the_gradient_of_one_layer_is_its_window():
    gradient = input_gradient(nn.Conv2d(1, 1, 3), (1, 5, 5))
    expected = np.zeros((5, 5))
    expected[1:4, 1:4] = 1 / 9
    np.testing.assert_allclose(gradient, expected)


@pytest.mark.parametrize(
    "between",
    [nn.ReLU(), nn.ReLU6(), nn.Hardtanh(), nn.Sigmoid(), nn.PReLU(), nn.Dropout(), nn.BatchNorm2d(4), nn.MaxPool2d(1)],
)
def test_nothing_between_hides_the_field(between):
    network = nn.Sequential(nn.Conv2d(1, 4, 3), between, nn.Conv2d(4, 1, 3))
    assert receptive_field(network, (1, 12, 12)) == (5, 5)


def test_a_deep_chain_of_saturating_activations_does_not_hide_it():
    parts = [part for _ in range(12) for part in (nn.Conv1d(1, 1, 3), nn.ReLU6())]
    assert receptive_field(nn.Sequential(*parts), (1, 40)) == (25,)


@pytest.mark.parametrize("inplace", [False, True])
def test_maxima_become_means(inplace):
    network = nn.Sequential(
        nn.Conv2d(1, 2, 3),
        nn.ReLU(inplace),
        nn.MaxPool2d(2),
        LPSConv2d(2, 2, 5, reduction="max", convention="official", growth=3.0),
    )
    assert receptive_field(network, (1, 16, 16)) == (3 + 1 + 2 * 4, 12)


def test_an_activation_with_two_names_is_replaced_at_both():
    shared = nn.ReLU6()
    copy = linear_copy(nn.Sequential(shared, nn.Conv1d(1, 1, 1), shared))
    assert [type(part) for part in copy] == [nn.Identity, nn.Conv1d, nn.Identity]


def test_the_network_itself_is_left_as_it_was():
    network = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.ReLU(), LPSConv2d(2, 2, 5, num_levels=1, reduction="max", engine="maximum")
    )
    before = {name: value.clone() for name, value in network.state_dict().items()}
    input_gradient(network, (1, 9, 9))
    assert isinstance(network[1], nn.ReLU)
    assert (network[2].reduction, network[2].engine) == ("max", "maximum")
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def classifier():
    return nn.Sequential(nn.Conv2d(1, 4, 5), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))


def test_the_last_map_of_a_classifier():
    assert last_map(classifier(), (1, 12, 12)) == "1"
    assert receptive_field(classifier(), (1, 12, 12), layer="1") == (6, 6)
    assert fields_of(classifier(), (1, 12, 12)) == {"0": (5, 5), "1": (6, 6), "2": (12, 12)}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: receptive_field(classifier(), (1, 12, 12)), r"must keep spatial axes.*shape \(1, 3\)"),
        (
            lambda: receptive_field(classifier(), (1, 12, 12), layer="9"),
            "layer must be a part of the Sequential, got '9'",
        ),
        (lambda: last_map(nn.Flatten(), (1, 12)), "no part of the Flatten has an output"),
        (lambda: receptive_field(nn.Conv1d(1, 1, 1), (1, 0)), r"input_shape\[1\] must be at least 1, got 0"),
        (lambda: receptive_field(nn.LSTM(3, 3), (2, 3)), "got tuple"),
        (lambda: draw_gradient_maps({}), "gradients must hold at least one map"),
        (lambda: draw_gradient_maps({"a": torch.zeros(3, 3)}), r"a: must be 2-D and somewhere positive"),
        (lambda: draw_gradient_maps({"a": torch.ones(3)}), r"got shape \(3,\)"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()


class Unused(nn.Module):
    """Has a part that it never calls."""

    def __init__(self):
        super().__init__()
        self.part = nn.Conv1d(1, 1, 1)

    def forward(self, x):
        return x


def test_a_part_that_is_not_called_is_refused():
    with pytest.raises(ValueError, match="layer must be a part that the Unused calls, got 'part'"):
        input_gradient(Unused(), (1, 4), layer="part")


def test_effective_cells_are_those_over_a_share_of_the_strongest():
    assert effective_cells(torch.tensor([[0.0454, 0.0456], [1.0, 0.0]])) == 2


def test_maps_are_framed_by_their_fields_on_one_scale():
    gradients = {"small": torch.zeros(20, 20), "large": torch.zeros(20, 20)}
    gradients["small"][9:12, 9:11] = 4.0
    gradients["large"][5:15, 5:15] = 1.0
    figure = draw_gradient_maps(gradients)
    small, large = figure.axes[:2]
    frame = small.patches[0]
    assert (frame.get_xy(), frame.get_width(), frame.get_height()) == ((8.5, 8.5), 2, 3)
    assert small.get_title() == "small\n3 x 2"
    assert float(small.images[0].get_array().max()) == 1.0
    spans = [axes.get_xlim()[1] - axes.get_xlim()[0] for axes in (small, large)]
    assert spans[0] == spans[1] == 16


@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 3), st.booleans())
def test_a_field_is_whole_unless_it_reaches_the_border(size, kernel, stride, padded):
    layer = nn.Conv1d(1, 1, kernel, stride, padding=kernel // 2 if padded else 0)
    if not padded and size < kernel:
        return
    gradient = input_gradient(layer, (1, size))
    assert bounding_box(gradient) == (kernel,) or reaches_border(gradient)
