"""A partition with regions that hold no cell works: one warning, no gradient for their weights, and never NaN."""

import warnings
from functools import partial

import numpy as np
import pytest
import torch

from lpsc_nd import LogPolarPartition, LogPolarPool2d, LPSConv2d, LPSConvNd, Stencil
from lpsc_nd.functional import log_polar_pool, lps_conv

OPTIONS = {"num_levels": 3, "num_directions": 8, "growth": 2.0, "convention": "official"}  # 8 of 24 regions are empty
STENCIL = Stencil.build(LogPolarPartition.for_grid((5, 5), 3, 8, 2.0, convention="official"), 5)
EMPTY = [region for region in range(1, 25) if not (STENCIL.mask == region).any()]
MAKERS = {
    "LPSConv2d": partial(LPSConv2d, 2, 4, 5, **OPTIONS),
    "LPSConvNd": partial(LPSConvNd, 2, 2, 4, 5, **OPTIONS),
    "LogPolarPool2d": partial(LogPolarPool2d, 5, **OPTIONS),
}
ENGINES = [("reference", "mean"), ("expand", "mean"), ("bags", "mean")]
ENGINES += [("reference", "sum"), ("expand", "sum"), ("bags", "sum"), ("reference", "max"), ("maximum", "max")]
each_engine = pytest.mark.parametrize(("engine", "reduction"), ENGINES)


def recorded(call):
    """Return what ``call()`` gives and the warnings it issues."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = call()
    return result, caught


def assert_empty_regions_are_still(gradient):
    """Check that a weight's gradient (out, in, regions) is finite, 0 in empty regions, and not 0 in the others."""
    assert gradient.isfinite().all()
    sizes = gradient.abs().sum(dim=(0, 1))
    assert [region for region in range(1, 25) if sizes[region - 1] == 0] == EMPTY


def image(**options):
    return torch.randn(2, 2, 7, 8, generator=torch.Generator().manual_seed(0), **options)


def test_there_are_eight_empty_regions():
    assert len(EMPTY) == 8


@pytest.mark.parametrize("name", MAKERS)
def test_one_warning_names_the_regions(name):
    layer, caught = recorded(MAKERS[name])
    assert [warning.category for warning in caught] == [UserWarning]
    message = str(caught[0].message)
    assert ", ".join(map(str, EMPTY)) in message
    _, later = recorded(lambda: layer(image()))
    assert later == []


def test_no_warning_where_no_region_is_empty():
    _, caught = recorded(lambda: LPSConv2d(2, 4, 5, num_levels=1))
    assert caught == []


def test_explain_shows_the_empty_regions():
    layer, _ = recorded(MAKERS["LPSConv2d"])
    assert ", ".join(map(str, EMPTY)) in str(layer.explain((1, 2, 9, 9)))


@each_engine
def test_empty_regions_get_no_gradient(engine, reduction):
    layer, _ = recorded(lambda: MAKERS["LPSConv2d"](engine=engine, reduction=reduction))
    x = image(requires_grad=True)
    y = layer(x)
    y.square().sum().backward()
    assert y.isfinite().all()
    assert x.grad.isfinite().all()
    assert_empty_regions_are_still(layer.weight.grad)


@each_engine
def test_empty_regions_do_not_change_the_output(engine, reduction):
    weight = image(dtype=torch.float64)[:, :, :3].reshape(2, 2, 24)
    other = weight.clone()
    other[..., [region - 1 for region in EMPTY]] = 1e6
    x, options = image(dtype=torch.float64), {"engine": engine, "reduction": reduction}
    torch.testing.assert_close(lps_conv(x, weight, STENCIL, **options), lps_conv(x, other, STENCIL, **options))


@each_engine
def test_empty_regions_pool_to_zero(engine, reduction):
    x = image(requires_grad=True)
    pooled = log_polar_pool(x - 10, STENCIL, engine=engine, reduction=reduction)
    pooled.sum().backward()
    flat = pooled.abs().amax(dim=(0, 1, 3, 4))
    assert [region for region in range(1, 25) if flat[region - 1] == 0] == EMPTY
    assert pooled.isfinite().all()
    assert x.grad.isfinite().all()


@pytest.mark.parametrize("reduction", ["mean", "sum", "max"])
def test_the_first_weights_are_finite(reduction):
    layer, _ = recorded(lambda: MAKERS["LPSConv2d"](reduction=reduction))
    assert all(parameter.isfinite().all() for parameter in layer.parameters())


@each_engine
def test_a_partition_without_any_cell_gives_the_bias(engine, reduction):
    class Nowhere:
        num_regions = 2

        def region(self, offsets):
            return np.zeros(np.shape(offsets)[:-1], dtype=np.int64)

    options = {"partition": Nowhere(), "center": False, "engine": engine, "reduction": reduction}
    layer, caught = recorded(lambda: LPSConv2d(2, 4, 3, **options))
    assert len(caught) == 1
    y = layer(image())
    torch.testing.assert_close(y, layer.bias[:, None, None].expand_as(y))
    y.sum().backward()
    assert (layer.weight.grad == 0).all()


@pytest.mark.parametrize("change", [float("nan"), 1.0])
def test_a_gradient_of_an_empty_region_is_found(change):
    gradient = torch.ones(4, 2, 24)
    gradient[..., [region - 1 for region in EMPTY]] = 0
    assert_empty_regions_are_still(gradient)
    gradient[0, 0, EMPTY[0] - 1] = change
    with pytest.raises(AssertionError):
        assert_empty_regions_are_still(gradient)


def test_a_region_without_gradient_that_is_not_empty_is_found():
    with pytest.raises(AssertionError):
        assert_empty_regions_are_still(torch.zeros(4, 2, 24))
