"""Correlation of pixels with the centre, against numpy's on pairs that are gathered one by one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib.collections import PathCollection

from lpsc_nd.inspect import correlation_map, draw_correlations, region_correlations


def pairs_of(images, size, cell):
    """The centres' and the cell's values of every window inside every plain image, site by site."""
    center = [(k - 1) // 2 for k in size]
    centers, values = [], []
    for image in images:
        for site in np.ndindex(*(n - k + 1 for n, k in zip(image.shape, size, strict=True))):
            centers.append(image[tuple(s + c for s, c in zip(site, center, strict=True))])
            values.append(image[tuple(s + c for s, c in zip(site, cell, strict=True))])
    return centers, values


def brute_force(images, size):
    correlation = np.empty(size)
    for cell in np.ndindex(*size):
        correlation[cell] = np.corrcoef(*pairs_of(images, size, cell))[0, 1]
    return correlation


@st.composite
def sets_of_images(draw):
    ndim = draw(st.integers(1, 3))
    size = tuple(draw(st.lists(st.integers(1, 3), min_size=ndim, max_size=ndim)))
    noise = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shapes = [[k + draw(st.integers(1, 3)) for k in size] for _ in range(draw(st.integers(1, 3)))]
    offset, scale = draw(st.floats(-1e3, 1e3)), draw(st.floats(1e-2, 1e2))
    return [offset + scale * noise.normal(size=shape) for shape in shapes], size


@given(sets_of_images())
def test_it_is_numpy_s_correlation_of_all_pairs(drawn):
    images, size = drawn
    expected = brute_force(images, size)
    np.testing.assert_allclose(correlation_map(images, size), expected, atol=1e-7)


@given(sets_of_images(), st.floats(-50, 50), st.floats(0.1, 10))
def test_brightness_and_contrast_do_not_matter(drawn, shift, factor):
    images, size = drawn
    changed = [shift + factor * image for image in images]
    np.testing.assert_allclose(correlation_map(changed, size), correlation_map(images, size), atol=1e-7)


@given(arrays(np.float64, (6, 7), elements=st.integers(0, 9)).filter(lambda x: x[1:-1, 1:-1].std() > 0))
def test_mirrored_images_give_the_mirrored_map(image):
    if any(np.std(pairs_of([image], (3, 3), cell)[1]) == 0 for cell in np.ndindex(3, 3)):
        return
    mirrored = correlation_map([image[:, ::-1]], (3, 3))
    np.testing.assert_allclose(mirrored, correlation_map([image], (3, 3))[:, ::-1], atol=1e-9)


def test_leading_axes_are_further_images():
    stack = np.random.default_rng(0).normal(size=(4, 2, 5, 6))
    np.testing.assert_allclose(correlation_map([stack], (3, 2)), brute_force(stack.reshape(8, 5, 6), (3, 2)), atol=1e-9)


def test_the_check_above_sees_another_centre():
    image = np.random.default_rng(0).normal(size=(5, 6))
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(
            correlation_map([image], (3, 3)), brute_force([image], (3, 3))[::-1, ::-1], atol=1e-7
        )


def test_a_worked_example():
    # Pairs (centre, right): (1, 2), (2, 4), (4, 3), (3, 5) less their means 2.5 and 3.5: 2 / sqrt(5 * 5).
    assert correlation_map([np.array([0.0, 1, 2, 4, 3, 5])], (3,))[2] == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("images", "size", "message"),
    [
        ([], (3, 3), "images must hold at least one image, got none"),
        (
            [np.eye(4), np.eye(2)],
            (3, 3),
            r"images\[1\] must be at least as large as the window \[3, 3\], got .*\[2, 2\]",
        ),
        ([np.ones(9)], (3, 3), r"got shape \[9\]"),
        ([np.full((4, 4), np.nan)], (3, 3), r"images\[0\] must hold finite values"),
        ([np.ones((0, 4, 4))], (3, 3), r"images\[0\] must hold finite values, got an empty image"),
        ([np.full((4, 4), 0.1)], (3, 3), "images must vary"),
        ([np.eye(4)], (0, 3), r"kernel_size\[0\] must be at least 1, got 0"),
    ],
)
def test_images_without_a_correlation_are_refused(images, size, message):
    with pytest.raises(ValueError, match=message):
        correlation_map(images, size)


def test_regions_gather_their_cells_without_the_centre():
    correlation = np.array([[0.1, 0.2, 0.3], [0.4, 1.0, 0.5], [0.6, 0.7, 0.8]])
    mask = np.array([[1, 1, 1], [2, 1, 2], [0, 0, 0]])
    first, second, third = region_correlations(correlation, mask, 3)
    assert (first.count, first.least, first.largest) == (3, 0.1, 0.3)
    assert first.mean == pytest.approx(0.2)
    assert second.mean == pytest.approx(0.45)
    assert (third.region, third.count, third.mean, third.least, third.largest) == (3, 0, None, None, None)


def test_another_window_is_refused():
    with pytest.raises(ValueError, match=r"mask must have the window \(3, 3\) of the correlation, got \(5, 5\)"):
        region_correlations(np.eye(3), np.ones((5, 5), dtype=np.int64))


def test_the_picture_shows_every_cell_but_the_centre_at_its_distance():
    mask = np.array([[1, 1, 0], [2, 2, 1], [3, 3, 2]])
    values = np.arange(9.0).reshape(3, 3)
    left, right = draw_correlations({"a": values}, mask, 2).axes[:2]
    np.testing.assert_array_equal(left.images[0].get_array(), values)
    points = np.concatenate([dots.get_offsets() for dots in right.collections if isinstance(dots, PathCollection)])
    expected = sorted((float(np.hypot(y - 1, x - 1)), values[y, x]) for y, x in np.ndindex(3, 3) if (y, x) != (1, 1))
    np.testing.assert_allclose(sorted(map(tuple, points.tolist())), expected)


@pytest.mark.parametrize(
    ("correlations", "mask", "message"),
    [
        ({}, np.ones((3, 3), dtype=np.int64), "needs at least one map and a 2-D mask, got 0"),
        ({"a": np.ones(3)}, np.ones(3, dtype=np.int64), r"got 1 and shape \(3,\)"),
        ({"a": np.ones((2, 2))}, np.ones((3, 3), dtype=np.int64), r"a: must have the window \(3, 3\)"),
    ],
)
def test_bad_maps_are_refused(correlations, mask, message):
    with pytest.raises(ValueError, match=message):
        draw_correlations(correlations, mask, 2)
