"""Point layers and grid layers with the same weights: equal on lattices, each made from the other."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from lpsc_nd import CellPartition, LogPolarPartition, LPSConv1d, LPSConv2d, LPSConvNd, LPSPointConv, Neighborhood
from lpsc_nd.testing.partitions import MaskPartition


def lattice(size, cell):
    """Return the points of a grid, row-major, ``cell`` apart along each axis: (cells, ndim)."""
    return torch.from_numpy(np.moveaxis(np.indices(size), 0, -1).reshape(-1, len(size)) * np.asarray(cell))


def as_points(x):
    """(1, C, *size) -> (cells, C)."""
    return x[0].flatten(1).T


def quietly(make, *arguments, **options):
    """Build a layer whose field may well have empty regions."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*regions are empty.*", category=UserWarning)
        return make(*arguments, **options)


@st.composite
def grid_layers(draw, reductions=("mean", "sum"), conventions=("paper", "literal")):
    """Draw a layer with zero padding, an odd window, drawn geometry and voxel spacing; and its voxel spacing."""
    ndim = draw(st.integers(1, 3))
    kernel = tuple(2 * draw(st.integers(1, {1: 4, 2: 2}.get(ndim, 1))) + 1 for _ in range(ndim))
    cell = tuple(draw(st.floats(0.5, 2.0)) for _ in range(ndim))
    geometry = {"num_levels": draw(st.integers(1, 3)), "growth": draw(st.floats(1.2, 3.0))}
    geometry["convention"] = draw(st.sampled_from(conventions))
    if ndim == 2:
        geometry["eccentricity"] = draw(st.sampled_from([1.0, 0.6, 1.5]))
        geometry["num_directions"] = draw(st.integers(1, 8))
    if ndim == 3:
        geometry["num_directions"] = draw(st.sampled_from([6, 8, (2, 4)]))
    if draw(st.booleans()) and ndim > 1:
        geometry["angle"] = draw(st.floats(-3.0, 3.0))
    if draw(st.integers(0, 3)) == 0:
        geometry = {"partition": CellPartition(kernel, spacing=cell)}
    options = {
        "center": draw(st.booleans()),
        "bias": draw(st.booleans()),
        "reduction": draw(st.sampled_from(reductions)),
    }
    torch.manual_seed(draw(st.integers(0, 2**31)))
    padding = tuple(k // 2 for k in kernel)
    layer = quietly(
        LPSConvNd, ndim, 2, 3, kernel, padding=padding, spacing=cell, dtype=torch.float64, **options, **geometry
    )
    return layer, cell


def to_points(layer, normalize="grid"):
    """Return the point layer, or discard a drawn window that cuts off its field."""
    try:
        return LPSPointConv.from_grid(layer, normalize)
    except ValueError as error:
        assume("cuts off the field" not in str(error))
        raise


@given(case=grid_layers())
def test_on_a_lattice_it_equals_the_grid_layer_at_borders_too(case):
    layer, cell = case
    points = to_points(layer)
    size = tuple(k + 1 for k in layer.kernel_size)
    x = torch.randn(1, 2, *size, dtype=torch.float64)
    y = points(as_points(x), Neighborhood.build(points.partition, lattice(size, cell)))
    torch.testing.assert_close(y, as_points(layer(x)), rtol=1e-9, atol=1e-9)


@given(case=grid_layers(reductions=("mean", "sum", "max")))
def test_what_is_present_is_what_the_grid_has_in_the_interior(case):
    layer, cell = case
    points = to_points(layer, "present")
    size = tuple(k + 1 for k in layer.kernel_size)
    inside = [list(range(k // 2, n - k // 2)) for k, n in zip(layer.kernel_size, size, strict=True)]
    x = torch.randn(1, 2, *size, dtype=torch.float64)
    whole = lattice(size, cell)
    row = np.arange(len(whole)).reshape(size)[np.ix_(*inside)].ravel()
    y = points(as_points(x), Neighborhood.build(points.partition, whole, whole[row]))
    torch.testing.assert_close(y, as_points(layer(x))[row], rtol=1e-9, atol=1e-9)


@given(case=grid_layers(), step=st.integers(2, 3))
def test_a_dilated_layer_has_a_wider_field(case, step):
    layer, cell = case
    flags = {"bias": layer.bias is not None, "center": layer.center_weight is not None, "reduction": layer.reduction}
    dilated = quietly(
        LPSConvNd, layer.ndim, 2, 3, layer.kernel_size, dilation=step, spacing=cell, partition=layer.partition,
        dtype=torch.float64, **flags,
    )  # fmt: skip
    dilated.load_state_dict(layer.state_dict())
    points = to_points(dilated)
    size = tuple(k + 1 for k in layer.kernel_size)
    x = torch.randn(1, 2, *size, dtype=torch.float64)
    spread = lattice(size, tuple(step * length for length in cell))
    y = points(as_points(x), Neighborhood.build(points.partition, spread))
    torch.testing.assert_close(y, as_points(layer(x)), rtol=1e-9, atol=1e-9)


def test_cells_take_a_dilation_per_axis():
    layer = LPSConv2d(1, 2, 3, padding=(1, 2), dilation=(1, 2), partition=CellPartition((3, 3)), center=False)
    points = LPSPointConv.from_grid(layer)
    assert points.partition == CellPartition((3, 3), spacing=(1.0, 2.0))


def test_strides_are_the_queries_business():
    layer = LPSConv2d(2, 3, 5, stride=2, padding=2, num_levels=1)
    points = LPSPointConv.from_grid(layer)
    x, whole = torch.randn(1, 2, 9, 9), lattice((9, 9), (1, 1))
    queries = whole.view(9, 9, 2)[::2, ::2].reshape(-1, 2)
    y = points(as_points(x), Neighborhood.build(points.partition, whole, queries))
    torch.testing.assert_close(y, as_points(layer(x)))


def test_parameters_are_shared_both_ways():
    layer = LPSConv2d(2, 4, 5, num_levels=1, bias=False, groups=2).eval()
    torch.manual_seed(3)
    state = torch.get_rng_state()
    points = LPSPointConv.from_grid(layer)
    back = points.to_grid(5, padding="same")
    assert torch.equal(torch.get_rng_state(), state)
    for other in (points, back):
        assert other.weight is layer.weight
        assert other.center_weight is layer.center_weight
        assert other.bias is None
        assert not other.training
        assert [name for name, _ in other.named_parameters()] == ["weight", "center_weight"]
    x = torch.randn(1, 2, 8, 8)
    torch.testing.assert_close(back(x), LPSConv2d.forward(layer, torch.nn.functional.pad(x, (2, 2, 2, 2))))


def test_a_layer_without_centre_stays_without():
    layer = LPSConv1d(1, 1, 5, center=False)
    points = LPSPointConv.from_grid(layer)
    assert points.center_weight is None
    assert points.to_grid(5).center_weight is None


def test_to_grid_takes_spacing_and_padding():
    partition = LogPolarPartition(2, 1.0, 2, 4, 2.0)
    points = LPSPointConv(2, 3, partition, reduction="sum", normalize="grid")
    layer = points.to_grid((9, 5), 2, 1, "circular", spacing=(0.25, 0.5))
    assert (layer.kernel_size, layer.stride, layer.padding, layer.padding_mode) == ((9, 5), (2, 2), (1, 1), "circular")
    assert layer.reduction == "sum"
    assert layer(torch.zeros(1, 2, 20, 20)).shape == (1, 3, 7, 9)


def test_a_normalization_by_other_cells_cannot_go_back():
    points = LPSPointConv.from_grid(LPSConv2d(1, 1, 9, num_levels=1))
    assert points.to_grid(9).stencil.counts.tolist() == list(points.region_sizes)
    with pytest.raises(ValueError, match=r"a grid layer divides by the cells of each region, .* but region_sizes are"):
        points.to_grid(9, spacing=0.5)


REFUSED = [
    (lambda: LPSConv2d(1, 1, 5, num_levels=1, convention="official"), ValueError, "convention 'official'"),
    (lambda: LPSConv2d(1, 1, 2, num_levels=1), ValueError, r"kernel_size \(2, 2\) cuts off the field"),
    (lambda: LPSConv2d(1, 1, (1, 9), num_levels=1, num_directions=2), ValueError, "cuts off the field"),
    (lambda: LPSConv2d(1, 1, 5, num_levels=1, dilation=(1, 2)), ValueError, r"dilation must be 1.* got \(1, 2\)"),
    (
        lambda: LPSConv1d(1, 1, 3, dilation=2, partition=MaskPartition((1, 0, 2), (3,), 2)),
        ValueError,
        r"dilation must be 1.* got \(2,\) and a MaskPartition",
    ),
    (lambda: torch.nn.Conv2d(1, 1, 3), TypeError, "layer must be an LPSConvNd, got Conv2d"),
]


@pytest.mark.parametrize(("make", "exception", "words"), REFUSED)
def test_a_grid_layer_that_no_point_layer_equals_is_refused(make, exception, words):
    layer = quietly(make)
    with pytest.raises(exception, match=words):
        LPSPointConv.from_grid(layer)
