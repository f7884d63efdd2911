"""The drawings: what is on them, and that they are written without matplotlib's global state."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from matplotlib.colors import rgb_to_hsv
from matplotlib.figure import Figure
from torch import nn

from lpsc_nd import LogPolarPartition, LPSConv2d, build_mask
from lpsc_nd.inspect import draw_curves, draw_kernels, draw_region_map, window_taps

OFFICIAL = LogPolarPartition.for_grid((5, 5), 2, 6, 3.0, convention="official")


def image_of(figure):
    return figure.axes[0].images[0].get_array()


def test_regions_have_colours_of_their_own():
    mask = build_mask(OFFICIAL, (5, 5))
    image = np.asarray(image_of(draw_region_map(mask, 6, center=False)))
    colour = {code: {tuple(c) for c in image[mask == code]} for code in np.unique(mask)}
    assert all(len(colours) == 1 for colours in colour.values())
    assert len(set.union(*colour.values())) == 12


def test_hue_is_the_direction_and_lightness_the_level():
    mask = np.arange(1, 13).reshape(2, 6)  # a row per level, a column per direction
    hsv = rgb_to_hsv(np.asarray(image_of(draw_region_map(mask, 6, center=False))))
    np.testing.assert_allclose(hsv[0, :, 0], hsv[1, :, 0], atol=1e-6)
    assert (hsv[1, :, 1] < hsv[0, :, 1]).all()


def test_more_directions_than_named_colours():
    image = np.asarray(image_of(draw_region_map(np.arange(1, 13).reshape(3, 4), 12, center=False)))
    assert len({tuple(colour) for colour in image.reshape(-1, 3)}) == 12


def test_centre_and_outside():
    mask = build_mask(LogPolarPartition.for_grid((9, 9), 2, 8, 2.0), (9, 9))
    image = np.asarray(image_of(draw_region_map(mask, 8)))
    assert image[4, 4].max() < 0.2
    assert (image[0, 0] == 1).all()


def test_counts_are_written_on_small_maps_only():
    texts = [text.get_text() for text in draw_region_map(build_mask(OFFICIAL, (5, 5)), 6).axes[0].texts]
    assert sum(int(text) for text in texts) == 25
    large = build_mask(LogPolarPartition.for_grid((33, 33), 3, 6, 2.0), (33, 33))
    assert list(draw_region_map(large, 6).axes[0].texts) == []


def test_borders_are_between_regions():
    figure = draw_region_map(np.array([[1, 1], [2, 2]]), 2, center=False)
    vertical, horizontal = (lines.get_segments() for lines in figure.axes[0].collections)
    assert vertical == []
    assert [segment.tolist() for segment in horizontal] == [[[-0.5, 0.5], [0.5, 0.5]], [[0.5, 0.5], [1.5, 0.5]]]


def test_a_given_figure_is_drawn_into():
    figure = Figure()
    assert draw_region_map(np.ones((3, 3), dtype=np.int64), 1, figure=figure) is figure
    assert len(figure.axes) == 1


@pytest.mark.parametrize(
    ("mask", "directions", "message"),
    [
        (np.ones((3, 3, 3), dtype=np.int64), 2, r"got shape \(3, 3, 3\)"),
        (-np.ones((3, 3), dtype=np.int64), 2, "least code -1"),
        (np.ones((3, 3), dtype=np.int64), 0, "num_directions must be at least 1, got 0"),
    ],
)
def test_bad_maps_are_refused(mask, directions, message):
    with pytest.raises(ValueError, match=message):
        draw_region_map(mask, directions)


def test_taps_of_a_dilated_convolution_lie_on_its_window():
    conv = nn.Conv2d(2, 3, (3, 2), dilation=(2, 3))
    taps = window_taps(conv)
    assert taps.shape == (3, 2, 5, 4)
    assert torch.equal(taps[:, :, ::2, ::3], conv.weight)
    assert torch.count_nonzero(taps) == conv.weight.numel()


def test_taps_of_a_log_polar_layer_are_weights_over_counts():
    layer = LPSConv2d(1, 2, 5, num_levels=2, num_directions=6, growth=3.0, convention="official")
    taps, mask = window_taps(layer), torch.from_numpy(np.array(layer.mask))
    counts = mask.flatten().bincount()
    for code in range(2, 13):  # region 1 holds the centre, which has a second weight
        torch.testing.assert_close(
            taps[:, 0, mask == code], (layer.weight[:, 0, code - 1] / counts[code])[:, None].expand(-1, counts[code])
        )
    torch.testing.assert_close(taps[:, 0, 2, 2], layer.weight[:, 0, 0] / counts[1] + layer.center_weight[:, 0])


def test_layers_without_taps_are_refused():
    with pytest.raises(TypeError, match=r"layer must be an nn\.Conv2d .* got Linear"):
        window_taps(nn.Linear(2, 2))


def test_kernels_are_drawn_row_by_row():
    figure = draw_kernels({"a": torch.randn(5, 1, 3, 3), "b": torch.zeros(2, 1, 5, 5)}, number=4)
    images = [image for axes in figure.axes for image in axes.images]
    assert len(images) == 4 + 2
    assert float(abs(images[0].get_array()).max()) == pytest.approx(1.0)
    assert images[-1].get_array().mask.all()  # no kernel of "b" has a tap anywhere
    assert [axes.get_ylabel() for axes in (figure.axes[0], figure.axes[4])] == ["a", "b"]


@pytest.mark.parametrize(("kernels", "number"), [({}, 8), ({"a": torch.zeros(1, 1, 3, 3)}, 0)])
def test_nothing_to_draw_is_refused(kernels, number):
    with pytest.raises(ValueError, match="needs at least one layer"):
        draw_kernels(kernels, number=number)


def test_curves_show_the_points_given():
    curves = {"one": [(1, 1.0), (2, 0.5)], "two": [(1, 0.9), (2, 0.01)]}
    figure = draw_curves({"loss": curves, "accuracy": {"one": [(1, 0.9), (2, 1.0)]}})
    loss, accuracy = figure.axes
    assert [line.get_xydata().tolist() for line in loss.lines] == [[[1, 1.0], [2, 0.5]], [[1, 0.9], [2, 0.01]]]
    assert [text.get_text() for text in loss.get_legend().get_texts()] == ["one", "two"]
    assert (loss.get_yscale(), accuracy.get_yscale()) == ("log", "linear")
    assert loss.get_ylabel() == "loss"


@pytest.mark.parametrize("panels", [{}, {"loss": {}}])
def test_no_curves_are_refused(panels):
    with pytest.raises(ValueError, match="needs at least one panel"):
        draw_curves(panels)


def test_figures_are_written(tmp_path):
    path = tmp_path / "map.png"
    draw_region_map(build_mask(OFFICIAL, (5, 5)), 6).savefig(path)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_matplotlib_is_loaded_when_drawing_and_pyplot_never():
    code = (
        "import sys, numpy as np; from lpsc_nd.inspect import draw_region_map\n"
        "print('matplotlib' in sys.modules)\n"
        "draw_region_map(np.ones((3, 3), dtype=np.int64), 1)\n"
        "print('matplotlib' in sys.modules, 'matplotlib.pyplot' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["False", "True", "False"]
