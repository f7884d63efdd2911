"""Points of every class of surface are uniform by area.

The oracles are parametrisations from the text-book formulas, on a fine grid whose cells' areas are added up.
"""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamodules.points.surface_classes import CLASS_NAMES, SURFACE_CLASSES
from datamodules.points.surface_sampling import sample_surface

PI = np.pi
KINDS = {kind.name: kind for kind in SURFACE_CLASSES}


# Parametrisations: proportions -> list of (part, function of the unit square).
def revolved(*outline):
    """A polyline of (radius, height) around the z axis."""

    def piece(start, end):
        def surface(u, v):
            radius, height = (a + (b - a) * v for a, b in zip(start, end, strict=True))
            return np.stack([radius * np.cos(2 * PI * u), radius * np.sin(2 * PI * u), height], axis=-1)

        return surface

    return [piece(start, end) for start, end in pairwise(outline)]


def sphere(low, high, center=0.0):
    def surface(u, v):
        polar = np.arccos(low) + (np.arccos(high) - np.arccos(low)) * v
        ring = np.sin(polar)
        return np.stack([ring * np.cos(2 * PI * u), ring * np.sin(2 * PI * u), center + np.cos(polar)], axis=-1)

    return surface


def flat(a, b, c, d):
    """The quadrangle of four corners in order."""
    a, b, c, d = (np.array(corner, float) for corner in (a, b, c, d))

    def surface(u, v):
        u, v = u[..., None], v[..., None]
        return (1 - u) * (1 - v) * a + u * (1 - v) * b + u * v * c + (1 - u) * v * d

    return surface


def ellipsoid_grid():
    return [(0, sphere(-1, 1))]


def box_grid(width, height):
    x, y, z = 0.5, width / 2, height / 2
    sides = [flat((s * x, -y, -z), (s * x, y, -z), (s * x, y, z), (s * x, -y, z)) for s in (-1, 1)]
    sides += [flat((-x, s * y, -z), (x, s * y, -z), (x, s * y, z), (-x, s * y, z)) for s in (-1, 1)]
    ends = [flat((-x, -y, s * z), (x, -y, s * z), (x, y, s * z), (-x, y, s * z)) for s in (-1, 1)]
    return [(0, side) for side in sides] + [(1, end) for end in ends]


def cylinder_grid(height):
    bottom, side, top = revolved((0, -height / 2), (1, -height / 2), (1, height / 2), (0, height / 2))
    return [(1, bottom), (0, side), (1, top)]


def cone_grid(height):
    base, side = revolved((0, 0), (1, 0), (0, height))
    return [(1, base), (0, side)]


def pyramid_grid(height):
    corners, apex = [(-1, -1, 0), (1, -1, 0), (1, 1, 0), (-1, 1, 0)], (0, 0, height)
    return [(1, flat(*corners))] + [(0, flat(corners[i], corners[(i + 1) % 4], apex, apex)) for i in range(4)]


def torus_grid(thickness):
    def surface(u, v):
        ring = 1 + thickness * np.cos(2 * PI * v)
        height = thickness * np.sin(2 * PI * v)
        return np.stack([ring * np.cos(2 * PI * u), ring * np.sin(2 * PI * u), height], axis=-1)

    return [(0, surface)]


def capsule_grid(length):
    (side,) = revolved((1, -length / 2), (1, length / 2))
    return [(0, side), (1, sphere(-1, 0, -length / 2)), (1, sphere(0, 1, length / 2))]


def dome_grid(cut):
    (base,) = revolved((0, cut), (np.sqrt(1 - cut**2), cut))
    return [(0, sphere(cut, 1)), (1, base)]


def spring_grid(turns, rise, thickness):
    slope = rise / (2 * PI)

    def surface(u, v):
        angle, around = 2 * PI * turns * u, 2 * PI * v
        c, s, speed = np.cos(angle), np.sin(angle), np.hypot(1, slope)
        out = np.stack([c, s, 0 * c], axis=-1)
        up = np.stack([-slope * s, slope * c, -np.ones_like(c)], axis=-1) / speed
        center = np.stack([c, s, slope * (angle - PI * turns)], axis=-1)
        return center + thickness * (np.cos(around)[..., None] * out + np.sin(around)[..., None] * up)

    return [(0, surface)]


def moebius_grid(half_width):
    def surface(u, v):
        u, t = 2 * PI * u, half_width * (2 * v - 1)
        ring = 1 + t * np.cos(u / 2)
        return np.stack([ring * np.cos(u), ring * np.sin(u), t * np.sin(u / 2)], axis=-1)

    return [(0, surface)]


GRID = {name: globals()[f"{name}_grid"] for name in CLASS_NAMES}
CELLS = 150


def cells(name, proportions, stretch):
    """Centres, areas and parts of the cells of a fine grid on the stretched surface."""
    steps = np.linspace(0, 1, CELLS + 1)
    u, v = np.meshgrid(steps, steps, indexing="ij")
    found = []
    for part, surface in GRID[name](**proportions):
        corner = surface(u, v) * stretch
        first, second = corner[1:, 1:] - corner[:-1, :-1], corner[1:, :-1] - corner[:-1, 1:]
        areas = np.linalg.norm(np.cross(first, second), axis=-1).ravel() / 2
        centers = (corner[1:, 1:] + corner[:-1, :-1] + corner[1:, :-1] + corner[:-1, 1:]).reshape(-1, 3) / 4
        found.append((centers, areas, np.full(len(areas), part)))
    return (np.concatenate(column) for column in zip(*found, strict=True))


def assert_uniform(points, parts, centers, areas, cell_parts, direction):
    """Assert that parts and slabs across ``direction`` hold points in proportion to their areas."""
    area = areas / areas.sum()
    heights, cell_heights = points @ direction, centers @ direction
    limits = np.interp([0.2, 0.5, 0.8], np.cumsum(area[np.argsort(cell_heights)]), np.sort(cell_heights))
    tests = [(parts == part, cell_parts == part) for part in np.unique(cell_parts)]
    tests += [(heights < limit, cell_heights < limit) for limit in limits]
    for chosen, cells_chosen in tests:
        share = min(1.0, area[cells_chosen].sum())
        tolerance = 4.5 * np.sqrt(share * (1 - share) / len(points)) + 0.01
        assert abs(chosen.mean() - share) <= tolerance, (chosen.mean(), share)


@pytest.mark.parametrize("name", CLASS_NAMES)
@given(data=st.data())
def test_points_are_uniform_by_area(name, data):
    proportions = {key: data.draw(st.floats(*limits)) for key, limits in KINDS[name].proportions.items()}
    stretch = np.array([data.draw(st.floats(0.6, 1.6)) for _ in range(3)])
    generator = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    surface = sample_surface(KINDS[name].build(**proportions), 1500, generator, stretch)
    direction = np.random.default_rng(data.draw(st.integers(0, 99))).normal(size=3)
    assert_uniform(surface.positions, surface.parts, *cells(name, proportions, stretch), direction)


@pytest.mark.parametrize("name", ["cone", "torus"])
def test_the_comparison_with_areas_can_fail(name):
    proportions = {key: sum(limits) / 2 for key, limits in KINDS[name].proportions.items()}
    generator = np.random.default_rng(0)
    surface = sample_surface(KINDS[name].build(**proportions), 3000, generator, np.ones(3))
    grid = tuple(cells(name, proportions, np.ones(3)))
    across = np.array([1.0, 0, 0])
    assert_uniform(surface.positions, surface.parts, *grid, across)
    kept = generator.random(3000) < np.where(surface.positions[:, 0] > 0, 1, 0.7)
    with pytest.raises(AssertionError):
        assert_uniform(surface.positions[kept], surface.parts[kept], *grid, across)
    with pytest.raises(AssertionError):
        assert_uniform(surface.positions, 1 - surface.parts, *grid, across)


@pytest.mark.parametrize(
    ("name", "proportions", "share"),
    [
        ("box", {"width": 1.0, "height": 2.0}, 8 / 10),
        ("cylinder", {"height": 2.0}, 2 / 3),
        ("cone", {"height": 3**0.5}, 2 / 3),
        ("pyramid", {"height": 3**0.5}, 2 / 3),
        ("capsule", {"length": 2.0}, 1 / 2),
        ("dome", {"cut": 0.0}, 2 / 3),
    ],
)
def test_shares_of_the_first_part_known_by_heart(name, proportions, share):
    pieces = KINDS[name].build(**proportions)
    surface = sample_surface(pieces, 20_000, np.random.default_rng(0), np.ones(3))
    assert abs((surface.parts == 0).mean() - share) < 4.5 * np.sqrt(share * (1 - share) / 20_000)
