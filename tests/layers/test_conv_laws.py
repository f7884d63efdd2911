"""Laws of the convolution as properties: drawn geometry, drawn arguments, drawn data, every engine."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from lpsc_nd import CellPartition, LogPolarPool2d, LPSConv1d, LPSConv2d, LPSConv3d, LPSConvNd
from lpsc_nd.layers.dense_twin import CONV_CLASSES
from lpsc_nd.testing import (
    LayerCase,
    assert_adjoint,
    assert_constant_input,
    assert_delta_shows_taps,
    assert_dense_twin,
    brute_force_conv,
    layer_cases,
)

ENGINES = ("reference", "expand", "bags", "auto")

# nn.Conv's own, once per process
pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning")


@pytest.mark.parametrize("engine", ENGINES)
@given(case=layer_cases())
def test_layer_equals_its_dense_twin_forward_and_backward(engine, case):
    assert_dense_twin(case.layer(engine=engine), case.input())


@given(case=layer_cases())
def test_to_conv_is_the_same_map(case):
    layer, x = case.layer(), case.input()
    conv = layer.to_conv()
    assert type(conv) is CONV_CLASSES[layer.ndim]
    torch.testing.assert_close(conv(x), layer(x), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("engine", ["reference", "maximum"])
@given(case=layer_cases(reductions=("max",), padding_modes=("zeros",)))
def test_maximum_equals_the_brute_force_loop(engine, case):
    check_brute_force(case, engine)


@pytest.mark.parametrize("engine", ["reference", "bags"])
@given(case=layer_cases(ndim=st.just(4), padding_modes=("zeros",)))
def test_four_dimensions_equal_the_brute_force_loop(engine, case):
    check_brute_force(case, engine)


def check_brute_force(case: LayerCase, engine: str) -> None:
    layer, x = case.layer(engine=engine), case.input()
    batched = x if x.ndim == layer.ndim + 2 else x[None]
    expected = brute_force_conv(
        batched.numpy(), layer.mask, layer.weight.detach().numpy(), numpy_or_none(layer.center_weight),
        numpy_or_none(layer.bias), stride=layer.stride, padding=layer.window.padding, dilation=layer.dilation,
        groups=layer.groups, reduction=layer.reduction,
    )  # fmt: skip
    np.testing.assert_allclose(layer(x).detach().numpy().reshape(expected.shape), expected, rtol=1e-9, atol=1e-9)


def numpy_or_none(parameter):
    return None if parameter is None else parameter.detach().numpy()


@given(case=layer_cases(ndim=st.integers(1, 4)))
def test_input_gradient_is_the_adjoint(case):
    assert_adjoint(case.layer(engine="bags" if len(case.arguments["kernel_size"]) > 3 else "auto"), case.input())


@pytest.mark.parametrize("engine", ["expand", "bags"])
@given(case=layer_cases(), value=st.floats(-3, 3))
def test_constant_interior_is_the_sum_of_the_weights(engine, case, value):
    assert_constant_input(case.layer(engine=engine), value)


@pytest.mark.parametrize("engine", ["reference", "expand", "bags"])
@given(case=layer_cases())
def test_a_lit_cell_shows_the_taps(engine, case):
    assert_delta_shows_taps(case.layer(engine=engine, stride=1))


@given(case=layer_cases(), data=st.data())
def test_cell_partition_without_center_is_the_convolution(case, data):
    engine = data.draw(st.sampled_from(ENGINES))
    partition = CellPartition(case.arguments["kernel_size"])
    layer, x = case.layer(engine=engine, partition=partition, center=False, reduction="mean"), case.input()
    arguments = {k: v for k, v in case.arguments.items() if k not in ("ndim", "center", "reduction", "partition")}
    conv = CONV_CLASSES[layer.ndim](**arguments, dtype=torch.float64)
    with torch.no_grad():
        conv.weight.copy_(layer.weight.view_as(conv.weight))
        if layer.bias is not None:
            conv.bias.copy_(layer.bias)
    torch.testing.assert_close(layer(x), conv(x), rtol=1e-9, atol=1e-9)


@given(case=layer_cases(ndim=st.integers(1, 3), padding_modes=("zeros",)), data=st.data())
def test_shifting_the_input_by_the_stride_shifts_the_output(case, data):
    layer = case.layer(padding=0, engine=data.draw(st.sampled_from(("reference", "expand", "bags"))))
    assume(min(layer.window.output_size(case.input_shape[-layer.ndim :])) >= 1)  # without the padding that was drawn
    axis = data.draw(st.integers(0, layer.ndim - 1))
    x = case.input()
    longer = torch.cat([x] * 4, dim=axis - layer.ndim)
    shifted = longer.narrow(axis - layer.ndim, layer.stride[axis], x.shape[axis - layer.ndim])
    y, moved = layer(longer), layer(shifted)
    sites = moved.shape[axis - layer.ndim]
    torch.testing.assert_close(y.narrow(axis - layer.ndim, 1, sites), moved, rtol=1e-9, atol=1e-9)


@given(case=layer_cases(), data=st.data())
def test_batch_split_and_unbatched_give_the_same_numbers(case, data):
    layer = case.layer(engine=data.draw(st.sampled_from(ENGINES)))
    generator = torch.Generator().manual_seed(case.seed)
    x = torch.randn(3, *case.input_shape[-layer.ndim - 1 :], generator=generator, dtype=torch.float64)
    together = layer(x)
    torch.testing.assert_close(torch.stack([layer(image) for image in x]), together, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(torch.cat([layer(x[:1]), layer(x[1:])]), together, rtol=1e-9, atol=1e-9)


@given(case=layer_cases())
def test_batch_of_none_has_the_shape_and_zero_gradients(case):
    for engine in ("reference", "expand", "bags"):
        layer = case.layer(engine=engine)
        sample = torch.zeros(1, *case.input_shape[-layer.ndim - 1 :], dtype=torch.float64)
        y = layer(sample[:0])
        assert y.shape == (0, *layer(sample).shape[1:])
        y.sum().backward()
        assert not layer.weight.grad.any()


def test_a_plane_of_height_one_is_a_line():
    torch.manual_seed(0)
    plane = LPSConv2d(3, 4, (1, 9), padding=(0, 4), num_directions=2, num_levels=3, dtype=torch.float64)
    line = LPSConv1d(3, 4, 9, padding=4, num_levels=3, dtype=torch.float64)
    line.load_state_dict(plane.state_dict())
    x = torch.randn(2, 3, 20, dtype=torch.float64)
    torch.testing.assert_close(plane(x[:, :, None])[:, :, 0], line(x))


@pytest.mark.filterwarnings("ignore:.*regions are empty:UserWarning")
def test_a_space_of_depth_one_is_a_plane():
    torch.manual_seed(0)
    space = LPSConv3d(3, 4, (1, 9, 9), padding=(0, 4, 4), num_directions=(1, 6), growth=3.0, dtype=torch.float64)
    plane = LPSConv2d(3, 4, 9, padding=4, num_directions=6, growth=3.0, dtype=torch.float64)
    plane.load_state_dict(space.state_dict())
    x = torch.randn(2, 3, 12, 11, dtype=torch.float64)
    torch.testing.assert_close(space(x[:, :, None])[:, :, 0], plane(x))


def test_a_quarter_turn_of_the_input_permutes_the_directions():
    torch.manual_seed(0)
    layer = LPSConv2d(2, 3, 9, padding=4, num_directions=4, angle=0.4, dtype=torch.float64)
    turned = LPSConv2d(2, 3, 9, padding=4, num_directions=4, angle=0.4, dtype=torch.float64)
    turned.load_state_dict(layer.state_dict())
    with torch.no_grad():
        levels = layer.weight.unflatten(-1, (layer.partition.num_levels, 4))
        turned.weight.copy_(levels.roll(1, dims=-1).flatten(2))
    x = torch.randn(1, 2, 13, 13, dtype=torch.float64)
    torch.testing.assert_close(turned(x.rot90(1, (2, 3))), layer(x).rot90(1, (2, 3)))


def test_the_corner_block_of_ones():
    # facts of the authors' program: ones, kernel 5, 2 levels, 6 directions, growth 3, output (0, 0), 4 x 3 block
    pool = LogPolarPool2d(5, padding=2, num_directions=6, growth=3.0, convention="official", layout="map")
    pooled = pool(torch.ones(1, 1, 9, 9))
    expected = torch.tensor([[0, 0, 1 / 3], [0, 0, 2 / 3], [0, 1, 1], [0, 2 / 3, 1]])
    torch.testing.assert_close(pooled[0, 0, :4, :3], expected)
    torch.testing.assert_close(pooled[0, 0, 16:20, 12:15], torch.ones(4, 3))


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("ndim", [1, 2, 4])
def test_padding_modes_equal_padding_first(mode, ndim):
    torch.manual_seed(0)
    mask_layer = LPSConvNd(ndim, 2, 2, 3, padding=1, padding_mode=mode, num_levels=1, dtype=torch.float64,
                           num_directions=2 if ndim == 1 else 4 if ndim == 2 else (1, 1, 2))  # fmt: skip
    x = torch.randn(1, 2, *(4,) * ndim, dtype=torch.float64)
    numpy_mode = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}[mode]
    padded = torch.from_numpy(np.pad(x.numpy(), [(0, 0), (0, 0)] + [(1, 1)] * ndim, mode=numpy_mode))
    bare = LPSConvNd(
        ndim, 2, 2, 3, num_levels=1, dtype=torch.float64, num_directions=mask_layer.partition.num_directions
    )
    bare.load_state_dict(mask_layer.state_dict())
    torch.testing.assert_close(mask_layer(x), bare(padded))
