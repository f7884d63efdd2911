"""Pictures of receptive fields in volumes."""

import numpy as np
import pytest
import torch
from matplotlib.patches import Rectangle
from torch import nn

from lpsc_nd import LPSConv3d
from lpsc_nd.inspect import draw_gradient_slices, input_gradient


def planes(figure):
    return [axes for axes in figure.axes if axes.images and axes.patches]


def blob(size, *cells):
    gradient = torch.zeros(size)
    for cell, value in cells:
        gradient[cell] = value
    return gradient


def test_three_slices_through_the_strongest_position():
    gradient = blob((7, 8, 9), ((2, 3, 4), 4.0), ((3, 3, 4), 1.0), ((2, 5, 4), 1.0), ((2, 3, 8), 1.0))
    figure = draw_gradient_slices({"net": gradient}, title="fields")
    for axis, axes in enumerate(planes(figure)):
        shown = np.ma.filled(axes.images[0].get_array(), 0.0)
        np.testing.assert_allclose(shown, gradient.select(axis, (2, 3, 4)[axis]) / 4)
    assert [axes.get_title().splitlines()[-1] for axes in planes(figure)] == [
        "across axis 0, at 2", "across axis 1, at 3", "across axis 2, at 4",
    ]  # fmt: skip
    assert planes(figure)[0].get_title().startswith("net: 2 x 3 x 5\n")
    assert [(axes.get_ylabel(), axes.get_xlabel()) for axes in planes(figure)] == [
        ("axis 1", "axis 2"), ("axis 0", "axis 2"), ("axis 0", "axis 1"),
    ]  # fmt: skip
    assert figure.get_suptitle() == "fields"


def test_each_slice_is_framed_by_the_field():
    gradient = blob((9, 9, 9), ((1, 2, 3), 1.0), ((3, 6, 5), 0.5))
    (frames,) = [
        [p for p in axes.patches if isinstance(p, Rectangle)]
        for axes in planes(draw_gradient_slices({"": gradient}))[:1]
    ]
    (frame,) = frames
    assert (frame.get_x(), frame.get_y(), frame.get_width(), frame.get_height()) == (2.5, 1.5, 3, 5)


def test_all_panels_have_one_scale():
    convolution = input_gradient(nn.Conv3d(1, 1, 3, padding=1), (1, 15, 15, 15))
    ball = input_gradient(LPSConv3d(1, 1, 7, padding=3, num_directions=(2, 4)), (1, 15, 15, 15))
    shown = planes(draw_gradient_slices({"conv": convolution, "lpsc": ball}))
    assert len(shown) == 6
    assert {np.ptp(axes.get_xlim()) for axes in shown} == {7 + 2 * 3}
    assert {np.ptp(axes.get_ylim()) for axes in shown} == {7 + 2 * 3}


@pytest.mark.parametrize(
    ("gradients", "message"),
    [
        ({}, "at least one volume"),
        ({"flat": torch.ones(3, 3)}, r"flat: must be 3-D and somewhere positive, got shape \(3, 3\)"),
        ({"dead": torch.zeros(3, 3, 3)}, r"dead: must be 3-D and somewhere positive, got shape \(3, 3, 3\)"),
    ],
)
def test_nothing_to_draw_is_refused(gradients, message):
    with pytest.raises(ValueError, match=message):
        draw_gradient_slices(gradients)
