"""A call is repeated only with the parameters, and the values, that what is kept was made from."""

from __future__ import annotations

import gc
import weakref

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize
from torch.testing import assert_close

from lpsc_nd import LPSConv2d
from lpsc_nd.pooling import kept, repeated
from tests.pooling.repeating_layers import pooled, repeats, stem


@torch.no_grad()
@pytest.mark.parametrize("make", [stem, pooled])
@pytest.mark.parametrize("name", ["weight", "center_weight", "bias"])
def test_changed_parameters_are_noticed(name, make):
    layer = make()
    x = torch.randn(2, layer.in_channels, 9, 9)
    before = layer(x)
    getattr(layer, name).data.view(-1)[0] += 1
    assert_close(layer(x), layer.to_conv()(x))
    assert not torch.allclose(layer(x), before)


@pytest.mark.parametrize("with_graph", [False, True])
@pytest.mark.parametrize("make", [stem, pooled])
@pytest.mark.parametrize("name", ["weight", "center_weight", "bias"])
def test_what_stands_in_the_place_of_a_parameter_is_used(make, name, with_graph):
    layers = {"buffer": make(), "attribute": make(), "shadow": make(), "added later": make(), "property": make()}
    x = torch.randn(2, 5 if make is pooled else 3, 9, 9)
    if name == "bias":
        layers["added later"] = make(bias=False)
    with torch.set_grad_enabled(with_graph):
        for layer in layers.values():
            layer(x)
        value = torch.randn_like(getattr(layers["buffer"], name))
        delattr(layers["buffer"], name)
        layers["buffer"].register_buffer(name, value)
        delattr(layers["attribute"], name)
        setattr(layers["attribute"], name, value)
        layers["shadow"].__dict__[name] = value
        delattr(layers["added later"], name)
        layers["added later"].register_buffer(name, value)
        computed = type("Computed", (LPSConv2d,), {name: property(lambda self: value)})
        layers["property"].__class__ = computed
        for kind, layer in layers.items():
            for _ in range(2):
                assert_close(layer(x), layer.to_conv()(x), msg=lambda text, kind=kind: f"{kind}: {text}")
            assert getattr(layer, name) is value


def test_nothing_is_kept_of_parameters_while_a_layer_is_trained():
    layer, x = stem(), torch.randn(2, 3, 9, 9)
    with torch.no_grad():
        layer(x)
    before = weakref.ref(layer.weight)
    layer.weight = nn.Parameter(layer.weight.detach().clone())
    layer(x).sum().backward()
    gc.collect()
    assert before() is None


@pytest.mark.parametrize("make", [stem, pooled])
def test_parameters_can_be_swapped_where_they_are_converted(make):
    layer = make()
    x = torch.randn(2, layer.in_channels, 9, 9)
    with torch.no_grad():
        layer(x)
    torch.__future__.set_swap_module_params_on_conversion(True)
    try:
        layer.double()
        assert_close(layer(x.double()), layer.to_conv()(x.double()))
        with torch.no_grad():
            layer(x.double())
        layer.load_state_dict(make().double().state_dict())
        with torch.no_grad():
            assert_close(layer(x.double()), layer.to_conv()(x.double()))
    finally:
        torch.__future__.set_swap_module_params_on_conversion(False)


class Doubled(nn.Module):
    """A parametrization."""

    def forward(self, values):
        return 2 * values


@torch.no_grad()
@pytest.mark.parametrize("make", [stem, pooled])
@pytest.mark.parametrize("name", ["weight", "center_weight", "bias"])
def test_weights_that_are_computed_are_not_those_of_the_last_call(make, name):
    layer = make()
    x = torch.randn(2, layer.in_channels, 9, 9)
    before = layer(x)
    assert repeats(layer, x)
    parametrize.register_parametrization(layer, name, Doubled())
    assert not repeats(layer, x)
    assert not torch.allclose(layer(x), before)
    for _ in range(2):  # sums of weights that are all moved cancel, so they round more than those of random ones
        assert_close(layer(x), layer.to_conv()(x), rtol=1e-4, atol=1e-4)
        layer.parametrizations[name].original += 1
    parametrize.remove_parametrizations(layer, name)
    assert_close(layer(x), layer.to_conv()(x), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_errors_of_a_bias_of_another_type_are_those_of_a_first_call():
    layer, x = stem(), torch.randn(2, 3, 9, 9)
    layer(x)
    layer.bias = nn.Parameter(layer.bias.double())
    with pytest.raises(RuntimeError, match="bias type"):
        layer(x)


@torch.no_grad()
@pytest.mark.parametrize("make", [stem, pooled])
def test_errors_of_a_bias_of_another_shape_are_those_of_a_first_call(make):
    layer = make()
    x = torch.randn(2, layer.in_channels, 9, 9)
    layer(x)
    layer.bias.data = layer.bias.data[:1]
    with pytest.raises(RuntimeError, match="bias to be 1-dimensional"):
        layer(x)


@torch.no_grad()
def test_a_repetition_can_be_seen_to_be_wrong(monkeypatch):
    layer, x = stem(), torch.randn(2, 3, 9, 9)
    layer(x)
    monkeypatch.setattr(repeated.Kept, "is_of", lambda *arguments: True)
    layer.weight.data += 1
    assert not torch.allclose(layer(x), layer.to_conv()(x))


@torch.no_grad()
def test_what_is_kept_of_sums_does_not_serve_means_of_a_trimmed_window():
    layer = LPSConv2d(3, 4, 9, padding=4, num_directions=6, reduction="sum", engine="expand")
    x = torch.randn(2, 3, 3, 3)
    layer(x)
    layer.reduction = "mean"
    for _ in range(2):
        assert_close(layer(x), layer.to_conv()(x))


@torch.no_grad()
def test_a_kernel_that_is_kept_for_a_smaller_window_does_not_serve_the_whole_one(monkeypatch):
    layer = LPSConv2d(3, 4, 9, padding=4, num_directions=6, reduction="sum", engine="expand")
    monkeypatch.setattr(kept, "KEPT_ELEMENTS", layer.weight.shape[0] * layer.weight.shape[1] * 81 - 1)
    small, large = torch.randn(2, 3, 3, 3), torch.randn(2, 3, 12, 12)
    for x in (small, large, large, small, small):  # on the small one the window is trimmed to what it meets
        assert_close(layer(x), layer.to_conv()(x))
    assert repeats(layer, small)
