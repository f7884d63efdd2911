"""Kernels of a layer: painted regions, taps in any number of dimensions, and the sheet of all of them."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from lpsc_nd import LPSConv1d, LPSConv2d, LPSConv3d, LPSConvNd
from lpsc_nd.inspect import draw_kernel_grid, draw_kernels, region_weights, window_taps

MAKE = {1: LPSConv1d, 2: LPSConv2d, 3: LPSConv3d}


@pytest.mark.filterwarnings("ignore:.* regions are empty")
@given(st.integers(1, 3), st.integers(3, 6), st.integers(1, 2), st.integers(0, 999))
def test_every_cell_of_a_region_is_painted_with_its_weight(ndim, size, dilation, seed):
    torch.manual_seed(seed)
    layer = LPSConvNd(ndim, 2, 3, size, dilation=dilation)
    painted = region_weights(layer)
    assert painted.shape == (3, 2, *[dilation * (size - 1) + 1] * ndim)
    cells = painted[(..., *[slice(None, None, dilation)] * ndim)]
    assert painted.abs().sum() == pytest.approx(cells.abs().sum())  # nothing between the cells
    for cell in np.ndindex(*layer.mask.shape):
        code = layer.mask[cell]
        expected = torch.zeros(3, 2) if code == 0 else layer.weight[:, :, code - 1].detach()
        assert torch.equal(cells[(..., *cell)], expected)


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_taps_are_those_of_the_dense_twin(ndim):
    layer = MAKE[ndim](2, 3, 5, convention="official", num_levels=1)
    assert torch.equal(window_taps(layer), layer.to_conv().weight)


def test_colour_kernels_show_each_channel_s_taps():
    taps = torch.zeros(1, 3, 1, 3)
    taps[0, :, 0, 0] = torch.tensor([2.0, -2.0, 0.0])
    taps[0, :, 0, 1] = torch.tensor([0.0, 0.0, 1.0])
    sheet = np.asarray(draw_kernel_grid(taps).axes[0].images[0].get_array())
    np.testing.assert_allclose(sheet[0], [[1, 0, 0.5], [0.5, 0.5, 0.75], [0.8, 0.8, 0.8]])


def test_other_kernels_are_red_and_blue_by_the_sign_of_the_first_channel():
    taps = torch.zeros(2, 2, 1, 3)
    taps[0, 0] = torch.tensor([1.0, -1.0, 0.0])
    taps[1, 0, 0, 2] = 5.0
    sheet = np.asarray(draw_kernel_grid(taps, columns=1).axes[0].images[0].get_array())
    assert sheet.shape == (3, 3, 3)  # two kernels with a gap between
    red, blue, zero = sheet[0]
    assert red[0] > red[2] + 0.2
    assert blue[2] > blue[0] + 0.2
    assert zero.min() > 0.9
    np.testing.assert_allclose(sheet[2, 2], red)  # each by its own scale


@pytest.mark.parametrize("count", [1, 7, 8, 9])
def test_kernels_are_laid_in_rows(count):
    sheet = draw_kernel_grid(torch.randn(count, 1, 5, 5), columns=8).axes[0].images[0].get_array()
    rows, columns = -(-count // 8), min(count, 8)
    assert sheet.shape == (6 * rows - 1, 6 * columns - 1, 3)


def test_kernels_of_zeros_are_drawn():
    assert np.isfinite(draw_kernel_grid(torch.zeros(2, 3, 3, 3)).axes[0].images[0].get_array()).all()


@pytest.mark.parametrize(
    ("taps", "columns", "message"),
    [
        (torch.zeros(2, 1, 3), 8, r"taps must be \(out, in, height, width\), got shape \[2, 1, 3\]"),
        (torch.zeros(2, 1, 3, 3), 0, "columns must be at least 1, got 0"),
    ],
)
def test_bad_arguments_of_the_sheet(taps, columns, message):
    with pytest.raises(ValueError, match=message):
        draw_kernel_grid(taps, columns=columns)


def test_kernels_on_a_line_and_in_space_are_drawn_as_rows():
    figure = draw_kernels({"line": torch.randn(2, 1, 5), "space": torch.randn(2, 1, 3, 4, 5)}, number=2)
    labels = [axes.get_ylabel() for axes in figure.axes if axes.get_ylabel()]
    assert labels[:4] == ["line", "space\n-1", "space\n0", "space\n+1"]
    images = [image.get_array() for axes in figure.axes[:8] for image in axes.images]
    assert [image.shape for image in images] == [(1, 5)] * 2 + [(4, 5)] * 6


def test_slices_of_a_kernel_share_its_scale():
    taps = torch.zeros(1, 1, 2, 1, 1)
    taps[0, 0, :, 0, 0] = torch.tensor([1.0, -4.0])
    images = [image.get_array() for axes in draw_kernels({"a": taps}, number=1).axes[:2] for image in axes.images]
    assert [float(image[0, 0]) for image in images] == [0.25, -1.0]


def test_four_axes_have_no_picture():
    with pytest.raises(ValueError, match="kernels must have one to three axes, got 4 in 'a'"):
        draw_kernels({"a": torch.zeros(1, 1, 2, 2, 2, 2)})


def test_a_layer_without_kernel_is_refused():
    with pytest.raises(TypeError, match=r"got ReLU"):
        window_taps(nn.ReLU())
