"""Pictures of region maps by their number of axes."""

import numpy as np
import pytest

from lpsc_nd import LogPolarPartition, build_mask
from lpsc_nd.inspect import draw_exploded, draw_slices, mask_pictures


def ball(size, **options):
    partition = LogPolarPartition.for_grid(size, 2, (2, 4), 2.0, **options)
    return build_mask(partition, size, spacing=options.get("spacing"))


def counts_on(figure):
    return [[int(text.get_text()) for text in axes.texts] for axes in figure.axes]


def test_slices_count_the_cells_of_each_slice():
    mask = ball((5, 5, 5))
    figure = draw_slices(mask, 8)
    assert [sum(counts) for counts in counts_on(figure)] == [(plane > 0).sum() for plane in mask]
    assert [axes.get_title() for axes in figure.axes] == ["-2", "-1", "0", "+1", "+2"]


def test_one_region_has_one_colour_in_all_slices():
    mask = ball((7, 7, 7))
    images = [np.asarray(axes.images[0].get_array()) for axes in draw_slices(mask, 8, center=False).axes]
    colours = np.stack(images)
    for code in np.unique(mask):
        assert len({tuple(c) for c in colours[mask == code]}) == 1
    assert len({tuple(c) for c in colours.reshape(-1, 3)}) == len(np.unique(mask))


def test_the_centre_is_dark_in_the_middle_slice_alone():
    images = [np.asarray(axes.images[0].get_array()) for axes in draw_slices(ball((5, 5, 5)), 8).axes]
    assert [image[2, 2].max() < 0.2 for image in images] == [False, False, True, False, False]


def test_of_many_slices_some_are_drawn_and_the_title_says_so():
    figure = draw_slices(np.ones((40, 2, 2), dtype=np.int64), 1, title="deep")
    assert len(figure.axes) == 15
    assert "15 of 40 slices" in figure.get_suptitle()
    assert (figure.axes[0].get_title(), figure.axes[-1].get_title()) == ("-19", "+20")


@pytest.mark.parametrize("size", [(5, 5, 5), (22, 22, 22)])
def test_every_region_is_a_body_of_its_level(size):
    mask = ball(size)
    figure = draw_exploded(mask, 8)
    assert len(figure.axes) == 2
    for level, axes in enumerate(figure.axes):
        inside = (mask > 8 * level) & (mask <= 8 * (level + 1))
        assert f"{len(np.unique(mask[inside]))} regions, {inside.sum()} cells" in axes.get_title()
    dots = [body for axes in figure.axes for body in axes.collections if hasattr(body, "_offsets3d")]
    assert sum(len(body._offsets3d[0]) for body in dots) == ((mask > 0).sum() if size[0] > 21 else 0)


def test_levels_are_drawn_to_one_scale_that_holds_them():
    figure = draw_exploded(ball((9, 9, 9)), 8, spacing=(3.0, 1.0, 1.0))
    assert len({(axes.get_xlim(), axes.get_ylim(), axes.get_zlim()) for axes in figure.axes}) == 1
    for axes in figure.axes:
        z, y, x = (limits()[1] for limits in (axes.get_zlim, axes.get_ylim, axes.get_xlim))
        assert z > 1.25 * 13.5  # half the window in its own unit, pushed out by a quarter
        assert y == x > 1.25 * 4.5


def test_slices_of_thick_cells_tell_their_distance():
    figure = draw_slices(ball((5, 9, 9), spacing=(3.0, 1.0, 1.5)), 8, spacing=(3.0, 1.0, 1.5))
    assert [axes.get_title() for axes in figure.axes] == ["-2 (-6)", "-1 (-3)", "0", "+1 (+3)", "+2 (+6)"]
    assert {round(axes.get_aspect(), 6) for axes in figure.axes} == {round(1 / 1.5, 6)}


@pytest.mark.parametrize(("depth", "shape"), [(4, (1, 4)), (5, (1, 5)), (7, (2, 4)), (11, (3, 4)), (15, (3, 5))])
def test_rows_of_slices_are_nearly_equally_long(depth, shape):
    figure = draw_slices(np.ones((depth, 2, 2), dtype=np.int64), 1)
    assert (len(figure.axes), np.asarray(figure.subfigs).size) == (depth, shape[0] * shape[1])


@pytest.mark.parametrize("draw", [draw_slices, draw_exploded])
def test_other_numbers_of_axes_are_refused(draw):
    with pytest.raises(ValueError, match=r"mask must be 3-D, got shape \(3, 3\)"):
        draw(np.ones((3, 3), dtype=np.int64), 1)


@pytest.mark.parametrize(
    ("shape", "names"), [((9,), ["map"]), ((5, 7), ["map"]), ((3, 3, 3), ["slices", "levels"]), ((2,) * 4, [])]
)
def test_pictures_suit_the_axes(shape, names):
    assert list(mask_pictures(np.ones(shape, dtype=np.int64), 1)) == names


def test_cells_are_drawn_as_high_as_they_are():
    figure = mask_pictures(np.ones((3, 3), dtype=np.int64), 1, spacing=(3.0, 2.0))["map"]
    assert figure.axes[0].get_aspect() == 1.5


def test_a_spacing_of_another_length_is_refused():
    with pytest.raises(ValueError, match="spacing must be one number or a sequence of 2"):
        mask_pictures(np.ones((3, 3), dtype=np.int64), 1, spacing=(1.0, 1.0, 1.0))
