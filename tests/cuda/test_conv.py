"""Grid layers on a GPU against the definition on the CPU, in float64, and what PyTorch does with modules there."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.autograd import gradcheck, gradgradcheck
from torch.func import functional_call, grad, vmap

from lpsc_nd import LPSConv2d, LPSConv3d, LPSConvNd
from lpsc_nd.layers.cross import CrossConv2d
from lpsc_nd.testing import (
    assert_adjoint,
    assert_constant_input,
    assert_delta_shows_taps,
    assert_dense_twin,
    layer_cases,
)

SUMS = ("auto", "reference", "expand", "bags")
ROUNDING = {"rtol": 1e-9, "atol": 1e-9}


def outcome(layer, x):
    """The output and its gradients by input and parameters, brought to the CPU."""
    y = layer(x.requires_grad_())
    cotangent = torch.cos(torch.arange(y.numel(), dtype=torch.float64)).view(y.shape).to(y)
    gradients = torch.autograd.grad(y, [x, *layer.parameters()], cotangent, materialize_grads=True)
    return [value.detach().cpu() for value in (y, *gradients)]


def assert_as_on_the_cpu(case, engine):
    expected = outcome(case.layer(engine="reference"), case.input())
    found = outcome(case.layer(engine=engine).to("cuda"), case.input().to("cuda"))
    torch.testing.assert_close(found, expected, **ROUNDING)


@pytest.mark.parametrize("engine", SUMS)
@given(case=layer_cases())
def test_output_and_gradients(engine, case):
    assert_as_on_the_cpu(case, engine)


@pytest.mark.parametrize("engine", ["auto", "reference", "maximum"])
@given(case=layer_cases(reductions=("max",)))
def test_maxima(engine, case):
    assert_as_on_the_cpu(case, engine)


@pytest.mark.parametrize("engine", ["auto", "bags"])
@given(case=layer_cases(ndim=st.just(4), padding_modes=("zeros", "circular")))
def test_four_axes(engine, case):
    assert_as_on_the_cpu(case, engine)


@given(case=layer_cases())
def test_what_users_check_their_kernels_with(case):
    layer, x = case.layer().to("cuda"), case.input().to("cuda")
    assert_dense_twin(layer, x)
    assert_adjoint(layer, x)
    assert_constant_input(layer, 2.5)
    assert_delta_shows_taps(case.layer(stride=1).to("cuda"))


@pytest.mark.parametrize("engine", SUMS)
def test_higher_derivatives(engine):
    torch.manual_seed(0)
    layer = LPSConv2d(4, 2, (3, 5), (2, 1), (1, 2), groups=2, num_levels=1, num_directions=2, engine=engine)
    layer.to("cuda", torch.float64)
    names = [name for name, _ in layer.named_parameters()]

    def run(x, *parameters):
        return functional_call(layer, dict(zip(names, parameters, strict=True)), (x,))

    x = torch.randn(2, 4, 5, 4, dtype=torch.float64, device="cuda", requires_grad=True)
    inputs = (x, *(parameter.detach().requires_grad_() for parameter in layer.parameters()))
    tolerance = 1e-12  # cuDNN adds in no fixed order
    assert gradcheck(run, inputs, nondet_tol=tolerance)
    assert gradgradcheck(run, inputs, nondet_tol=tolerance)


@pytest.mark.parametrize("engine", SUMS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_gives_type_and_precision_of_a_convolution(engine, dtype):
    torch.manual_seed(0)
    layer = LPSConv2d(8, 8, 9, padding=4, engine=engine).to("cuda")
    x = torch.randn(2, 8, 16, 16, device="cuda")
    exact = layer.double()(x.double())
    layer.float()
    with torch.autocast("cuda", dtype):
        y = layer(x)
        assert y.dtype == nn.Conv2d(8, 8, 3).to("cuda")(x).dtype == dtype
    bound = 4 * torch.finfo(dtype).eps * exact.abs().max().item()
    torch.testing.assert_close(y.double(), exact, rtol=0, atol=bound)
    y.float().square().sum().backward()
    assert all(parameter.grad.dtype == torch.float32 for parameter in layer.parameters())


@pytest.mark.parametrize("engine", ["reference", "bags"])
def test_half_precision_sums_in_float32(engine):
    torch.manual_seed(0)
    layer = LPSConv2d(8, 8, 31, padding=15, num_levels=3, num_directions=8, engine=engine).to("cuda", torch.bfloat16)
    x = (3 + torch.randn(1, 8, 32, 32, device="cuda")).bfloat16()
    exact = copy.deepcopy(layer).double()(x.double())
    y = layer(x)
    torch.testing.assert_close(y.double(), exact, rtol=torch.finfo(y.dtype).eps, atol=1e-5)


@pytest.mark.parametrize("engine", ["expand", "bags"])
@pytest.mark.parametrize("ndim", [2, 3])
def test_channels_last_in_is_channels_last_out(engine, ndim):
    layout = {2: torch.channels_last, 3: torch.channels_last_3d}[ndim]
    layer = LPSConvNd(ndim, 4, 6, 5, padding=2, num_levels=1, engine=engine).to("cuda")
    x = torch.randn(2, 4, *(7,) * ndim, device="cuda")
    plain, turned = layer(x), layer(x.to(memory_format=layout))
    assert plain.is_contiguous()
    assert turned.is_contiguous(memory_format=layout)
    torch.testing.assert_close(plain, turned)


@pytest.mark.parametrize("engine", ["expand", "bags"])
@pytest.mark.filterwarnings("ignore")  # the compiler's own, which differ from version to version
def test_compiled_in_one_graph(engine):
    torch.manual_seed(0)
    layer = LPSConv2d(8, 8, 5, padding=2, num_levels=1, engine=engine).to("cuda", torch.float64)
    x = torch.randn(2, 8, 12, 12, dtype=torch.float64, device="cuda")
    compiled = torch.compile(layer, fullgraph=True)
    torch.testing.assert_close(outcome(compiled, x.clone()), outcome(layer, x.clone()), **ROUNDING)
    assert torch.compile(layer, fullgraph=True, dynamic=True)(x[..., :9]).shape[-1] == 9


@pytest.mark.parametrize("engine", SUMS)
def test_gradients_of_each_sample(engine):
    torch.manual_seed(0)
    layer = LPSConv2d(3, 4, 5, padding=2, num_levels=1, engine=engine).to("cuda", torch.float64)
    parameters = {name: value.detach() for name, value in layer.named_parameters()}
    x = torch.randn(3, 3, 8, 8, dtype=torch.float64, device="cuda")

    def loss(values, sample):
        return functional_call(layer, values, (sample,)).square().sum()

    together = vmap(grad(loss), in_dims=(None, 0))(parameters, x)
    for number, sample in enumerate(x):
        alone = grad(loss)(parameters, sample)
        torch.testing.assert_close({name: value[number] for name, value in together.items()}, alone, **ROUNDING)


def test_a_layer_follows_its_parameters():
    torch.manual_seed(0)
    layer = LPSConv2d(3, 4, 9, padding=4)
    x = torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        here = layer(x)
        there = layer.to("cuda")(x.to("cuda"))
        torch.testing.assert_close(there.cpu(), here, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(layer.to("cpu")(x), here)
        with pytest.raises(RuntimeError, match="device"):
            layer(x.to("cuda"))


def test_materialised_on_the_gpu():
    source = LPSConv3d(2, 3, 5, padding=2, num_levels=1)
    made = LPSConv3d(2, 3, 5, padding=2, num_levels=1, device="meta").to_empty(device="cuda")
    made.load_state_dict(source.state_dict())
    x = torch.randn(1, 2, 6, 6, 6)
    torch.testing.assert_close(made(x.to("cuda")).cpu(), source(x), rtol=1e-5, atol=1e-5)


def test_cross_layers():
    torch.manual_seed(0)
    layer = CrossConv2d(4, 8, 9, padding=4).double()
    x = torch.randn(2, 4, 12, 12, dtype=torch.float64)
    expected = outcome(layer, x.clone())
    torch.testing.assert_close(outcome(layer.to("cuda"), x.to("cuda")), expected, **ROUNDING)


@pytest.mark.parametrize("engine", ["expand", "bags"])
def test_repeats_bit_by_bit_where_determinism_is_asked_for(engine, monkeypatch):
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    layer = LPSConv2d(16, 16, 9, padding=4, engine=engine).to("cuda")
    x = torch.randn(4, 16, 32, 32, device="cuda")
    torch.use_deterministic_algorithms(True)
    try:
        first, *others = (outcome(layer, x.clone()) for _ in range(3))
    finally:
        torch.use_deterministic_algorithms(False)
    for other in others:
        torch.testing.assert_close(other, first, rtol=0, atol=0)


def test_calls_on_two_streams_do_not_share_memory():
    layer = LPSConv2d(32, 32, 9, padding=4, engine="bags").to("cuda")
    inputs = [torch.randn(8, 32, 48, 48, device="cuda") for _ in range(2)]
    streams = [torch.cuda.Stream() for _ in inputs]
    with torch.no_grad():
        expected = [layer(x) for x in inputs]
        torch.cuda.synchronize()
        for _ in range(20):
            found = []
            for x, stream in zip(inputs, streams, strict=True):
                with torch.cuda.stream(stream):
                    found.append(layer(x))
            torch.cuda.synchronize()
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
