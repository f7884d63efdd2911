"""Constants that are kept serve every call, wherever the first one that needed them was made."""

import contextlib

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.testing import assert_close

from lpsc_nd import LogPolarPool2d, LPSConv2d
from lpsc_nd.pooling import constants

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")


def loss(layer):
    return lambda x: layer(x).square().sum()


def hessian_vector_product(layer, x):
    torch.func.jvp(torch.func.grad(loss(layer)), (x,), (x,))


def hessian(layer, x):
    torch.func.hessian(lambda scale: loss(layer)(x * scale))(torch.ones(()))


def functionalized(layer, x):
    with contextlib.suppress(RuntimeError):  # functionalize knows no autograd.Function
        torch.func.functionalize(layer)(x)


def with_fake_tensors(layer, x):
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        layer(mode.from_tensor(x))


@pytest.mark.parametrize("first", [hessian_vector_product, hessian, functionalized, with_fake_tensors])
@pytest.mark.parametrize("engine", ["reference", "expand", "bags"])
def test_a_first_call_within_a_transform_leaves_nothing_behind(first, engine):
    layers = [LPSConv2d(2, 2, 5, padding=2, num_levels=1, engine=engine), LogPolarPool2d(5, padding=2, num_levels=1)]
    x = torch.randn(1, 2, 8, 8)
    for layer in layers:
        constants._kept.cache_clear()
        first(layer, x)
        with torch.no_grad():
            y = layer(x)
        assert type(y) is torch.Tensor
        constants._kept.cache_clear()
        assert_close(layer(x), y)
        first(layer, x)
    assert_close(layers[0](x), layers[0].to_conv()(x))


def test_constants_are_kept_for_plain_calls():
    layer, x = LPSConv2d(2, 2, 5, padding=2, num_levels=1), torch.randn(1, 2, 8, 8)
    layer(x)
    made = constants._kept.cache_info().misses
    LPSConv2d(2, 2, 5, padding=2, num_levels=1)(x)
    assert constants._kept.cache_info().misses == made
