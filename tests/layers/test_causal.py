"""Causal layers: an output never depends on what comes after its own position."""

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from lpsc_nd import CellPartition, CrossConv1d, LPSConv1d, LPSConvNd, LPSPointConv, Neighborhood
from lpsc_nd.layers.cross_nd import CrossConvNd
from lpsc_nd.models import convolutions

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*regions are empty:UserWarning"),
    pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning"),
]


@st.composite
def causal_layers(draw, **fixed):
    groups = draw(st.integers(1, 2))
    dilation = draw(st.integers(1, 3))
    kernel_size = draw(st.integers(2, 17))
    options = {
        "stride": draw(st.integers(1, 3)),
        "padding": draw(st.integers(0, dilation * (kernel_size - 1))),
        "dilation": dilation,
        "groups": groups,
        "bias": draw(st.booleans()),
        "padding_mode": draw(st.sampled_from(["zeros", "replicate"])),
        "num_levels": draw(st.integers(1, 4)),
        "num_directions": draw(st.integers(1, 2)),
        "growth": draw(st.floats(1.1, 3.0)),
        "convention": draw(st.sampled_from(["paper", "literal"])),
        "center": draw(st.booleans()),
        "reduction": draw(st.sampled_from(["mean", "sum", "max"])),
        "dtype": torch.float64,
        **fixed,
    }
    return LPSConv1d(2 * groups, 2 * groups, kernel_size, causal=True, **options)


def assert_causal(layer, x, start, seed):
    """Change the input from ``start`` on: outputs whose centre lies before it must stay the same to the last bit."""
    other = x.clone()
    other[..., start:] = torch.randn(other[..., start:].shape, generator=torch.Generator().manual_seed(seed)).double()
    (before, _), (stride,), (dilation,), (kernel,) = (
        layer.window.padding[0], layer.stride, layer.dilation, layer.kernel_size,
    )  # fmt: skip
    y, changed = layer(x), layer(other)
    centers = torch.arange(y.shape[-1]) * stride - before + dilation * ((kernel - 1) // 2)
    past = centers < start
    torch.testing.assert_close(changed[..., past], y[..., past], rtol=0, atol=1e-12)


@given(
    layer=causal_layers(),
    spare=st.integers(0, 20),
    start=st.floats(0, 1),
    seed=st.integers(0, 2**31 - 1),
)
def test_no_output_depends_on_what_comes_after_its_centre(layer, spare, start, seed):
    x = torch.randn(2, layer.in_channels, layer.window.extent[0] + spare, dtype=torch.float64)
    assert_causal(layer, x, max(1, int(start * x.shape[-1])), seed)


@given(layer=causal_layers(padding="same", stride=1), length=st.integers(1, 50), data=st.data())
def test_with_same_padding_outputs_up_to_t_depend_on_inputs_up_to_t(layer, length, data):
    x = torch.randn(1, layer.in_channels, length, dtype=torch.float64)
    t = data.draw(st.integers(1, length))
    other = torch.cat([x[..., :t], torch.randn(1, layer.in_channels, length - t, dtype=torch.float64)], dim=-1)
    torch.testing.assert_close(layer(other)[..., :t], layer(x)[..., :t], rtol=0, atol=1e-12)


def test_the_assertion_fails_for_a_layer_that_looks_ahead():
    layer = LPSConv1d(1, 1, 9, padding=4, dtype=torch.float64)
    with pytest.raises(AssertionError):
        assert_causal(layer, torch.randn(1, 1, 30, dtype=torch.float64), 15, 0)


@given(layer=causal_layers(), spare=st.integers(0, 20))
def test_equal_to_the_dense_twin_whose_later_taps_are_zero(layer, spare):
    assume(layer.reduction != "max")
    x = torch.randn(2, layer.in_channels, layer.window.extent[0] + spare, dtype=torch.float64)
    conv = layer.to_conv()
    assert not conv.weight[..., (layer.kernel_size[0] - 1) // 2 + 1 :].any()
    torch.testing.assert_close(conv(x), layer(x), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("engine", ["reference", "expand", "bags"])
@given(layer=causal_layers(reduction="mean", padding_mode="zeros"), spare=st.integers(0, 9))
def test_every_engine_gives_the_same_values_and_gradients(engine, layer, spare):
    x = torch.randn(2, layer.in_channels, layer.window.extent[0] + spare, dtype=torch.float64, requires_grad=True)
    results = []
    for chosen in (engine, "reference"):
        layer.engine = chosen
        y = layer(x)
        results.append((y, *torch.autograd.grad(y.square().sum(), [x, *layer.parameters()])))
    for ours, reference in zip(*results, strict=True):
        torch.testing.assert_close(ours, reference, rtol=1e-9, atol=1e-9)


def test_one_region_per_level_and_the_present_beside():
    layer = LPSConv1d(3, 5, 33, num_levels=4, causal=True)
    assert layer.weight.shape == (5, 3, 4)
    assert layer.center_weight.shape == (5, 3)
    assert layer.kernel_size == (33,)
    assert "causal=True" in repr(layer)
    assert layer.mask.tolist() == [*[4] * 8, *[3] * 4, *[2] * 2, *[1] * 2, *[0] * 17]


def test_a_field_of_the_past_in_physical_units():
    layer = LPSConv1d(1, 1, radius=2.0, spacing=0.25, num_levels=3, causal=True)
    assert layer.kernel_size == (17,)
    assert layer.mask.tolist() == [3, 3, 3, 3, 2, 2, 1, 1, *[0] * 9]


@pytest.mark.parametrize("dilation", [1, 3])
def test_points_in_time_order_give_the_same(dilation):
    layer = LPSConv1d(2, 3, 9, padding="same", dilation=dilation, num_levels=3, causal=True, dtype=torch.float64)
    x = torch.randn(1, 2, 40, dtype=torch.float64)
    points = LPSPointConv.from_grid(layer)
    times = torch.arange(0, 40, dilation)  # those that a dilated window meets
    neighborhood = Neighborhood.build(points.partition, times[:, None])
    torch.testing.assert_close(points(x[0, :, times].T, neighborhood).T, layer(x)[0, :, times], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: LPSConvNd(2, 1, 1, 9, causal=True), ValueError, "causal must be False in 2-D, got True"),
        (lambda: LPSConvNd(1, 1, 1, 9, causal="yes"), TypeError, "causal must be True or False, got 'yes'"),
        (lambda: LPSConv1d(1, 1, 9, causal=1), TypeError, "causal must be True or False, got 1"),
        (
            lambda: LPSConv1d(1, 1, 9, padding=4, padding_mode="reflect", causal=True),
            ValueError,
            "padding_mode must be 'zeros' or 'replicate' for a causal layer, got 'reflect'",
        ),
        (
            lambda: LPSConv1d(1, 1, 9, padding=4, padding_mode="circular", causal=True),
            ValueError,
            "padding_mode must be 'zeros' or 'replicate' for a causal layer, got 'circular'",
        ),
        (
            lambda: LPSConv1d(1, 1, 9, convention="official", causal=True),
            ValueError,
            "convention 'official' puts the centre into a region",
        ),
        (lambda: LPSConv1d(1, 1, 9, num_directions=3, causal=True), ValueError, "num_directions must be 1 or 2"),
        (
            lambda: LPSConv1d(1, 1, 9, partition=CellPartition((9,)), causal=True),
            ValueError,
            "partition replaces causal",
        ),
        (lambda: CrossConvNd(1, 2, 4, 9, causal=True), ValueError, "causal must be False, got True: the conventional"),
        (lambda: CrossConv1d(2, 4, 9, causal=True), TypeError, "causal"),
        (lambda: convolutions.log_polar(3, 9, causal=True)(1, 1), ValueError, "causal must be False in 3-D"),
    ],
)
def test_bad_arguments_are_named(build, error, message):
    with pytest.raises(error, match=message):
        build()
