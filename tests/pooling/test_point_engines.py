"""The point engines against a loop over the bags and against each other: values, gradients, precision, blocking."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.autograd import gradcheck, gradgradcheck
from torch.library import opcheck

from lpsc_nd import Neighborhood
from lpsc_nd.functional import lps_point_conv
from lpsc_nd.pooling import point_bags, point_ops

ENGINES = ["reference", "bags"]


def make_neighborhood(counts, num_sources, generator, centers=None):
    """Fill bags of the given sizes (Q, R) with random sources, duplicates among them."""
    indices = [np.sort(generator.integers(0, num_sources, count)) for count in counts.ravel()]
    if centers is None:
        centers = generator.integers(-1, max(num_sources, 0), len(counts)) if num_sources else -np.ones(len(counts))
    arrays = np.concatenate([[0], np.cumsum(counts)]), np.concatenate([[], *indices]), centers
    tensors = (torch.from_numpy(np.asarray(array).astype(np.int64)) for array in arrays)
    return Neighborhood(*tensors, num_sources=num_sources, num_regions=counts.shape[1])


@dataclass
class Case:
    """A neighbourhood, values, parameters, and keyword arguments of ``lps_point_conv``."""

    neighborhood: Neighborhood
    x: torch.Tensor
    parameters: dict[str, torch.Tensor]
    options: dict[str, Any]

    @property
    def leaves(self):
        return [self.x, *self.parameters.values()]

    def run(self, engine, **changes):
        return lps_point_conv(
            self.x, self.neighborhood, **self.parameters, **{**self.options, **changes}, engine=engine
        )

    def run_and_differentiate(self, engine):
        """Return the output and all gradients for a fixed cotangent."""
        leaves = [leaf.requires_grad_() for leaf in self.leaves]
        y = self.run(engine)
        cotangent = torch.cos(torch.arange(y.numel(), dtype=torch.float64)).view_as(y).to(y.dtype)
        return [y, *torch.autograd.grad(y, leaves, cotangent)]


def make_case(seed, counts, num_sources, channels, groups, *, center, bias, options, dtype=torch.float64):
    generator = np.random.default_rng(seed)
    neighborhood = make_neighborhood(counts, num_sources, generator)
    inputs, outputs = channels

    def values(*shape):
        return torch.from_numpy(generator.standard_normal(shape)).to(dtype)

    parameters = {"weight": values(outputs, inputs // groups, counts.shape[1])}
    if center:
        parameters["center_weight"] = values(outputs, inputs // groups)
    if bias:
        parameters["bias"] = values(outputs)
    return Case(neighborhood, values(num_sources, inputs), parameters, {"groups": groups, **options})


@st.composite
def cases(draw, reductions=("mean", "sum"), dtype=torch.float64):
    """Draw bags of 0 to 4 sources, also no queries and no sources at all, and everything that a call can be given."""
    num_queries, num_sources, num_regions = draw(st.integers(0, 6)), draw(st.integers(0, 6)), draw(st.integers(1, 5))
    groups = draw(st.integers(1, 3))
    seed = draw(st.integers(0, 2**31))
    counts = np.random.default_rng(seed).integers(0, draw(st.sampled_from([1, 2, 5])), (num_queries, num_regions))
    if num_sources == 0:
        counts[:] = 0
    options = {"reduction": draw(st.sampled_from(reductions)), "normalize": draw(st.sampled_from(["present", "grid"]))}
    if options["normalize"] == "grid":
        options["region_sizes"] = draw(st.lists(st.integers(0, 5), min_size=num_regions, max_size=num_regions))
    channels = (groups * draw(st.integers(1, 3)), groups * draw(st.integers(1, 3)))
    flags = {"center": draw(st.booleans()), "bias": draw(st.booleans())}
    return make_case(seed, counts, num_sources, channels, groups, **flags, options=options, dtype=dtype)


def fixed_case(*, groups=1, center=True, bias=True, dtype=torch.float64, size=(5, 4, 3), channels=(4, 2), **options):
    num_queries, num_sources, num_regions = size
    counts = np.random.default_rng(1).integers(0, 3, (num_queries, num_regions))
    return make_case(
        2, counts, num_sources, channels, groups, center=center, bias=bias, options=options, dtype=dtype
    )  # fmt: skip


def brute_force(case):
    """Evaluate the sum over regions in loops, with nothing but numpy."""
    links, x = case.neighborhood, case.x.detach().numpy()
    arrays = {name: value.detach().numpy() for name, value in case.parameters.items()}
    weight, reduction = arrays["weight"], case.options.get("reduction", "mean")
    outputs, inputs, num_regions = weight.shape
    indptr, indices, centers = (tensor.numpy() for tensor in (links.indptr, links.indices, links.centers))
    y = np.zeros((len(centers), outputs))
    for query, out in np.ndindex(*y.shape):
        first = out // (outputs // case.options["groups"]) * inputs
        for region, channel in np.ndindex(num_regions, inputs):
            bag = query * num_regions + region
            members = [x[source, first + channel] for source in indices[indptr[bag] : indptr[bag + 1]]]
            y[query, out] += weight[out, channel, region] * reduced(members, reduction, case.options, region)
        for channel in range(inputs):
            if "center_weight" in arrays and centers[query] >= 0:
                y[query, out] += arrays["center_weight"][out, channel] * x[centers[query], first + channel]
        if "bias" in arrays:
            y[query, out] += arrays["bias"][out]
    return torch.from_numpy(y)


def reduced(members, reduction, options, region):
    if not members:
        return 0.0
    if reduction == "max":
        return max(members)
    if reduction == "sum":
        return sum(members)
    sizes = options.get("region_sizes")
    return sum(members) / (len(members) if sizes is None else max(sizes[region], 1))


def assert_all_close(found, expected, tolerance=1e-9):
    """Check two lists of tensors, in order."""
    assert len(found) == len(expected)
    for got, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(got, wanted, rtol=tolerance, atol=tolerance)


def test_a_wrong_tensor_or_a_missing_one_is_noticed():
    values = [torch.ones(2), torch.zeros(3)]
    assert_all_close(values, values)
    for wrong in ([torch.ones(2), torch.full((3,), 1e-3)], values[:1], [torch.ones(3), torch.zeros(3)]):
        with pytest.raises(AssertionError):
            assert_all_close(values, wrong)


def test_the_loop_is_right_where_it_can_be_done_by_hand():
    case = fixed_case(size=(1, 2, 1), channels=(1, 1))
    case.neighborhood = make_neighborhood(np.array([[2]]), 2, np.random.default_rng(0), centers=np.array([1]))
    case.neighborhood.indices[:] = torch.tensor([0, 1])
    case.x = torch.tensor([[2.0], [6.0]], dtype=torch.float64)
    case.parameters = {
        "weight": torch.tensor([[[10.0]]]), "center_weight": torch.tensor([[100.0]]), "bias": torch.tensor([1000.0])
    }  # fmt: skip
    case.options = {"groups": 1}
    assert brute_force(case).tolist() == [[10 * 4 + 100 * 6 + 1000]]
    case.options = {"groups": 1, "region_sizes": [4]}
    assert brute_force(case).tolist() == [[10 * 2 + 100 * 6 + 1000]]


@pytest.mark.parametrize("engine", ENGINES)
@given(case=cases())
def test_engines_equal_the_loop(engine, case):
    torch.testing.assert_close(case.run(engine), brute_force(case), rtol=1e-9, atol=1e-9)


@given(case=cases(reductions=("max",)))
def test_the_maximum_equals_the_loop(case):
    torch.testing.assert_close(case.run("auto"), brute_force(case), rtol=1e-9, atol=1e-9)


@given(case=cases())
def test_engines_have_the_gradients_of_the_reference(case):
    assert_all_close(case.run_and_differentiate("bags"), case.run_and_differentiate("reference"))


@given(case=cases(dtype=torch.float32))
def test_single_precision_equals_double(case):
    found = [tensor.double() for tensor in case.run_and_differentiate("bags")]
    double = Case(
        case.neighborhood,
        case.x.detach().double(),
        {name: value.detach().double() for name, value in case.parameters.items()},
        case.options,
    )
    assert_all_close(found, double.run_and_differentiate("reference"), 1e-4)


@pytest.mark.parametrize("elements", [1, 2**5, 2**30])
@given(case=cases())
def test_any_blocking_gives_the_same_numbers(elements, case):
    expected = case.run_and_differentiate("bags")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(point_bags, "BLOCK_ELEMENTS", elements)
        assert_all_close(case.run_and_differentiate("bags"), expected)


@pytest.mark.parametrize("most", [0, 3 * 4 * 30, 2**30])
@pytest.mark.parametrize("size", [(60, 3, 4), (3, 60, 4)])
def test_what_is_mixed_first_is_what_is_pooled_first(size, most, monkeypatch):
    calls = []
    original = point_bags._mix_then_sum
    monkeypatch.setattr(point_bags, "MIXED_ELEMENTS", most)
    monkeypatch.setattr(point_bags, "LEAST_CHANNELS", 2)
    monkeypatch.setattr(point_bags, "_mix_then_sum", lambda *given: calls.append(given[-1]) or original(*given))
    case = fixed_case(size=size, channels=(12, 12))
    assert_all_close(case.run_and_differentiate("bags"), case.run_and_differentiate("reference"))
    assert calls == ([most // (3 * 5)] if most else [])


VARIANTS = {
    "mean": {},
    "sum without centre": {"reduction": "sum", "center": False},
    "grid, no bias": {"normalize": "grid", "region_sizes": (3, 0, 1), "bias": False},
    "groups": {"groups": 2},
    "depthwise": {"groups": 4, "channels": (4, 4)},
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", VARIANTS)
def test_first_and_second_derivatives(name, engine):
    case = fixed_case(**VARIANTS[name])

    def run(x, *parameters):
        named = dict(zip(case.parameters, parameters, strict=True))
        return lps_point_conv(x, case.neighborhood, **named, **case.options, engine=engine)

    leaves = [leaf.requires_grad_() for leaf in case.leaves]
    assert gradcheck(run, leaves)
    assert gradgradcheck(run, leaves)


def test_derivatives_of_the_maximum():
    case = fixed_case(reduction="max")
    weight = case.parameters["weight"].requires_grad_()
    run = lambda x, w: lps_point_conv(x, case.neighborhood, w, reduction="max")  # noqa: E731
    assert gradcheck(run, (case.x.requires_grad_(), weight))
    assert gradgradcheck(run, (case.x, weight))


def one_bag(*sources):
    indices = torch.tensor(sources, dtype=torch.int64)
    return Neighborhood(torch.tensor([0, len(sources)]), indices, torch.tensor([-1]), num_sources=3, num_regions=1)


def test_of_equal_sources_the_first_gets_the_gradient_of_the_maximum():
    x = torch.tensor([[1.0], [5.0], [5.0]], requires_grad=True)
    y = lps_point_conv(x, one_bag(0, 1, 2), torch.ones(1, 1, 1), reduction="max")
    assert y.item() == 5
    assert torch.autograd.grad(y.sum(), x)[0].flatten().tolist() == [0, 1, 0]


@pytest.mark.parametrize(("values", "largest"), [([-3.0, -torch.inf, -2.0], -2.0), ([-torch.inf] * 3, -torch.inf)])
def test_the_maximum_of_negative_and_infinite_values(values, largest):
    x = torch.tensor(values).view(3, 1)
    assert lps_point_conv(x, one_bag(0, 1, 2), torch.ones(1, 1, 1), reduction="max").item() == largest
    assert lps_point_conv(x, one_bag(), torch.ones(1, 1, 1), reduction="max").item() == 0


@pytest.mark.parametrize("reduction", ["mean", "sum", "max"])
@pytest.mark.parametrize("engine", ENGINES)
def test_nan_goes_only_where_its_source_is_seen(engine, reduction):
    if (engine, reduction) == ("bags", "max"):
        engine = "auto"
    indptr, indices, centers = torch.tensor([0, 1, 2, 2]), torch.tensor([1, 2]), torch.tensor([-1, 1, 0])
    neighborhood = Neighborhood(indptr, indices, centers, num_sources=3, num_regions=1)
    x = torch.tensor([[torch.nan], [1.0], [torch.nan]])
    weights = torch.ones(1, 1, 1), torch.ones(1, 1)
    y = lps_point_conv(x, neighborhood, *weights, reduction=reduction, engine=engine)
    assert y.isnan().flatten().tolist() == [False, True, True]


@pytest.mark.parametrize("name", VARIANTS)
def test_operators_are_registered_completely(name):
    case = fixed_case(**VARIANTS[name])
    links = case.neighborhood
    center = "center_weight" in case.parameters
    weight = case.parameters["weight"]
    if center:
        weight = torch.cat([weight, case.parameters["center_weight"][..., None]], -1)
    weight, x = weight.detach().requires_grad_(), case.x.requires_grad_()
    bias = case.parameters.get("bias")
    how = (links.indptr, links.indices, links.centers, links.num_regions, center, "region_sizes" not in case.options)
    groups = case.options["groups"]
    gy = torch.randn(links.num_queries, weight.shape[0], dtype=torch.float64, requires_grad=True)
    opcheck(point_ops.conv, (x, weight, bias, groups, *how))
    opcheck(point_ops.input_grad, (gy, weight, links.num_sources, groups, *how))
    opcheck(point_ops.weight_grad, (x, gy, groups, *how))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_sums_in_float32(dtype):
    case = fixed_case(size=(20, 40, 6), channels=(8, 8), dtype=dtype)
    y = case.run("bags")
    double = Case(
        case.neighborhood,
        case.x.double(),
        {name: value.double() for name, value in case.parameters.items()},
        case.options,
    )
    assert y.dtype == dtype
    torch.testing.assert_close(y.double(), double.run("reference"), rtol=torch.finfo(dtype).eps, atol=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_gives_the_type_of_a_linear_layer(engine, dtype):
    case = fixed_case(dtype=torch.float32)
    leaves = [leaf.requires_grad_() for leaf in case.leaves]
    with torch.autocast("cpu", dtype=dtype):
        y, expected = case.run(engine), torch.nn.functional.linear(case.x, torch.randn(2, 4))
    assert y.dtype == expected.dtype == dtype
    gradients = torch.autograd.grad(y.float().sum(), leaves)
    assert all(gradient.dtype == torch.float32 for gradient in gradients)


def large_case():
    return fixed_case(size=(700, 500, 7), channels=(16, 24), dtype=torch.float32)


def test_repeated_runs_are_equal_to_the_bit():
    first, second = (large_case().run_and_differentiate("bags") for _ in range(2))
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


def test_two_threads_give_the_same_numbers():
    expected = large_case().run_and_differentiate("bags")
    torch.set_num_threads(2)
    try:
        assert_all_close(large_case().run_and_differentiate("bags"), expected, 1e-5)
    finally:
        torch.set_num_threads(1)


def test_values_in_any_layout_give_the_same():
    case = large_case()
    expected = case.run("bags")
    case.x = case.x.T.contiguous().T
    torch.testing.assert_close(case.run("bags"), expected)
    case.x = torch.stack([case.x, case.x], dim=-1)[..., 0]
    torch.testing.assert_close(case.run("bags"), expected)


def test_only_values_weights_and_neighborhood_are_saved_for_backward():
    case = large_case()
    for leaf in case.leaves:
        leaf.requires_grad_()
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t) or t, lambda t: t):
        case.run("bags")
    floats = sum(tensor.numel() for tensor in saved if tensor.is_floating_point())
    indices = [tensor.data_ptr() for tensor in saved if not tensor.is_floating_point()]
    assert floats <= case.x.numel() + 4 * case.parameters["weight"].numel()
    links = case.neighborhood
    assert set(indices) <= {t.data_ptr() for t in (links.indptr, links.indices, links.centers)}


# torch's own, at the first forward-mode derivative
@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
@pytest.mark.parametrize("name", VARIANTS)
def test_forward_mode(name):
    case = fixed_case(**VARIANTS[name])
    tangents = tuple(torch.cos(3 * leaf) for leaf in case.leaves)

    def run(engine):
        def function(x, *parameters):
            named = dict(zip(case.parameters, parameters, strict=True))
            return lps_point_conv(x, case.neighborhood, **named, **case.options, engine=engine)

        return function

    found = torch.func.jvp(run("bags"), tuple(case.leaves), tangents)
    assert_all_close(found, torch.func.jvp(run("reference"), tuple(case.leaves), tangents))
    _, hessian_product = torch.func.jvp(
        torch.func.grad(lambda *leaves: run("bags")(*leaves).square().sum()), tuple(case.leaves), tangents
    )
    _, expected = torch.func.jvp(
        torch.func.grad(lambda *leaves: run("reference")(*leaves).square().sum()), tuple(case.leaves), tangents
    )
    torch.testing.assert_close(hessian_product, expected)


def test_vmap_over_values_and_over_weights():
    case = fixed_case()
    clouds = torch.randn(3, *case.x.shape, dtype=torch.float64)
    weights = torch.randn(3, *case.parameters["weight"].shape, dtype=torch.float64)
    run = lambda x, w: lps_point_conv(x, case.neighborhood, w, engine="bags")  # noqa: E731
    each = torch.stack([run(x, weights[0]) for x in clouds])
    torch.testing.assert_close(torch.func.vmap(run, (0, None))(clouds, weights[0]), each)
    ensemble = torch.stack([run(case.x, w) for w in weights])
    torch.testing.assert_close(torch.func.vmap(run, (None, 0))(case.x, weights), ensemble)
    back = torch.func.vmap(torch.func.grad(lambda x: run(x, weights[0]).square().sum()))(clouds)
    expected = torch.stack([torch.func.grad(lambda x: run(x, weights[0]).square().sum())(x) for x in clouds])
    torch.testing.assert_close(back, expected)


def test_a_plan_made_in_inference_mode_serves_training():
    case = fixed_case()
    with torch.inference_mode():
        first = case.run("bags")
    found = case.run_and_differentiate("bags")
    assert torch.equal(found[0], first)
    assert_all_close(found, case.run_and_differentiate("reference"))


def test_a_neighborhood_made_in_inference_mode_serves_there():
    with torch.inference_mode():
        case = fixed_case()
        torch.testing.assert_close(case.run("bags"), case.run("reference"))


def test_meta_tensors_give_the_shape():
    case = fixed_case()
    neighborhood = case.neighborhood.to("meta")
    parameters = {name: value.to("meta") for name, value in case.parameters.items()}
    y = lps_point_conv(case.x.to("meta"), neighborhood, **parameters, **case.options)
    assert (y.shape, y.device.type) == ((5, 2), "meta")


def test_a_neighborhood_without_regions_gives_centre_and_bias():
    empty, x = torch.zeros(0, dtype=torch.int64), torch.tensor([[1.0, 2.0]])
    neighborhood = Neighborhood(torch.zeros(1, dtype=torch.int64), empty, torch.tensor([0, -1]), 1, 0)
    weights = torch.zeros(1, 2, 0), torch.ones(1, 2), torch.tensor([10.0])
    for engine in ENGINES:
        assert lps_point_conv(x, neighborhood, *weights, engine=engine).tolist() == [[13.0], [10.0]]
        assert lps_point_conv(x, neighborhood, weights[0], None, weights[2], engine=engine).tolist() == [[10.0]] * 2
        assert lps_point_conv(x, neighborhood, weights[0], engine=engine).tolist() == [[0.0]] * 2
