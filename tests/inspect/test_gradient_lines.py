"""Pictures of receptive fields in series."""

import numpy as np
import pytest
import torch

from lpsc_nd import LPSConv1d
from lpsc_nd.inspect import draw_gradient_lines, input_gradient


def test_a_line_within_its_field():
    gradient = torch.tensor([0.0, 0.0, 1.0, 4.0, 0.0, 2.0, 0.0])
    figure = draw_gradient_lines({"net": gradient}, title="fields")
    (axes,) = figure.axes
    np.testing.assert_allclose(axes.lines[0].get_ydata(), gradient / 4)
    (span,) = axes.patches
    corners = span.get_extents().transformed(axes.transData.inverted())
    assert (corners.x0, corners.x1) == pytest.approx((1.5, 5.5))
    assert axes.get_title() == "net: field of 4"
    assert figure.get_suptitle() == "fields"


def test_networks_share_the_positions():
    causal = input_gradient(LPSConv1d(1, 1, 9, padding="same", causal=True), (1, 30))
    both = input_gradient(LPSConv1d(1, 1, 9, padding="same"), (1, 30))
    figure = draw_gradient_lines({"causal": causal, "both": both})
    assert [axes.get_title() for axes in figure.axes] == ["causal: field of 5", "both: field of 9"]
    assert len({axes.get_xlim() for axes in figure.axes}) == 1


@pytest.mark.parametrize(
    ("gradients", "message"),
    [
        ({}, "at least one series"),
        ({"flat": torch.ones(3, 3)}, r"flat: must be 1-D and somewhere positive, got shape \(3, 3\)"),
        ({"dead": torch.zeros(3)}, r"dead: must be 1-D and somewhere positive, got shape \(3,\)"),
    ],
)
def test_nothing_to_draw_is_refused(gradients, message):
    with pytest.raises(ValueError, match=message):
        draw_gradient_lines(gradients)
