"""Log-polar pooling: against the brute-force loop, its adjoint, both layouts."""

import numpy as np
import pytest
import torch
from hypothesis import given
from torch.autograd import gradcheck, gradgradcheck

from lpsc_nd import LogPolarPool1d, LogPolarPool2d, LogPolarPool3d, LogPolarPoolNd, LPSConv2d
from lpsc_nd.functional import log_polar_pool
from lpsc_nd.testing import brute_force_pool, layer_cases

FACES = {1: LogPolarPool1d, 2: LogPolarPool2d, 3: LogPolarPool3d}


@pytest.mark.parametrize("engine", ["reference", "expand", "bags", "auto", "maximum"])
@given(case=layer_cases(padding_modes=("zeros",)))
def test_pooling_equals_the_brute_force_loop(engine, case):
    layer, x = case.layer(), case.input()
    reduction = "max" if engine == "maximum" else layer.reduction
    pooled = log_polar_pool(
        x, layer.stencil, layer.stride, layer.padding, layer.dilation, reduction=reduction, engine=engine
    )
    batched = x if x.ndim == layer.ndim + 2 else x[None]
    expected = brute_force_pool(
        batched.numpy(), layer.mask, layer.stencil.num_regions, stride=layer.stride, padding=layer.window.padding,
        dilation=layer.dilation, reduction=reduction,
    )  # fmt: skip
    assert pooled.ndim == x.ndim + 1
    np.testing.assert_allclose(pooled.numpy().reshape(expected.shape), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("engine", ["reference", "expand", "bags"])
@given(case=layer_cases(padding_modes=("zeros",)))
def test_adjoint_of_pooling(engine, case):
    layer, x = case.layer(), case.input().requires_grad_()
    pooled = log_polar_pool(x, layer.stencil, layer.stride, layer.padding, layer.dilation, engine=engine)
    z = torch.cos(torch.arange(pooled.numel(), dtype=pooled.dtype)).view_as(pooled)
    (back,) = torch.autograd.grad(pooled, x, z)
    torch.testing.assert_close((pooled * z).sum(), (x * back).sum(), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("engine", ["bags", "expand", "reference"])
def test_derivatives(engine):
    pool = LogPolarPool2d(5, stride=(1, 2), padding=2, num_directions=4, growth=3.0, engine=engine)
    x = torch.randn(2, 2, 4, 5, dtype=torch.float64, requires_grad=True)
    assert gradcheck(pool, x)
    assert gradgradcheck(pool, x)


def test_pool_then_mix_is_the_layer():
    torch.manual_seed(0)
    layer = LPSConv2d(3, 4, 9, padding=4, center=False, bias=False)
    x = torch.randn(2, 3, 12, 12)
    pooled = LogPolarPool2d(9, padding=4)(x)
    torch.testing.assert_close(torch.einsum("bcrhw,ocr->bohw", pooled, layer.weight), layer(x))


@pytest.mark.parametrize("ndim", FACES)
def test_faces_equal_the_general_class(ndim):
    pool, general = FACES[ndim](7, padding=3), LogPolarPoolNd(ndim, 7, padding=3)
    x = torch.randn(1, 2, *(8,) * ndim)
    assert torch.equal(pool(x), general(x))
    assert pool.partition == general.partition


@pytest.mark.parametrize(
    ("pool", "size", "expected"),
    [
        (LogPolarPool1d(9, padding=4, layout="map"), (10,), (40,)),
        (LogPolarPool2d(9, padding=4, num_directions=6, layout="map"), (10, 11), (40, 33)),
        (LogPolarPool3d(7, padding=3, num_directions=(2, 4), layout="map"), (8, 7, 9), (16, 28, 18)),
    ],
)
def test_map_layout_has_two_levels_by_half_the_directions_per_position(pool, size, expected):
    assert pool(torch.zeros(2, 3, *size)).shape == (2, 3, *expected)
    assert pool(torch.zeros(3, *size)).shape == (3, *expected)


def test_a_strided_convolution_over_the_map_is_the_layer():
    # Section 3.2 of the paper: kernel and stride (2 L, A / 2) on the up-sampled map
    torch.manual_seed(0)
    layer = LPSConv2d(3, 4, 9, padding=4, num_levels=2, num_directions=6, center=False, bias=False)
    x = torch.randn(2, 3, 12, 12)
    tall = LogPolarPool2d(9, padding=4, num_levels=2, num_directions=6, layout="map")(x)
    weight = layer.weight.new_zeros(4, 3, 4, 3)
    for row in range(4):
        for column in range(3):
            level = 2 - row if row < 2 else row - 1
            direction = 3 - column if row < 2 else 3 + column + 1
            weight[:, :, row, column] = layer.weight[:, :, (level - 1) * 6 + direction - 1]
    torch.testing.assert_close(torch.nn.functional.conv2d(tall, weight, stride=(4, 3)), layer(x))


def test_map_layout_needs_an_even_number_of_directions():
    with pytest.raises(ValueError, match="even number of directions, got 5"):
        LogPolarPool2d(9, num_directions=5, layout="map")


def test_empty_regions_pool_to_zero():
    with pytest.warns(UserWarning, match="6 of 12 regions are empty"):
        pool = LogPolarPool2d(3, padding=1)
    for reduction in ("mean", "sum", "max"):
        pool.reduction = reduction
        pooled = pool(torch.randn(1, 1, 5, 5) - 5)
        assert pooled.isfinite().all()
        assert not pooled[:, :, 6:].any()


def test_half_precision_does_not_overflow_in_the_sum():
    pool = LogPolarPool2d(31, padding=15, num_levels=3)
    pooled = pool(torch.full((1, 1, 31, 31), 6e4, dtype=torch.float16))
    assert pooled.dtype == torch.float16
    assert pooled[0, 0, :, 15, 15].isfinite().all()


def test_repr_tells_the_window():
    assert "kernel_size=(9, 9)" in repr(LogPolarPool2d(9))
    assert "layout='map'" in repr(LogPolarPool2d(9, layout="map"))


@pytest.mark.parametrize("engine", ["auto", "expand", "bags", "reference"])
@pytest.mark.parametrize("channels", [1, 4])
def test_autocast_leaves_sums_alone(engine, channels):
    pool, x = LogPolarPool2d(9, padding=4, engine=engine), torch.randn(2, channels, 16, 16)
    with torch.autocast("cpu", torch.bfloat16):
        y = pool(x)
    torch.testing.assert_close(y, pool(x), rtol=0, atol=0)
