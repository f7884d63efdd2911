"""LogPolarPartition against a brute-force oracle: one offset at a time, with the functions of ``math`` alone."""

import math
from functools import lru_cache
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lpsc_nd import LogPolarPartition, build_mask

CONVENTIONS = ("paper", "official", "literal")


def expected_region(offset, ndim, radius, num_levels, num_directions, growth, **options):
    """Return the region of one offset."""
    convention = options.get("convention", "paper")
    local = [math.fsum(o * a for o, a in zip(offset, axis, strict=True)) for axis in frame_axes(ndim, options)]
    semi_axes = options.get("axes") or default_axes(ndim, radius, options.get("eccentricity", 1.0))
    squared = radius**2 * math.fsum((c / a) ** 2 for c, a in zip(local, semi_axes, strict=True))
    limits = expected_limits(radius, num_levels, growth, options.get("min_inner_radius", 0.0), convention)
    level = expected_level(squared, limits, convention)
    count, direction = expected_direction(local, num_directions)
    return (level - 1) * count + direction if level else 0


def frame_axes(ndim, options):
    """Return the frame's axes as vectors; on screen, the last is "right" turned by ``angle`` counter-clockwise."""
    if options.get("rotation") is not None:
        return list(zip(*options["rotation"], strict=True))  # its columns
    axes = [[float(i == j) for j in range(ndim)] for i in range(ndim)]
    if ndim > 1:
        cos, sin = math.cos(options.get("angle", 0.0)), math.sin(options.get("angle", 0.0))
        axes[-1][-2:], axes[-2][-2:] = [-sin, cos], [cos, sin]
    return axes


def default_axes(ndim, radius, eccentricity):
    if eccentricity > 1:
        return radius, radius / eccentricity
    return (radius * eccentricity, radius) if eccentricity < 1 else (radius,) * ndim


def expected_limits(radius, num_levels, growth, minimum, convention):
    """Return the squared outer radius of each level."""
    if convention == "literal":
        first = max(minimum**2, radius**2 / growth ** (num_levels - 1))
        return [first * growth**i for i in range(num_levels)]
    first = max(minimum, radius / growth ** (num_levels - 1))
    limits = [(first * growth**i) ** 2 for i in range(num_levels)]
    field = max(radius, first) ** 2
    return [min(limit, field) for limit in limits] if convention == "paper" else limits


def expected_level(squared, limits, convention):
    if squared == 0:
        return 1 if convention == "official" else 0
    for level, limit in enumerate(limits, start=1):
        if squared < limit * (1 - 1e-6) or (convention != "literal" and squared <= limit * (1 + 1e-6)):
            return level
    return len(limits) if convention == "official" else 0


def expected_direction(local, spec):
    """Return how many directions there are, and that of ``local``, from 1."""
    if not isinstance(spec, int) and not isinstance(spec[0], int):
        length = math.hypot(*local) or 1.0
        cosines = [math.fsum(c * v for c, v in zip(local, row, strict=True)) / length for row in spec]
        return len(spec), 1 + next(i for i, c in enumerate(cosines) if c >= max(cosines) - 1e-6)
    if len(local) == 1:
        return spec, 2 if local[0] < 0 and spec == 2 else 1
    *bands, azimuth = (spec,) if isinstance(spec, int) else spec
    sector = 0
    for axis, count in enumerate(bands):
        polar = math.atan2(math.hypot(*local[axis + 1 :]), local[axis])
        borders = [polar_border(len(local) - axis, i / count) for i in range(1, count)]
        sector = sector * count + sum(polar >= border - 1e-6 for border in borders)
    theta = (math.atan2(-local[-2], local[-1]) if any(local[-2:]) else 0.0) + 1e-6
    share = theta % (2 * math.pi) / (2 * math.pi)
    return math.prod(bands) * azimuth, sector * azimuth + min(int(share * azimuth), azimuth - 1) + 1


@lru_cache
def polar_border(ndim, share, steps=20_000):
    """Return the polar angle below which ``share`` of the sphere in R^ndim lies, by the midpoint rule."""
    slices = [math.sin(math.pi * (i + 0.5) / steps) ** (ndim - 2) for i in range(steps)]
    wanted, total = share * math.fsum(slices), 0.0
    for i, area in enumerate(slices):
        if total + area >= wanted:
            return math.pi * (i + (wanted - total) / area) / steps
        total += area
    return math.pi


def expected_mask(size, spacing, arguments, options):
    mask = np.zeros(size, dtype=np.int64)
    for cell in product(*map(range, size)):
        offset = [(i - (k - 1) // 2) * s for i, k, s in zip(cell, size, spacing, strict=True)]
        mask[cell] = expected_region(offset, *arguments, **options)
    return mask


def vectors(draw, ndim):
    steps = draw(st.lists(st.tuples(*[st.integers(-2, 2)] * ndim).filter(any), min_size=1, max_size=9, unique=True))
    return tuple(tuple(c / math.hypot(*row) for c in row) for row in steps)


def directions(draw, ndim):
    if draw(st.integers(0, 3)) == 0:
        return vectors(draw, ndim)
    if ndim <= 2:
        return draw(st.integers(1, 2 if ndim == 1 else 13))
    return (*draw(st.tuples(*[st.integers(1, 3)] * (ndim - 2))), draw(st.integers(1, 7)))


def rotations(draw, ndim):
    """Draw a rotation as a product of turns by hundredths of a radian, sometimes with a mirror."""
    matrix = np.eye(ndim) * [draw(st.sampled_from([1.0, -1.0])), *[1.0] * (ndim - 1)]
    for i in range(ndim - 1):
        turn, angle = np.eye(ndim), draw(st.integers(-314, 314)) / 100
        turn[i : i + 2, i : i + 2] = [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
        matrix = matrix @ turn
    return tuple(map(tuple, matrix.tolist()))


@st.composite
def geometries(draw, max_ndim=4, conventions=CONVENTIONS):
    """Draw the arguments of a partition; on quarters and hundredths, so that no float border is a matter of luck."""
    ndim = draw(st.integers(1, max_ndim))
    quarters = st.integers(2, 24).map(lambda n: n / 4)
    options = {"convention": draw(st.sampled_from(conventions)), "min_inner_radius": draw(st.integers(0, 12)) / 4}
    shape = draw(st.sampled_from(["ball", "axes", "eccentricity"]))
    if shape == "axes":
        options["axes"] = draw(st.tuples(*[quarters] * ndim))
    elif shape == "eccentricity" and ndim == 2:
        options["eccentricity"] = draw(quarters)
    turned = draw(st.sampled_from(["not", "angle", "rotation"]))
    if turned == "angle" and ndim > 1:
        options["angle"] = draw(st.integers(-700, 700)) / 100
    elif turned == "rotation":
        options["rotation"] = rotations(draw, ndim)
    growth = draw(st.sampled_from([1.25, 1.5, 2.0, 2.5, 3.0, 7.0]))
    return (ndim, draw(quarters), draw(st.integers(1, 4)), directions(draw, ndim), growth), options


@st.composite
def windows(draw, ndim):
    """Draw a window of few cells, even and odd, and its spacing."""
    longest = {1: 25, 2: 9, 3: 5, 4: 4}[ndim]
    size = draw(st.tuples(*[st.integers(1, longest)] * ndim))
    return size, draw(st.tuples(*[st.sampled_from([0.5, 1.0, 1.5, 2.0])] * ndim))


@given(geometry=geometries(), data=st.data())
def test_every_cell_is_in_the_region_of_the_oracle(geometry, data):
    arguments, options = geometry
    size, spacing = data.draw(windows(arguments[0]))
    mask = build_mask(LogPolarPartition(*arguments, **options), size, spacing=spacing)
    np.testing.assert_array_equal(mask, expected_mask(size, spacing, arguments, options))


@given(geometry=geometries(), data=st.data())
def test_offsets_keep_their_leading_shape(geometry, data):
    arguments, options = geometry
    shape = data.draw(st.sampled_from([(), (0,), (3,), (2, 1, 2)]))
    seed = data.draw(st.integers(0, 99))
    offsets = np.random.default_rng(seed).integers(-40, 40, size=(*shape, arguments[0])) / 8
    region = LogPolarPartition(*arguments, **options).region(offsets)
    assert region.shape == shape
    assert region.dtype == np.int64
    rows = offsets.reshape(-1, arguments[0]).tolist()
    assert region.ravel().tolist() == [expected_region(row, *arguments, **options) for row in rows]


@given(
    data=st.data(),
    ndim=st.integers(1, 4),
    num_levels=st.integers(1, 3),
    growth=st.sampled_from([1.5, 2.0, 3.0]),
    convention=st.sampled_from(CONVENTIONS),
    eccentricity=st.sampled_from([1.0, 0.5, 1.5]),
)
def test_a_partition_for_a_grid_fits_the_window(data, ndim, num_levels, growth, convention, eccentricity):
    size, spacing = data.draw(windows(ndim).filter(lambda window: max(window[0]) > 1))
    half = [(k - 1) / 2 * s for k, s in zip(size, spacing, strict=True)]
    count = directions(data.draw, ndim)
    options = {"convention": convention, "axes": tuple(h or max(half) for h in half)}
    shape = {}
    if ndim == 2 and min(half) > 0 and eccentricity != 1.0:
        shape["eccentricity"] = eccentricity
        width = min(half[1], half[0] / eccentricity)
        options["axes"] = (width * eccentricity, width)
    cells = [max(half) * s / a for k, s, a in zip(size, spacing, options["axes"], strict=True) if k > 1]
    options["min_inner_radius"] = math.sqrt(len(cells)) * min(cells)
    fitted = LogPolarPartition.for_grid(
        size, num_levels, count, growth, spacing=spacing, convention=convention, **shape
    )
    expected = expected_mask(size, spacing, (ndim, max(half), num_levels, count, growth), options)
    np.testing.assert_array_equal(build_mask(fitted, size, spacing=spacing), expected)


@given(geometry=geometries())
def test_level_radii_are_the_limits(geometry):
    (ndim, radius, num_levels, count, growth), options = geometry
    limits = expected_limits(radius, num_levels, growth, options["min_inner_radius"], options["convention"])
    radii = LogPolarPartition(ndim, radius, num_levels, count, growth, **options).level_radii
    assert radii == pytest.approx([math.sqrt(limit) for limit in limits], rel=1e-12)


@pytest.mark.parametrize(
    "change",
    [
        {"convention": "literal"},
        {"convention": "official"},
        {"angle": 0.4},
        {"eccentricity": 0.5},
        {"axes": (1.5, 2.5)},
        {"rotation": ((0.0, 1.0), (-1.0, 0.0))},
        {"min_inner_radius": 1.0},
    ],
    ids=str,
)
def test_the_oracle_tells_every_option_apart(change):
    arguments = 2, 2.0, 2, 6, 3.0
    plain = expected_mask((5, 5), (1, 1), arguments, {})
    assert (plain != expected_mask((5, 5), (1, 1), arguments, change)).any()


def test_the_oracle_tells_spacing_and_directions_apart():
    plain = expected_mask((3, 3, 3), (1, 1, 1), (3, 2.0, 2, (2, 3), 2.0), {})
    assert (plain != expected_mask((3, 3, 3), (2, 1, 1), (3, 2.0, 2, (2, 3), 2.0), {})).any()
    assert (plain != expected_mask((3, 3, 3), (1, 1, 1), (3, 2.0, 2, (3, 2), 2.0), {})).any()
