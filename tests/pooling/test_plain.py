"""When an engine may run without its operator: never while somebody differentiates, traces, batches or watches."""

import pytest
import torch

from lpsc_nd import LPSConv2d
from lpsc_nd.pooling.plain import is_plain


class Wrapped(torch.Tensor):
    """A subclass with nothing of its own."""


@pytest.fixture
def layer():
    return LPSConv2d(4, 4, 9, padding=4, engine="bags")


@pytest.fixture
def x():
    return torch.randn(2, 4, 10, 10)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_evaluation_is_plain_and_gives_the_same(layer, x, mode):
    expected = layer(x).detach()
    with mode():
        assert is_plain(x, layer.weight)
        torch.testing.assert_close(layer(x), expected, rtol=0, atol=0)


def test_training_is_not_plain(layer, x):
    assert not is_plain(x, layer.weight)


@torch.no_grad()
def test_other_tensors_are_not_plain(x):
    assert not is_plain(x, x.as_subclass(Wrapped))
    assert not is_plain(x.to("meta"))


@torch.no_grad()
def test_who_watches_sees_the_operator(watching, layer, x):
    with watching() as seen:
        layer(x)
    assert any("lpsc.conv" in name for name in seen)


@torch.no_grad()
def test_vmap_without_gradients(layer, x):
    seen = []

    def run(image):
        seen.append(is_plain(image))
        return layer(image)

    torch.testing.assert_close(torch.func.vmap(run)(x), layer(x))
    assert seen == [False]


# torch's own, at the first forward-mode derivative
@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
@torch.no_grad()
def test_forward_mode_without_gradients(layer, x):
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(x, x.flip(0))
        assert not is_plain(dual)
        tangent = torch.autograd.forward_ad.unpack_dual(layer(dual)).tangent
    torch.testing.assert_close(tangent, layer(x.flip(0)) - layer.bias.view(-1, 1, 1), rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_a_compiled_evaluation_gives_the_same(layer, x):
    torch.compiler.reset()
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), layer(x))
