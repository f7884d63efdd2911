"""Laws of the cross convolution: drawn geometry, arguments, ratios and data; and what it refuses."""

import copy
import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from lpsc_nd import CrossConv1d, CrossConv2d, CrossConv3d, LPSConv2d, LPSConvNd
from lpsc_nd.layers import cross_nd
from lpsc_nd.layers.cross_nd import CrossConvNd, log_polar_filters
from lpsc_nd.layers.dense_twin import CONV_CLASSES
from lpsc_nd.testing import layer_cases

CONVS = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}

pytestmark = [
    pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning"),  # nn.Conv's own
    pytest.mark.filterwarnings("ignore:.*regions are empty:UserWarning"),  # drawn fields may well have some
]


@st.composite
def cross_cases(draw, **options):
    """Draw a layer case with two filters per group and part, and the window of the conventional part."""
    case = draw(layer_cases(**options))
    groups, kernel = case.arguments["groups"], case.arguments["kernel_size"]
    arguments = {**case.arguments, "out_channels": groups * draw(st.integers(2, 4)), "ratio": 50}
    arguments["conv_kernel_size"] = tuple(draw(st.integers(1, k)) for k in kernel)
    return arguments, case.input(), case.seed


def build(arguments, seed, **changes):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return CrossConvNd(**{**arguments, "dtype": torch.float64, **changes})


def same_window_conv(layer, x, arguments):
    """The conventional part as a convolution on the log-polar window: its kernel amid zeros, around the same cell."""
    kernel = layer.conv.weight
    sizes = list(zip(layer.kernel_size, kernel.shape[2:], strict=True))
    around = [((k - 1) // 2 - (j - 1) // 2, k // 2 - j // 2) for k, j in sizes]
    wide = F.pad(kernel, [count for pair in reversed(around) for count in pair])
    twin = CONV_CLASSES[layer.ndim](
        layer.in_channels, layer.conv.out_channels, layer.kernel_size, arguments["stride"], arguments["padding"],
        arguments["dilation"], arguments["groups"], arguments["bias"], arguments["padding_mode"], dtype=torch.float64,
    )  # fmt: skip
    return torch.func.functional_call(
        twin, {"weight": wide, **({"bias": layer.conv.bias} if twin.bias is not None else {})}, (x,)
    )


@given(drawn=cross_cases())
def test_the_output_is_both_parts_in_order_on_the_same_window(drawn):
    arguments, x, seed = drawn
    layer = build(arguments, seed)
    log_polar = {k: v for k, v in arguments.items() if k not in ("conv_kernel_size", "ratio", "out_channels")}
    lpsc = LPSConvNd(**log_polar, out_channels=layer.lpsc.out_channels, dtype=torch.float64)
    lpsc.load_state_dict(layer.lpsc.state_dict())
    expected = torch.cat([same_window_conv(layer, x, arguments), lpsc(x)], dim=-layer.ndim - 1)
    torch.testing.assert_close(layer(x), expected, rtol=1e-9, atol=1e-9)


@given(drawn=cross_cases(padding_modes=("zeros",)), data=st.data())
def test_windows_of_any_size_lie_on_the_same_centre(drawn, data):
    arguments, x, seed = drawn
    window = tuple(data.draw(st.integers(1, 6)) for _ in arguments["kernel_size"])
    layer = build(arguments, seed, conv_kernel_size=window, center=True, ratio=50, out_channels=2 * arguments["groups"])
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
        layer.lpsc.center_weight.fill_(1.0)
        layer.conv.weight[(..., *((k - 1) // 2 for k in window))] = 1.0
    conventional, log_polar = layer(x).chunk(2, dim=-layer.ndim - 1)
    torch.testing.assert_close(conventional, log_polar, rtol=1e-9, atol=1e-9)


@given(drawn=cross_cases(), data=st.data())
def test_ratio_0_is_the_convolution(drawn, data):
    arguments, x, seed = drawn
    layer = build(arguments, seed, ratio=0, conv_kernel_size=arguments["kernel_size"])
    names = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "bias")
    conv = CONV_CLASSES[layer.ndim](
        **{name: arguments[name] for name in names}, padding_mode=arguments["padding_mode"], dtype=torch.float64
    )
    conv.load_state_dict(layer.conv.state_dict())
    assert layer.lpsc is None
    torch.testing.assert_close(layer(x), conv(x), rtol=1e-9, atol=1e-9)


@given(drawn=cross_cases())
def test_ratio_100_is_the_log_polar_layer(drawn):
    arguments, x, seed = drawn
    layer = build(arguments, seed, ratio=100)
    lpsc = LPSConvNd(**{k: v for k, v in arguments.items() if k not in ("conv_kernel_size", "ratio")}, dtype=x.dtype)
    lpsc.load_state_dict(layer.lpsc.state_dict())
    assert layer.conv is None
    torch.testing.assert_close(layer(x), lpsc(x))


@given(drawn=cross_cases(), data=st.data())
def test_the_size_does_not_depend_on_the_ratio(drawn, data):
    arguments, x, seed = drawn
    arguments |= {"padding_mode": "zeros"}
    window = tuple(data.draw(st.integers(1, 6)) for _ in arguments["kernel_size"])
    sizes = {build(arguments, seed, ratio=ratio, conv_kernel_size=window)(x).shape for ratio in (0, 50, 100)}
    assert len(sizes) == 1


@given(out_channels=st.integers(1, 300), groups=st.integers(1, 5), ratio=st.floats(0, 100) | st.integers(0, 100))
def test_the_count_is_the_nearest_multiple_of_the_groups(out_channels, groups, ratio):
    out_channels *= groups
    exact = out_channels * ratio / 100
    try:
        count = log_polar_filters(out_channels, ratio, groups)
    except ValueError:
        assert 0 < ratio < 100
        assert min(exact, out_channels - exact) <= groups / 2 * (1 + 1e-12)
        return
    assert count % groups == 0
    assert abs(count - exact) <= groups / 2 * (1 + 1e-12)
    assert (count == 0) == (ratio == 0)
    assert (count == out_channels) == (ratio == 100)


@pytest.mark.parametrize(
    ("out_channels", "ratio", "groups", "count"),
    [(16, 50, 1, 8), (64, 25, 1, 16), (5, 50, 1, 3), (7, 50, 1, 4), (6, 50, 2, 4), (3, 33.3, 1, 1), (8, 12.5, 1, 1)],
)
def test_halves_are_rounded_up(out_channels, ratio, groups, count):
    assert log_polar_filters(out_channels, ratio, groups) == count


@pytest.mark.parametrize(
    ("face", "ndim", "options"),
    [(CrossConv1d, 1, {}), (CrossConv2d, 2, {"angle": 0.3}), (CrossConv3d, 3, {"num_directions": (2, 4)})],
)
def test_faces_are_the_general_class(face, ndim, options):
    torch.manual_seed(0)
    general = CrossConvNd(ndim, 2, 6, 7, 2, 3, ratio=30, conv_kernel_size=5, conv_bias=False, **options)
    layer = face(2, 6, 7, 2, 3, ratio=30, conv_kernel_size=5, conv_bias=False, **options)
    layer.load_state_dict(general.state_dict())
    x = torch.randn(2, 2, *(9,) * ndim)
    torch.testing.assert_close(layer(x), general(x))
    assert layer.conv.out_channels == 4
    assert layer.conv.bias is None
    assert layer.lpsc.bias is not None


def test_the_paper_s_layers_pad_as_nn_conv_does():
    first = CrossConv2d(3, 64, 9, stride=2, padding=4, conv_kernel_size=7, ratio=25)
    assert first.conv.padding == (3, 3)
    assert CrossConv2d(16, 16, 5, padding=2).conv.padding == (1, 1)
    assert first(torch.zeros(1, 3, 224, 224)).shape == (1, 64, 112, 112)


def test_every_parameter_gets_a_gradient():
    layer = CrossConv2d(2, 4, 5, padding=2, convention="official", growth=3.0, dtype=torch.float64)
    x = torch.randn(1, 2, 6, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, x)
    layer(x).square().sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in layer.parameters())


def test_copies_and_pickles_compute_the_same():
    layer = CrossConv2d(2, 4, 7, padding_mode="reflect", padding=2)
    x = torch.randn(2, 2, 9, 11)
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        torch.testing.assert_close(twin(x), layer(x))


def test_the_text_names_both_parts():
    text = repr(CrossConv2d(3, 16, 9, padding=1, ratio=25))
    assert "CrossConv2d(\n  3, 16, ratio=25, conv_padding=((-2, -2), (-2, -2)), padding_mode='zeros'" in text
    assert "Conv2d(3, 12, kernel_size=(3, 3)" in text
    assert "LPSConv" in text


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"ratio": -1}, ValueError, "ratio must be at least 0, got -1"),
        ({"ratio": 100.5}, ValueError, "ratio must be a percentage from 0 to 100, got 100.5"),
        ({"ratio": float("nan")}, ValueError, "ratio must be finite"),
        ({"ratio": "50"}, TypeError, "ratio must be a number"),
        ({"ratio": 1}, ValueError, "ratio must leave both parts filters, got 1 % of 8 filters.*give 0"),
        ({"ratio": 99}, ValueError, "ratio must leave both parts filters, got 99 % of 8 filters.*give 100"),
        ({"conv_kernel_size": 0}, ValueError, "conv_kernel_size must be at least 1, got 0"),
        ({"conv_kernel_size": (3, 3, 3)}, ValueError, "conv_kernel_size must be one integer or a tuple of 2"),
        ({"kernel_size": 3.0}, TypeError, "kernel_size must be an integer"),
        ({"stride": 0}, ValueError, "stride must be at least 1"),
        ({"padding": "full"}, ValueError, "Invalid padding string 'full'"),
        ({"padding": "same", "stride": 2}, ValueError, "padding='same' is not supported for strided"),
        ({"padding_mode": "mirror"}, ValueError, "padding_mode must be one of"),
        ({"groups": 3}, ValueError, "in_channels must be divisible by groups, got 4 and 3"),
        ({"in_channels": 0}, ValueError, "in_channels must be at least 1"),
        ({"out_channels": 0}, ValueError, "out_channels must be at least 1"),
        ({"num_levels": 0}, ValueError, "num_levels must be at least 1"),
    ],
)
def test_bad_arguments_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        CrossConv2d(**{"in_channels": 4, "out_channels": 8, "kernel_size": 5} | arguments)


def test_other_dimensions_are_refused():
    with pytest.raises(ValueError, match=r"ndim must be one of \[1, 2, 3\], as nn.ConvNd has, got 4"):
        CrossConvNd(4, 1, 2, 3)


@pytest.mark.parametrize("ratio", [0, 50, 100])
@pytest.mark.parametrize("shape", [(3, 9), (1, 2, 9, 9), (1, 3, 2, 2)])
def test_inputs_that_do_not_fit_are_refused(ratio, shape):
    with pytest.raises(RuntimeError):
        CrossConv2d(3, 4, 7, ratio=ratio)(torch.zeros(shape))


@pytest.mark.parametrize("together", [True, False])
def test_the_parts_are_replaceable_by_those_of_another_layer(monkeypatch, together):
    monkeypatch.setattr(cross_nd, "joins", lambda *_: together)
    x, layer = torch.randn(1, 3, 8, 8), CrossConv2d(3, 4, 5, padding=2, convention="official")
    assert layer._joins(x) is together
    layer.lpsc = LPSConv2d(3, 2, 7, padding=3)
    assert not layer._joins(x)
    assert layer(x).shape == (1, 4, 8, 8)


@pytest.mark.parametrize(
    "part",
    [
        torch.nn.Conv2d(3, 2, 5, padding=2),
        torch.nn.Conv2d(3, 2, 3, padding=2, dilation=2),
        torch.nn.Conv2d(3, 2, 3, padding=1, padding_mode="reflect"),
        torch.nn.Conv2d(3, 2, 3, padding="same"),
    ],
    ids=["wider", "dilated", "reflecting", "by name"],
)
def test_a_conventional_part_of_its_own_kind_stays_apart(monkeypatch, part):
    monkeypatch.setattr(cross_nd, "joins", lambda *_: True)
    x, layer = torch.randn(1, 3, 8, 8), CrossConv2d(3, 4, 5, padding=2, convention="official")
    layer.conv = part
    torch.testing.assert_close(layer(x), torch.cat([part(x), layer.lpsc(x)], dim=1))


def outcome(layer, x):
    """Return output and all first gradients."""
    leaves = [x.detach().requires_grad_(), *layer.parameters()]
    y = layer(leaves[0])
    cotangent = torch.cos(torch.arange(y.numel(), dtype=y.dtype)).view_as(y)
    return [y, *torch.autograd.grad(y, leaves, cotangent)]


@pytest.mark.parametrize("batched", [True, False])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"stride": 2, "bias": False},
        {"padding": 3, "dilation": 2},
        {"conv_kernel_size": (1, 5), "conv_bias": False},
        {"kernel_size": (6, 5), "padding": "same"},
    ],
)
def test_both_parts_as_one_convolution_give_the_same(monkeypatch, options, batched):
    arguments = {"kernel_size": 5, "padding": 2, "num_levels": 1, "dtype": torch.float64, **options}
    layer = CrossConv2d(3, 6, **arguments)
    x = torch.randn(2, 3, 12, 11, dtype=torch.float64)
    x = x if batched else x[0]
    results = []
    for answer in (False, True):
        monkeypatch.setattr(cross_nd, "joins", lambda *_, answer=answer: answer)
        assert layer._joins(x) is answer
        results.append(outcome(layer, x))
    for apart, together in zip(*results, strict=True):
        torch.testing.assert_close(together, apart, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    "options",
    [{"groups": 2}, {"padding_mode": "circular"}, {"engine": "bags"}, {"reduction": "max"}, {"conv_kernel_size": 7}],
)
def test_what_one_convolution_cannot_do_stays_apart(monkeypatch, options):
    monkeypatch.setattr(cross_nd, "joins", lambda *_: True)
    arguments = {"kernel_size": 5, "padding": 3, "num_levels": 1, **options}
    assert not CrossConv2d(4, 4, **arguments)._joins(torch.randn(1, 4, 9, 9))


def test_parts_that_are_watched_stay_apart(monkeypatch):
    monkeypatch.setattr(cross_nd, "joins", lambda *_: True)
    layer, seen = CrossConv2d(2, 4, 5, padding=2, num_levels=1), []
    layer.lpsc.register_forward_hook(lambda module, inputs, output: seen.append(output.shape))
    layer(torch.randn(1, 2, 9, 9))
    assert seen == [(1, 2, 9, 9)]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_one_convolution_under_autocast(monkeypatch, dtype):
    monkeypatch.setattr(cross_nd, "joins", lambda *_: True)
    layer, x = CrossConv2d(4, 4, 5, padding=2, num_levels=1), torch.randn(1, 4, 8, 8)
    with torch.autocast("cpu", dtype=dtype):
        y = layer(x)
    assert y.dtype == dtype
    torch.testing.assert_close(y.float(), layer(x), rtol=0.05, atol=0.05)


@pytest.mark.usefixtures("without_kernels")
def test_joining_is_a_matter_of_cost():
    layer = CrossConv2d(16, 16, 5, padding=2, num_directions=6, growth=3.0)
    assert layer._joins(torch.empty(100, 16, 32, 32))  # half the filters cost the bag engine nearly as much as all
    wide = CrossConv2d(64, 64, 31, padding=15, num_levels=3, num_directions=8)
    assert not wide._joins(torch.empty(1, 64, 56, 56))


@pytest.mark.usefixtures("without_kernels")
def test_a_first_layer_joins_where_no_gradient_of_its_input_is_wanted():
    layer, x = CrossConv2d(3, 128, 5, padding=2, num_directions=6), torch.empty(100, 3, 32, 32)
    assert layer._joins(x)
    assert not layer._joins(x.requires_grad_())
