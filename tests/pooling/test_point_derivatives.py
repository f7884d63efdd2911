"""Derivatives of the point engines: first and second, forward mode, vmap, what is saved, registered operators."""

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck
from torch.library import opcheck

from lpsc_nd import Neighborhood
from lpsc_nd.functional import lps_point_conv
from lpsc_nd.pooling import point_ops
from lpsc_nd.testing import random_point_case

ENGINES = ["reference", "bags"]

VARIANTS = {
    "mean": {},
    "sum without centre": {"reduction": "sum", "center": False},
    "grid, no bias": {"normalize": "grid", "region_sizes": (3, 0, 1), "bias": False},
    "groups": {"groups": 2},
    "depthwise": {"groups": 4, "channels": (4, 4)},
}


def fixed_case(*, size=(5, 4, 3), channels=(4, 2), **options):
    num_queries, num_sources, num_regions = size
    counts = np.random.default_rng(1).integers(0, 3, (num_queries, num_regions))
    return random_point_case(2, counts, num_sources, channels, **options)


def large_case():
    return fixed_case(size=(700, 500, 7), channels=(16, 24), dtype=torch.float32)


def one_bag(*sources):
    indices = torch.tensor(sources, dtype=torch.int64)
    return Neighborhood(torch.tensor([0, len(sources)]), indices, torch.tensor([-1]), num_sources=3, num_regions=1)


def assert_all_close(found, expected, tolerance=1e-9):
    """Check two lists of tensors, in order."""
    assert len(found) == len(expected)
    for got, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(got, wanted, rtol=tolerance, atol=tolerance)


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


def test_of_equal_sources_the_first_gets_the_gradient_of_the_maximum():
    x = torch.tensor([[1.0], [5.0], [5.0]], requires_grad=True)
    y = lps_point_conv(x, one_bag(0, 1, 2), torch.ones(1, 1, 1), reduction="max")
    assert y.item() == 5
    assert torch.autograd.grad(y.sum(), x)[0].flatten().tolist() == [0, 1, 0]


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
    opcheck(point_ops.conv.registered, (x, weight, bias, groups, *how))
    opcheck(point_ops.input_grad.registered, (gy, weight, links.num_sources, groups, *how))
    opcheck(point_ops.weight_grad.registered, (x, gy, groups, *how))


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
