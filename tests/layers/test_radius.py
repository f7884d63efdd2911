"""Layers with a physical radius and cells of their own size."""

import numpy as np
import pytest
import torch

from lpsc_nd import (
    CellPartition,
    CrossConv3d,
    LogPolarPartition,
    LogPolarPool3d,
    LPSConv1d,
    LPSConv2d,
    LPSConv3d,
    LPSConvNd,
    LPSPointConv,
    Neighborhood,
    build_mask,
)
from lpsc_nd.geometry import ball_partition

BALL = {"radius": 6.0, "spacing": (3.0, 1.0, 1.0), "num_directions": 6}


def test_the_window_follows_from_the_radius():
    layer = LPSConv3d(2, 3, padding="same", **BALL)
    assert layer.kernel_size == (5, 13, 13)
    assert layer(torch.zeros(1, 2, 6, 15, 14)).shape == (1, 3, 6, 15, 14)
    expected = build_mask(ball_partition(3, 6.0, 2, 6, 2.0, spacing=(3.0, 1.0, 1.0)), (5, 13, 13), spacing=(3, 1, 1))
    np.testing.assert_array_equal(layer.mask, expected)


@pytest.mark.parametrize(
    "build",
    [
        lambda **options: LPSConvNd(3, 2, 4, **options),
        lambda **options: CrossConv3d(2, 4, **options).lpsc,
        lambda **options: LogPolarPool3d(**options),
    ],
)
def test_every_layer_has_the_same_regions(build):
    np.testing.assert_array_equal(build(**BALL).mask, LPSConv3d(2, 4, **BALL).mask)


def test_faces_of_one_and_two_axes():
    assert LPSConv1d(1, 1, radius=2.0, spacing=0.25).kernel_size == (17,)
    assert LPSConv2d(1, 1, radius=3.0, spacing=(1.0, 0.5)).kernel_size == (7, 13)


def test_without_spacing_a_cell_is_one_unit_and_the_field_that_of_the_window():
    np.testing.assert_array_equal(LPSConv2d(1, 1, radius=4.0).mask, LPSConv2d(1, 1, 9).mask)


def test_a_larger_window_holds_the_same_field():
    small, large = LPSConv3d(1, 1, **BALL), LPSConv3d(1, 1, (9, 15, 13), **BALL)
    np.testing.assert_array_equal(large.mask[2:-2, 1:-1], small.mask)
    assert (large.mask > 0).sum() == (small.mask > 0).sum()


def test_the_dense_twin_of_thick_slices():
    layer = LPSConv3d(2, 3, padding="same", dtype=torch.float64, **BALL)
    x = torch.randn(1, 2, 6, 14, 15, dtype=torch.float64)
    torch.testing.assert_close(layer.to_conv()(x), layer(x), rtol=1e-9, atol=1e-9)


def test_points_in_millimetres_give_the_same():
    layer = LPSConv3d(2, 3, padding="same", dtype=torch.float64, **BALL)
    x = torch.randn(2, 4, 9, 8, dtype=torch.float64)
    points = LPSPointConv.from_grid(layer)
    cells = torch.cartesian_prod(*map(torch.arange, x.shape[1:])) * torch.tensor(layer.spacing)
    neighborhood = Neighborhood.build(points.partition, cells)
    y = points(x.flatten(1).T, neighborhood).T.view(3, *x.shape[1:])
    torch.testing.assert_close(y, layer(x), rtol=1e-9, atol=1e-9)


def test_a_cross_convolution_aligns_both_parts():
    layer = CrossConv3d(2, 4, padding="same", conv_kernel_size=3, **BALL)
    assert layer(torch.zeros(1, 2, 6, 15, 14)).shape == (1, 4, 6, 15, 14)
    assert layer.kernel_size == (5, 13, 13)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({}, TypeError, "kernel_size must be given where there is no radius"),
        ({"spacing": 2.0}, TypeError, "kernel_size must be given where there is no radius"),
        ({"kernel_size": 7, "radius": 4.0}, ValueError, r"kernel_size must be at least \(9, 9, 9\) .* got \(7, 7, 7\)"),
        ({"kernel_size": (9, 9, 8), "radius": 4.0}, ValueError, r"kernel_size must be at least \(9, 9, 9\)"),
        ({"kernel_size": 0, "radius": 4.0}, ValueError, "kernel_size must be at least 1, got 0"),
        ({"radius": 0.9}, ValueError, "radius must reach at least one neighbouring cell"),
        ({"radius": -1.0}, ValueError, "radius must be greater than 0, got -1"),
        ({"radius": float("inf")}, ValueError, "radius must be finite"),
        ({"radius": "6"}, TypeError, "radius must be a number, got '6'"),
        ({"radius": 4.0, "spacing": (1.0, 1.0)}, ValueError, "spacing must be one number or a sequence of 3"),
        ({"radius": 4.0, "partition": CellPartition((3, 3, 3))}, ValueError, "partition replaces radius"),
    ],
)
@pytest.mark.parametrize(
    "build", [lambda **a: LPSConv3d(2, 4, **a), lambda **a: CrossConv3d(2, 4, **a), LogPolarPool3d]
)
def test_bad_arguments_are_named(build, arguments, error, message):
    with pytest.raises(error, match=message):
        build(**arguments)


def test_thick_slices_leave_sectors_of_the_inner_upper_band_without_cells():
    """Straight up there is one cell, which has no azimuth: the layer says so instead of moving others there."""
    with pytest.warns(UserWarning, match=r"3 of 16 regions are empty .*: 2, 3, 4\."):
        LPSConv3d(1, 1, **{**BALL, "num_directions": (2, 4)})


def test_a_partition_may_be_cut_by_the_window():
    partition = LogPolarPartition(3, 6.0, 2, (2, 4), 2.0)
    assert LPSConv3d(1, 1, (3, 13, 13), partition=partition).mask.shape == (3, 13, 13)
