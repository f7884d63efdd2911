"""Every class of surface: where its points lie, where their normals point, which part they are.

The oracles are implicit functions from the text-book formulas, zero on a surface and growing outwards.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamodules.points.surface_classes import CLASS_NAMES, CLASS_PARTS, PART_NAMES, SURFACE_CLASSES
from datamodules.points.surface_sampling import sample_surface

PI = np.pi
KINDS = {kind.name: kind for kind in SURFACE_CLASSES}
PARTS_OF = {"ellipsoid": 1, "torus": 1, "spring": 1, "moebius": 1}


def rho(p):
    return np.hypot(p[:, 0], p[:, 1])


# Implicit functions: (points, part) -> value; part 0 first.
def ellipsoid_zero(p, part):
    return np.linalg.norm(p, axis=1) - 1


def box_zero(p, part, width, height):
    return np.where(part == 0, np.maximum(abs(p[:, 0]) - 0.5, abs(p[:, 1]) - width / 2), abs(p[:, 2]) - height / 2)


def cylinder_zero(p, part, height):
    return np.where(part == 0, rho(p) - 1, abs(p[:, 2]) - height / 2)


def cone_zero(p, part, height):
    return np.where(part == 0, rho(p) - (1 - p[:, 2] / height), -p[:, 2])


def pyramid_zero(p, part, height):
    return np.where(part == 0, np.maximum(abs(p[:, 0]), abs(p[:, 1])) - (1 - p[:, 2] / height), -p[:, 2])


def torus_zero(p, part, thickness):
    return np.hypot(rho(p) - 1, p[:, 2]) - thickness


def capsule_zero(p, part, length):
    height = np.where(part == 0, 0, np.maximum(abs(p[:, 2]) - length / 2, 0))
    return np.hypot(rho(p), height) - 1


def dome_zero(p, part, cut):
    return np.where(part == 0, np.linalg.norm(p, axis=1) - 1, cut - p[:, 2])


def spring_zero(p, part, turns, rise, thickness):
    angle = np.linspace(0, 2 * PI * turns, 6000)
    helix = np.stack([np.cos(angle), np.sin(angle), rise * (angle / (2 * PI) - turns / 2)], axis=1)
    squares = (p**2).sum(axis=1)[:, None] + (helix**2).sum(axis=1) - 2 * p @ helix.T
    return np.sqrt(squares.min(axis=1)) - thickness


def moebius_zero(p, part, half_width):
    x, y, z = p.T
    return y * (x**2 + y**2 + z**2 - 1) - 2 * z * (x**2 + y**2 + x)


ZERO = {name: globals()[f"{name}_zero"] for name in CLASS_NAMES}


@st.composite
def surfaces(draw, name, count):
    """A kind of surface with drawn proportions and stretch, and points sampled from it."""
    kind = KINDS[name]
    proportions = {key: draw(st.floats(*limits)) for key, limits in kind.proportions.items()}
    factor = st.floats(0.6, 1.6)
    stretch = np.array([draw(factor) for _ in range(3)])
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    return proportions, stretch, sample_surface(kind.build(**proportions), count, generator, stretch)


@pytest.mark.parametrize("name", CLASS_NAMES)
@given(data=st.data())
def test_points_lie_on_the_surface_of_their_part(name, data):
    proportions, stretch, surface = data.draw(surfaces(name, count=200))
    values = ZERO[name](surface.positions / stretch, surface.parts, **proportions)
    assert abs(values).max() < (2e-5 if name == "spring" else 1e-9)
    assert len(surface.positions) == len(surface.parts) == len(surface.normals) == 200


@pytest.mark.parametrize("name", CLASS_NAMES)
@given(data=st.data())
def test_normals_are_the_gradient_of_the_implicit_function(name, data):
    proportions, stretch, surface = data.draw(surfaces(name, count=100))
    step = 1e-3 if name == "spring" else 1e-6
    gradient = np.stack(
        [
            ZERO[name]((surface.positions + move) / stretch, surface.parts, **proportions)
            - ZERO[name]((surface.positions - move) / stretch, surface.parts, **proportions)
            for move in step * np.eye(3)
        ],
        axis=1,
    )
    cosine = (gradient * surface.normals).sum(axis=1) / np.linalg.norm(gradient, axis=1)
    np.testing.assert_allclose(np.linalg.norm(surface.normals, axis=1), 1, atol=1e-9)
    if name == "moebius":
        cosine = abs(cosine)  # it has one side only
    assert (cosine > 0.999).mean() >= 0.94  # finite differences fail beside edges and ends


def test_classes_and_parts_are_numbered_through():
    assert len(set(CLASS_NAMES)) == 10
    assert [part for parts in CLASS_PARTS for part in parts] == list(range(len(PART_NAMES)))
    assert len(set(PART_NAMES)) == len(PART_NAMES)
    for name, parts in zip(CLASS_NAMES, CLASS_PARTS, strict=True):
        assert len(parts) == PARTS_OF.get(name, 2)
        assert all(PART_NAMES[part].startswith(f"{name} ") for part in parts)


@pytest.mark.parametrize("name", CLASS_NAMES)
def test_drawn_proportions_differ(name):
    if KINDS[name].proportions:
        drawn = [KINDS[name].draw(np.random.default_rng(seed)) for seed in (0, 1)]
        areas = [sum(patch.area_bound for patch, _ in pieces) for pieces in drawn]
        assert areas[0] != areas[1]
