"""The engines against the reference: gradients of all orders, layouts, precision, blocking, memory."""

import functools

import pytest
import torch
from hypothesis import given
from torch.autograd import gradcheck, gradgradcheck
from torch.library import opcheck

from lpsc_nd import LogPolarPool2d, LPSConv1d, LPSConv2d, LPSConv3d, LPSConvNd, Stencil
from lpsc_nd.functional import lps_conv
from lpsc_nd.pooling import ops, plan, run_tables, slabs
from lpsc_nd.testing import layer_cases

LAYERS = {
    "1d": lambda **options: LPSConv1d(2, 3, 5, stride=2, padding=3, **options),
    "2d": lambda **options: LPSConv2d(2, 2, 5, padding="same", num_directions=4, growth=3.0, **options),
    "2d strided groups": lambda **options: LPSConv2d(
        4, 2, (3, 5), (2, 1), (1, 2), groups=2, num_levels=1, num_directions=2, **options
    ),
    "2d depthwise": lambda **options: LPSConv2d(
        2, 2, 5, padding=2, groups=2, num_levels=1, num_directions=4, **options
    ),
    "3d": lambda **options: LPSConv3d(1, 2, 3, padding=1, num_levels=1, num_directions=6, **options),
    "4d": lambda **options: LPSConvNd(4, 1, 1, 3, padding=1, num_levels=1, num_directions=(1, 1, 2), **options),
}
SIZES = {"1d": (7,), "3d": (3, 4, 3), "4d": (2, 3, 2, 3)}


def make(name, **options):
    torch.manual_seed(0)
    layer = LAYERS[name](**options)
    size = SIZES.get(name, (5, 4))
    return layer, torch.randn(2, layer.in_channels, *size, dtype=layer.weight.dtype)


def as_function(layer):
    """Turn a layer into a function of its input and parameters, for gradcheck."""
    names = [name for name, _ in layer.named_parameters()]

    def run(x, *parameters):
        return torch.func.functional_call(layer, dict(zip(names, parameters, strict=True)), (x,))

    return run, tuple(parameter.detach().requires_grad_() for parameter in layer.parameters())


@pytest.mark.parametrize("engine", ["reference", "expand", "bags"])
@pytest.mark.parametrize("name", LAYERS)
def test_first_and_second_derivatives(name, engine):
    if engine == "expand" and name == "4d":
        engine = "auto"
    layer, x = make(name, engine=engine, dtype=torch.float64)
    run, parameters = as_function(layer)
    assert gradcheck(run, (x.requires_grad_(), *parameters))
    assert gradgradcheck(run, (x, *parameters))


@pytest.mark.parametrize("engine", ["reference", "maximum"])
def test_derivatives_of_the_maximum(engine):
    layer, x = make("2d", engine=engine, reduction="max", dtype=torch.float64)
    run, parameters = as_function(layer)
    assert gradcheck(run, (x.requires_grad_(), *parameters))
    assert gradgradcheck(run, (x, *parameters))


@pytest.mark.parametrize("name", LAYERS)
def test_operators_are_registered_completely(name):
    layer, x = make(name, dtype=torch.float64)
    weight = torch.cat([layer.weight, layer.center_weight[..., None]], -1).detach().requires_grad_()
    x = x.requires_grad_()
    window = layer.window.args
    gy = torch.randn_like(layer(x)).requires_grad_()
    opcheck(ops.conv.registered, (x, weight, layer.bias, layer.groups, *window))
    opcheck(ops.input_grad.registered, (gy, weight, list(x.shape[2:]), layer.groups, *window))
    opcheck(ops.weight_grad.registered, (x, gy, layer.groups, *window))
    if all(step == 1 for step in layer.stride):
        opcheck(ops.both_grads.registered, (x, gy, weight, layer.groups, *window))
    opcheck(ops.pool.registered, (x, *window))
    z = ops.pool(x, *window).detach().requires_grad_()
    opcheck(ops.pool_adjoint.registered, (z, list(x.shape[2:]), *window))


@pytest.mark.parametrize("elements", [1, 2**9, 2**30])
@given(case=layer_cases())
def test_any_blocking_gives_the_same_numbers(elements, case):
    layer, x = case.layer(engine="bags"), case.input().requires_grad_()
    expected = [*torch.autograd.grad(layer(x).square().sum(), [x, layer.weight])]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "TILE_ELEMENTS", elements)
        patch.setattr(plan, "TILE_SITES", (1, elements))
        patch.setattr(run_tables, "SLAB_ELEMENTS", 4 * elements)
        patch.setattr(slabs, "FEWEST_WINDOWS", 0)
        plan.plan.cache_clear()
        found = torch.autograd.grad(layer(x).square().sum(), [x, layer.weight])
    plan.plan.cache_clear()
    for got, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("engine", ["expand", "bags"])
def test_two_threads_give_the_same_numbers(on_threads, engine):
    layer = LPSConv2d(8, 8, 9, padding=4, engine=engine)
    x = torch.randn(4, 8, 20, 20)
    expected = layer(x)
    with on_threads(2):
        torch.testing.assert_close(layer(x), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("engine", ["expand", "bags"])
def test_channels_last_in_is_channels_last_out(engine, ndim):
    layout = {2: torch.channels_last, 3: torch.channels_last_3d}[ndim]
    layer = LPSConvNd(ndim, 4, 6, 5, padding=2, num_levels=1, engine=engine)
    x = torch.randn(2, 4, *(7,) * ndim)
    plain, turned = layer(x), layer(x.to(memory_format=layout))
    assert plain.is_contiguous()
    assert turned.is_contiguous(memory_format=layout)
    torch.testing.assert_close(plain, turned)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_sums_in_float32(dtype):
    layer = LPSConv2d(8, 8, 31, padding=15, num_levels=3, num_directions=8, engine="bags")
    x = 3 + torch.randn(1, 8, 32, 32)
    half = LPSConv2d(8, 8, 31, padding=15, num_levels=3, num_directions=8, engine="bags", dtype=dtype)
    half.load_state_dict(layer.state_dict())
    exact = layer.double()(x.to(dtype).double())
    with torch.no_grad():
        for ours, rounded in zip(layer.parameters(), half.parameters(), strict=True):
            ours.copy_(rounded)
    exact = layer(x.to(dtype).double())
    y = half(x.to(dtype))
    assert y.dtype == dtype
    # only the result is rounded: half a unit in the last place, and a little for float32 sums
    torch.testing.assert_close(y.double(), exact, rtol=torch.finfo(dtype).eps, atol=1e-5)


@pytest.mark.parametrize("engine", ["reference", "expand", "bags"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_gives_the_type_of_a_convolution(engine, dtype):
    layer = LPSConv2d(4, 4, 5, padding=2, num_levels=1, engine=engine)
    x = torch.randn(1, 4, 8, 8, requires_grad=True)
    with torch.autocast("cpu", dtype=dtype):
        y, expected = layer(x), layer.to_conv()(x)
    assert y.dtype == expected.dtype == dtype
    y.float().sum().backward()
    assert x.grad.dtype == layer.weight.grad.dtype == torch.float32


def test_only_input_and_weights_are_saved_for_backward():
    layer = LPSConv2d(16, 16, 9, padding=4, engine="bags")
    x = torch.randn(2, 16, 24, 24, requires_grad=True)
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t.numel()) or t, lambda t: t):
        layer(x)
    assert max(saved) == x.numel()
    assert sum(saved) <= x.numel() + 4 * layer.weight.numel()


def test_repeated_runs_are_equal_to_the_bit():
    layer = LPSConv2d(8, 8, 9, padding=4, engine="bags")
    x = torch.randn(2, 8, 16, 16, requires_grad=True)
    runs = [(layer(x), *torch.autograd.grad(layer(x).sum(), [x, layer.weight])) for _ in range(2)]
    assert all(torch.equal(first, second) for first, second in zip(*runs, strict=True))


def test_meta_tensors_give_the_shape():
    layer = LPSConvNd(4, 2, 3, 3, num_levels=1, num_directions=(1, 1, 2), device="meta")
    assert layer(torch.empty(1, 2, 5, 5, 5, 5, device="meta")).shape == (1, 3, 3, 3, 3, 3)


COMPILED = {
    "plain": lambda engine: LPSConv2d(8, 8, 9, padding=4, engine=engine),
    "strided depthwise": lambda engine: LPSConv2d(8, 8, 9, 2, 4, groups=8, bias=False, engine=engine),
    "circular": lambda engine: LPSConv1d(8, 8, 33, padding="same", padding_mode="circular", engine=engine),
}
TRACED = {
    "maxima": LPSConv2d(8, 4, 9, 2, 4, reduction="max"),
    "pooled means": LogPolarPool2d(9, padding=4),
    "pooled maxima": LogPolarPool2d(9, padding=4, reduction="max"),
}


def check_compiled(layer, backend, dynamic, layout=torch.contiguous_format):
    """Assert that a whole compiled graph gives the layer's numbers, gradients and memory format at two sizes."""
    torch.compiler.reset()
    compiled = torch.compile(layer, fullgraph=True, dynamic=dynamic, backend=backend)
    for size in (40, 44):
        x = torch.randn(2, 8, *(size,) * layer.stencil.ndim).contiguous(memory_format=layout).requires_grad_()
        y, expected = compiled(x), layer(x)
        assert y.stride() == expected.stride()
        torch.testing.assert_close(y, expected, rtol=1e-4, atol=1e-4)
        leaves, cotangent = [x, *layer.parameters()], torch.randn_like(y)
        gradients = (torch.autograd.grad(result, leaves, cotangent) for result in (y, expected))
        for ours, wanted in zip(*gradients, strict=True):
            torch.testing.assert_close(ours, wanted, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("dynamic", [pytest.param(False, marks=pytest.mark.slow), True])
@pytest.mark.parametrize("engine", ["auto", "bags", "expand"])
@pytest.mark.parametrize("name", COMPILED)
def test_a_compiled_graph_is_whole_and_gives_the_same(name, engine, dynamic):
    check_compiled(COMPILED[name](engine), "aot_eager", dynamic)


@pytest.mark.parametrize("engine", ["bags", "expand"])
def test_a_compiled_graph_keeps_channels_last(engine):
    layer = LPSConv2d(8, 8, 9, padding=4, engine=engine)
    check_compiled(layer, "aot_eager", dynamic=False, layout=torch.channels_last)
    check_compiled(TRACED["maxima"], "aot_eager", dynamic=False, layout=torch.channels_last)


@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("name", TRACED)
def test_maxima_and_pooling_are_whole_graphs_too(name, dynamic):
    check_compiled(TRACED[name], "aot_eager", dynamic)


@pytest.mark.slow
# inductor's own
@pytest.mark.filterwarnings("ignore:`torch.jit.* is deprecated:DeprecationWarning")
@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("name", COMPILED)
def test_an_inductor_graph_is_whole_and_gives_the_same(name, dynamic):
    check_compiled(COMPILED[name]("auto"), "inductor", dynamic)


def test_an_exported_program_holds_the_dense_convolution():
    layer = LPSConv2d(4, 4, 5, padding=2, num_levels=1)
    x = torch.randn(2, 4, 8, 8)
    program = torch.export.export(layer, (x,))
    targets = {str(node.target) for node in program.graph.nodes}
    assert any("conv2d" in target for target in targets)
    assert not any("lpsc" in target for target in targets)
    torch.testing.assert_close(program.module()(x), layer(x))


def test_an_exported_program_takes_maxima():
    layer = LPSConv2d(4, 4, 5, padding=2, num_levels=1, reduction="max")
    x = torch.randn(2, 4, 8, 8)
    program = torch.export.export(layer, (x,))
    torch.testing.assert_close(program.module()(x), layer(x))


@given(case=layer_cases())
def test_single_precision_equals_double(case):
    # float32 takes another matrix product than float64
    single, double = case.layer(torch.float32, engine="bags"), case.layer(torch.float64, engine="reference")
    double.load_state_dict(single.state_dict())
    x = case.input(torch.float32)
    results = []
    for layer, leaf in ((single, x.clone()), (double, x.double())):
        leaf.requires_grad_()
        y = layer(leaf)
        cotangent = torch.cos(torch.arange(y.numel(), dtype=torch.float64)).view_as(y).to(y.dtype)
        results.append([y, *torch.autograd.grad(y, [leaf, *layer.parameters()], cotangent)])
    for ours, exact in zip(*results, strict=True):
        torch.testing.assert_close(ours.double(), exact, rtol=1e-4, atol=1e-4)


# torch's own, at the first forward-mode derivative
@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
def test_forward_mode_and_vmap_of_pooling():
    pool = LogPolarPool2d(5, padding=2, num_directions=4, growth=3.0, engine="bags")
    x = torch.randn(3, 2, 6, 6, dtype=torch.float64)
    direction = x.flip(0)
    _, tangent = torch.func.jvp(pool, (x,), (direction,))
    torch.testing.assert_close(tangent, pool(direction))
    torch.testing.assert_close(torch.func.vmap(pool)(x), pool(x))
    back = torch.func.vmap(torch.func.grad(lambda image: pool(image).square().sum()))(x)
    torch.testing.assert_close(back, torch.func.grad(lambda images: pool(images).square().sum())(x))


EVERY_ENGINE = [("mean", "reference"), ("mean", "expand"), ("mean", "bags"), ("max", "reference"), ("max", "maximum")]


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(("reduction", "engine"), EVERY_ENGINE)
def test_vmap_over_weights_is_an_ensemble(reduction, engine, layout):
    options = {"reduction": reduction, "engine": engine, "dtype": torch.float64}
    layers = [LPSConv2d(2, 3, 5, num_levels=1, **options) for _ in range(3)]
    parameters, _ = torch.func.stack_module_state(layers)
    x = torch.randn(2, 2, 7, 7, dtype=torch.float64).contiguous(memory_format=layout)
    call = functools.partial(torch.func.functional_call, layers[0])
    together = torch.func.vmap(lambda values: call(values, (x,)))(parameters)
    torch.testing.assert_close(together, torch.stack([layer(x) for layer in layers]))
    back = torch.func.vmap(torch.func.grad(lambda values: call(values, (x,)).square().sum()))(parameters)
    alone = [torch.autograd.grad(layer(x).square().sum(), layer.weight)[0] for layer in layers]
    torch.testing.assert_close(back["weight"], torch.stack(alone))


@pytest.mark.parametrize(("reduction", "engine"), EVERY_ENGINE)
def test_derivatives_of_derivatives_by_transforms(reduction, engine):
    layer = LPSConv2d(2, 3, 5, num_levels=1, reduction=reduction, engine=engine, dtype=torch.float64)
    x = torch.randn(2, 2, 7, 7, dtype=torch.float64)

    def loss(sample):
        return layer(sample).square().mean()

    def scaled(scale):
        return loss(x * scale)

    one = torch.ones((), dtype=torch.float64)
    curvature = 2 * scaled(one) if layer.bias is None else torch.autograd.functional.hessian(scaled, one)
    for transform in (torch.func.hessian, lambda f: torch.func.jacfwd(torch.func.jacfwd(f))):
        torch.testing.assert_close(transform(scaled)(one), curvature)
    per_sample = torch.func.vmap(loss)
    _, tangent = torch.func.jvp(per_sample, (x,), (x,))
    slopes = [torch.autograd.functional.jvp(loss, sample, sample)[1] for sample in x]
    torch.testing.assert_close(tangent, torch.stack(slopes))


@pytest.mark.parametrize(("reduction", "engine"), EVERY_ENGINE)
def test_vmap_over_inputs_calls_one_by_one(reduction, engine):
    layer = LPSConv2d(2, 3, 5, num_levels=1, reduction=reduction, engine=engine, dtype=torch.float64)
    x = torch.randn(3, 2, 7, 7, 2, dtype=torch.float64).movedim(-1, -3)  # batches that lie channels last
    torch.testing.assert_close(torch.func.vmap(layer)(x), torch.stack([layer(part) for part in x]))


@pytest.mark.parametrize("engine", ["reference", "expand", "bags"])
@pytest.mark.parametrize("groups", [1, 2])
def test_a_window_without_regions_gives_the_bias(engine, groups):
    stencil, bias = Stencil.from_mask([[0, 0, 0]] * 3), torch.tensor([1.0, 2.0], requires_grad=True)
    x, weight = torch.randn(1, 2, 5, 5, requires_grad=True), torch.zeros(2, 2 // groups, 0, requires_grad=True)
    y = lps_conv(x, weight, stencil, bias, groups=groups, engine=engine)
    assert torch.equal(y, bias.detach().view(2, 1, 1).expand(1, 2, 3, 3))
    gx, gw, gb = torch.autograd.grad(y.sum(), [x, weight, bias])
    assert not gx.any()
    assert gw.shape == weight.shape
    assert gb.tolist() == [9.0, 9.0]
