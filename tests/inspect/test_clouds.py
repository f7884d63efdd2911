"""The drawings of clouds: which points are drawn, where, and in which colours."""

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d import proj3d

from lpsc_nd import CellPartition, LogPolarPartition
from lpsc_nd.inspect.clouds import TOWARDS_VIEWER, PartCloud, draw_cloud_regions, draw_parts

PLANE = LogPolarPartition(2, 2.0, num_levels=2, num_directions=4, growth=2.0)
SPACE = LogPolarPartition(3, 2.0, num_levels=2, num_directions=(2, 4), growth=2.0)
# Rows and columns around the first point: right, up, far left, far down, and one outside.
POINTS = np.array([[0, 0], [-0.1, 0.5], [-0.5, -0.1], [0.1, -1.5], [1.5, 0.1], [5, 5]], dtype=np.float64)


def groups(axes):
    """Return the points of each scatter in the order of drawing, the empty ones of the legend left out."""
    return [np.asarray(one.get_offsets()).tolist() for one in axes.collections if len(one.get_offsets())]


def legend_of(artist):
    return [text.get_text() for text in artist.get_texts()]


def test_points_are_grouped_by_level_with_columns_to_the_right():
    (axes,) = draw_cloud_regions(POINTS, PLANE, 0, title="plane").axes
    swapped = POINTS[:, ::-1].tolist()
    assert groups(axes) == [swapped[5:], swapped[1:3], swapped[3:5], swapped[:1]]
    assert axes.yaxis_inverted()
    assert legend_of(axes.get_legend()) == ["in no region", "level 1", "level 2", "query"]
    assert axes.get_title() == "plane"


def test_every_region_has_a_colour_of_its_own():
    circle = np.array(
        [[-r * np.sin(a), r * np.cos(a)] for r in (0.5, 1.5) for a in np.pi / 4 + np.arange(4) * np.pi / 2]
    )
    (axes,) = draw_cloud_regions(np.vstack([[[0, 0]], circle]), PLANE, 0).axes
    levels = [one.get_facecolors() for one in axes.collections if len(one.get_offsets()) == 4]
    assert [len(colors) for colors in levels] == [4, 4]
    assert len({tuple(color) for colors in levels for color in colors}) == 8


def test_a_cloud_in_space():
    points = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    (axes,) = draw_cloud_regions(points, SPACE, 7).axes
    assert axes.name == "3d"
    drawn = [np.stack(one._offsets3d, axis=1) for one in axes.collections]
    np.testing.assert_allclose(sorted(np.concatenate(drawn).tolist()), sorted(points.tolist()), rtol=1e-6)
    np.testing.assert_allclose(drawn[-1], points[[7]], rtol=1e-6)


def test_the_direction_to_the_viewer_is_seen_as_a_point():
    corners = np.array(np.meshgrid([-1, 1], [-1, 1], [-1, 1])).reshape(3, 8).T
    matrix = draw_cloud_regions(corners, SPACE, 0).axes[0].get_proj()
    towards = np.array(TOWARDS_VIEWER)
    x, y, depth = np.transpose([proj3d.proj_transform(*(step * towards), matrix) for step in (-0.5, 0, 0.5)])
    assert np.linalg.norm(towards) == pytest.approx(1)
    np.testing.assert_allclose([x, y], np.tile([x[:1], y[:1]], 3), atol=1e-9)
    assert len(set(depth.round(6))) == 3


def test_a_part_of_a_figure_is_drawn_into():
    figure = Figure()
    left, right = figure.subfigures(1, 2)
    assert draw_cloud_regions(POINTS, PLANE, 0, figure=right) is figure
    assert (len(left.axes), len(right.axes)) == (0, 1)


def test_a_partition_without_levels_has_one():
    (axes,) = draw_cloud_regions(POINTS, CellPartition((3, 3)), 0).axes
    assert legend_of(axes.get_legend()) == ["in no region", "level 1", "query"]


def cloud(points, parts, predicted):
    return PartCloud(np.asarray(points, dtype=np.float64), np.array(parts), np.array(predicted))


def test_truth_stands_above_prediction_and_wrong_points_are_ringed():
    figure = draw_parts({"a": cloud(POINTS, [1, 1, 2, 2, 2, 2], [1, 1, 1, 2, 2, 2])}, ["none", "one", "two"], title="T")
    truth, predicted = figure.axes
    assert (truth.get_title(), predicted.get_title()) == ("a: truth", "a: predicted, 83% right")
    swapped = POINTS[:, ::-1].tolist()
    assert groups(truth) == [swapped[:2], swapped[2:]]
    assert groups(predicted) == [swapped[:2], swapped[2:3], swapped[3:]]
    ringed = [one for one in predicted.collections if len(one.get_offsets()) == 1]
    assert tuple(ringed[0].get_edgecolors()[0]) == to_rgba("black")
    (column,) = figure.subfigs
    assert legend_of(column.legends[0]) == ["one", "two"]


def test_a_column_for_each_cloud():
    flat = cloud(POINTS, [0] * 6, [0] * 6)
    solid = cloud(np.random.default_rng(0).normal(size=(6, 3)), [0] * 6, [1] * 6)
    figure = draw_parts({"flat": flat, "solid": solid}, ["zero", "one"])
    assert [axes.name for axes in figure.axes] == ["rectilinear", "rectilinear", "3d", "3d"]
    assert [axes.get_title() for axes in figure.axes[1::2]] == [
        "flat: predicted, 100% right",
        "solid: predicted, 0% right",
    ]


def test_the_pictures_are_written(tmp_path):
    solid = cloud(np.random.default_rng(0).normal(size=(6, 3)), [0] * 6, [1] * 6)
    for number, figure in enumerate(
        [draw_parts({"a": solid}, ["x", "y"]), draw_cloud_regions(solid.positions, SPACE, 0)]
    ):
        path = tmp_path / f"{number}.png"
        figure.savefig(path)
        assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: draw_cloud_regions(np.zeros((3, 4)), SPACE, 0), r"positions must be .*got shape \[3, 4\]"),
        (lambda: draw_cloud_regions(np.zeros((0, 3)), SPACE, 0), r"positions must be .*got shape \[0, 3\]"),
        (lambda: draw_cloud_regions(np.zeros(3), SPACE, 0), r"positions must be .*got shape \[3\]"),
        (lambda: draw_cloud_regions(np.zeros((3, 3)), SPACE, 3), "query must be below the number of points, 3, got 3"),
        (lambda: draw_cloud_regions(np.zeros((3, 3)), SPACE, -1), "query must be at least 0, got -1"),
        (lambda: draw_parts({}, ["a"]), "clouds must hold at least one cloud, got none"),
        (
            lambda: draw_parts({"c": cloud(POINTS, [0] * 6, [1] * 6)}, ["a"]),
            "c: parts must be from 0 to 0.* got 0 to 1",
        ),
        (lambda: cloud(POINTS, [0] * 5, [0] * 6), r"parts must have one label per point, \[6\], got shape \[5\]"),
        (lambda: cloud(POINTS, [0] * 6, [0] * 7), r"predicted must have one label per point, \[6\], got shape \[7\]"),
    ],
)
def test_what_cannot_be_drawn_is_refused(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()
