"""Point layers and networks on a GPU against the same on the CPU."""

import copy

import pytest
import torch
from hypothesis import given

from lpsc_nd.models import PointClassifier, PointSegmenter
from lpsc_nd.points import PyramidBuilder, global_pool
from lpsc_nd.testing.points import PointCase, point_cases

ROUNDING = {"rtol": 1e-9, "atol": 1e-9}
NETWORK = {"cell_size": 0.25, "depth": 2, "num_levels": 1, "num_directions": (2, 4)}


def on_gpu(case):
    parameters = {name: value.to("cuda") for name, value in case.parameters.items()}
    return PointCase(case.neighborhood.to("cuda"), case.x.to("cuda"), parameters, case.options)


def assert_as_on_the_cpu(case, engine):
    expected = [value.detach() for value in case.to(torch.float64).run_and_differentiate("reference")]
    found = [value.detach().cpu() for value in on_gpu(case).run_and_differentiate(engine)]
    torch.testing.assert_close(found, expected, **ROUNDING)


@pytest.mark.parametrize("engine", ["auto", "reference", "bags"])
@given(case=point_cases())
def test_output_and_gradients(engine, case):
    assert_as_on_the_cpu(case, engine)


@given(case=point_cases(reductions=("max",)))
def test_maxima(case):
    assert_as_on_the_cpu(case, "auto")


@pytest.mark.parametrize("reduction", ["mean", "sum", "max"])
def test_global_pool(reduction):
    x, batch = torch.randn(50, 3, dtype=torch.float64), torch.arange(50) // 12
    found = global_pool(x.to("cuda"), batch, 6, reduction)
    torch.testing.assert_close(found.cpu(), global_pool(x, batch, 6, reduction), **ROUNDING)


@pytest.mark.parametrize("network", [PointClassifier, PointSegmenter])
def test_networks(network):
    torch.manual_seed(0)
    builder = PyramidBuilder(**NETWORK)
    clouds = torch.rand(300, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    pyramid = builder(clouds, batch=torch.arange(300) // 150)
    here = network(0, 5, pyramid=builder, widths=(8, 16)).double()
    there = copy.deepcopy(here).to("cuda")
    results = []
    for model, laid in ((here, pyramid), (there, pyramid.to("cuda"))):
        y = model(laid.positions[0][:, :0], laid)  # no features, in float64
        gradients = torch.autograd.grad(y.square().sum(), list(model.parameters()), allow_unused=True)
        results.append([value.detach().cpu() for value in (y, *gradients) if value is not None])
    torch.testing.assert_close(results[1], results[0], rtol=1e-6, atol=1e-9)


def test_copies_from_page_locked_memory():
    pyramid = PyramidBuilder(**NETWORK)(torch.rand(100, 3))
    moved = pyramid.pin_memory().to("cuda", non_blocking=True)
    torch.cuda.synchronize()
    assert moved.to("cpu") == pyramid
    neighborhood = pyramid.neighborhoods[0]
    assert neighborhood.pin_memory().to("cuda").to("cpu") == neighborhood
