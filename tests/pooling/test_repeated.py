"""A layer repeats its last call only where that gives what a first call gives."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch._dynamo.testing import CompileCounter
from torch.overrides import TorchFunctionMode
from torch.testing import assert_close

from lpsc_nd import LPSConv1d, LPSConv2d
from lpsc_nd.pooling import depthwise as engine
from lpsc_nd.pooling import expand, repeated
from lpsc_nd.pooling.onednn import HAS_CONVOLUTION
from tests.pooling.repeating_layers import depthwise, pooled, repeats, stem


@torch.no_grad()
@pytest.mark.parametrize("make", [stem, depthwise, pooled])
@pytest.mark.parametrize("options", [{}, {"bias": False}, {"center": False}, {"stride": 2, "padding_mode": "zeros"}])
def test_the_second_call_of_a_shape_is_a_repeated_one(make, options):
    if make is depthwise and "stride" in options:
        options = {"dilation": 2}
    layer = make(**options)
    assert not repeats(layer, torch.randn(2, layer.in_channels, 9, 9))
    for _ in range(3):
        x = torch.randn(2, layer.in_channels, 9, 9)
        expected = layer.to_conv()(x)
        assert_close(layer(x), expected)
        assert repeats(layer, x)
        assert_close(layer(x), expected)


@torch.no_grad()
@pytest.mark.parametrize(
    ("channels", "options", "batch"),
    [
        ((16, 16), {}, 4),  # images side by side
        ((16, 1), {}, 1),  # mixed first
        ((3, 8), {}, 40),  # rows across the images
        ((32, 32), {"padding": 2}, 2),  # whole images
        ((4, 8), {"groups": 2}, 2),  # in tiles
    ],
)
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_every_way_of_the_bag_engine_is_repeated(channels, options, batch, memory_format):
    layer = LPSConv2d(*channels, 9, **{"padding": 4, **options}, num_levels=2, num_directions=6, engine="bags")
    for _ in range(3):
        x = torch.randn(batch, channels[0], 12, 12).contiguous(memory_format=memory_format)
        y = layer(x)
        assert_close(y, layer.to_conv()(x), rtol=1e-4, atol=1e-4)
        assert repeats(layer, x)
        assert y.is_contiguous(memory_format=memory_format)
        layer.center_weight.data += 1


@torch.no_grad()
@pytest.mark.parametrize(
    "change",
    [
        lambda x: x[:1],
        lambda x: x[..., :-1],
        lambda x: x.contiguous(memory_format=torch.channels_last),
        lambda x: x.unsqueeze(0)[0][0],
        lambda x: x.double(),
        lambda x: x[:, :2],
        lambda x: x.tolist(),
        lambda x: x.to("meta"),
    ],
)
def test_another_input_is_no_repetition(change):
    layer, x = stem(), torch.randn(2, 3, 9, 9)
    layer(x)
    assert repeats(layer, x)
    assert not repeats(layer, change(x))


@torch.no_grad()
def test_a_layer_that_was_set_otherwise_is_no_repetition():
    layer, x = stem(), torch.randn(2, 3, 9, 9)
    layer(x)
    layer.reduction = "sum"
    assert not repeats(layer, x)
    assert_close(layer(x), layer.to_conv()(x))
    layer.engine = "reference"
    assert not repeats(layer, x)


@torch.no_grad()
@pytest.mark.parametrize("make", [stem, pooled])
def test_another_number_of_threads_is_no_repetition(on_threads, make):
    layer = make()
    x = torch.randn(2, layer.in_channels, 9, 9)
    layer(x)
    with on_threads(torch.get_num_threads() + 1):
        assert not repeats(layer, x)
        layer(x)
        assert repeats(layer, x)
    assert not repeats(layer, x)


@pytest.mark.filterwarnings("ignore:TF32 acceleration on top of oneDNN:UserWarning")
@torch.no_grad()
@pytest.mark.parametrize("make", [stem, pooled])
def test_a_call_without_onednn_is_no_repetition_of_one_with_it(make):
    layer = make()
    x = torch.randn(2, layer.in_channels, 9, 9)
    layer(x)
    assert repeats(layer, x)
    with torch.backends.mkldnn.flags(enabled=False):
        assert not repeats(layer, x)
        for _ in range(2):
            assert_close(layer(x), layer.to_conv()(x))
        assert repeats(layer, x)
    assert not repeats(layer, x)


@torch.no_grad()
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_a_repeated_stem_is_the_first_call_bit_by_bit(memory_format):
    layer = LPSConv2d(3, 64, 11, 4, 5, num_levels=3, num_directions=8, engine="expand")
    x = torch.randn(8, 3, 32, 32).contiguous(memory_format=memory_format)
    y = layer(x)
    assert repeats(layer, x)
    again = layer(x)
    assert_close(again, y, rtol=0, atol=0)
    assert again.stride() == y.stride()


@torch.no_grad()
@pytest.mark.skipif(not HAS_CONVOLUTION, reason="PyTorch was built without oneDNN")
@pytest.mark.parametrize("make", [stem, depthwise])
def test_repeated_convolutions_have_packed_kernels(monkeypatch, make):
    def fail(*arguments):
        raise AssertionError("the kernel is brought into oneDNN's order again")

    layer = make()
    x = torch.randn(4, layer.in_channels, 9, 9)
    y = layer(x)
    monkeypatch.setattr(torch.nn.functional, "conv2d", fail)
    monkeypatch.setitem(expand.CONVOLUTIONS, 2, fail)
    assert_close(layer(x), y)


@torch.no_grad()
def test_a_mode_that_replaces_functions_sees_the_same_in_every_call():
    class Halving(TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            y = function(*args, **kwargs or {})
            return y / 2 if function is torch.conv2d else y

    layer, x = stem(), torch.randn(2, 3, 9, 9)
    y = layer(x)
    assert_close(layer(x), y)
    with Halving():
        for _ in range(3):
            assert_close(layer(x), y / 2)
    assert_close(layer(x), y)


def test_what_evaluation_and_inference_mode_remember_serves_both():
    layer, x = stem(), torch.randn(2, 3, 9, 9)
    expected = layer.to_conv()(x).detach()
    for first, second in ((torch.no_grad, torch.inference_mode), (torch.inference_mode, torch.no_grad)):
        layer = copy.deepcopy(layer)
        with first():
            layer(x)
        with second():
            assert repeats(layer, x)
            assert_close(layer(x), expected)
        layer(x).sum().backward()


@torch.no_grad()
def test_two_threads_use_one_layer():
    layer = stem()
    inputs = [torch.randn(2, 3, 9, 9), torch.randn(3, 3, 10, 10)]
    expected = [layer.to_conv()(x) for x in inputs]

    def call(number):
        with torch.no_grad():  # which each thread has for itself
            return [layer(inputs[number]) for _ in range(50)]

    with ThreadPoolExecutor(2) as pool:
        for number, found in enumerate(pool.map(call, range(2))):
            assert_close(found, [expected[number]] * 50)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
@pytest.mark.parametrize("make", [stem, pooled])
def test_nobody_who_differentiates_batches_or_casts_gets_a_repetition(make):
    layer = make()
    x = torch.randn(2, layer.in_channels, 9, 9)
    with torch.no_grad():
        layer(x)
    assert not repeats(layer, x)
    layer(x).sum().backward()
    assert layer.weight.grad.count_nonzero() > 0
    with torch.no_grad():
        layer(x)
        assert repeats(layer, x)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert layer(x).dtype == torch.bfloat16
        layer(x)
        batched = torch.randn(5, 2, layer.in_channels, 9, 9)
        each = torch.stack([layer(part) for part in batched])
        assert_close(torch.func.vmap(layer)(batched), each)
        _, tangent = torch.func.jvp(layer, (x,), (x,))
        assert_close(tangent, layer(x) - layer(torch.zeros_like(x)))


@torch.no_grad()
@pytest.mark.usefixtures("without_kernels")
def test_what_is_no_single_convolution_and_no_sum_is_not_remembered(monkeypatch):
    monkeypatch.setattr(engine, "NARROW", 13)
    monkeypatch.setattr(engine, "NARROW_LAST", 10)
    x = torch.randn(2, 4, 20, 20)
    layers = [
        depthwise(11),  # faster in the default layout
        LPSConv2d(4, 4, 4, padding="same", num_levels=1, num_directions=4, engine="expand"),  # padded unevenly
        LPSConv2d(4, 4, 5, padding=2, num_directions=4, padding_mode="reflect", engine="expand"),
        LPSConv2d(4, 4, 5, padding=2, num_directions=4, engine="reference"),
        LPSConv2d(4, 4, 5, padding=2, num_directions=4, reduction="max"),
    ]
    channels_last = x.contiguous(memory_format=torch.channels_last)
    for layer in layers:
        y = layer(channels_last)
        assert not repeats(layer, channels_last)
        assert_close(layer(channels_last), y, rtol=0, atol=0)
    line = LPSConv1d(4, 4, 5, padding=2, groups=4)
    line(x[..., 0])
    assert not repeats(line, x[..., 0])
    unbatched = stem()
    unbatched(x[0, :3])
    assert not repeats(unbatched, x[0, :3])
    wide = depthwise(17)
    wide(x)
    assert not repeats(wide, x)
    wide(channels_last)
    assert repeats(wide, channels_last)


@torch.no_grad()
def test_copies_and_pickles_begin_without_a_last_call():
    layer, x = stem(), torch.randn(2, 3, 9, 9)
    layer(x)
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert type(twin._last_call) is repeated.LastCall
        assert not repeats(twin, x)
        assert_close(twin(x), layer(x))
    assert not any("last_call" in name for name in layer.state_dict())


@torch.no_grad()
def test_a_compiled_layer_compiles_once():
    torch.compiler.reset()
    counter = CompileCounter()
    layer, x = stem(), torch.randn(2, 3, 9, 9)
    compiled = torch.compile(layer, backend=counter, fullgraph=True)
    for _ in range(3):
        layer(x)
        assert_close(compiled(x), layer(x))
    assert counter.frame_count == 1
    torch.compiler.reset()


@torch.no_grad()
@pytest.mark.parametrize("make", [stem, pooled])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_a_call_under_autocast_is_not_remembered(make, dtype):
    layer = make(bias=False)
    x = torch.randn(2, layer.in_channels, 9, 9).to(dtype)  # which autocast leaves as it is
    with torch.autocast("cpu", torch.bfloat16):
        layer(x)
    with pytest.raises(RuntimeError, match="should be the same"):
        layer(x)
