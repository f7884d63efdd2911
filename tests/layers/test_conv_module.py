"""The layer as a module: what nn.Conv users expect of it beyond its numbers."""

import copy
import inspect
import pickle
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from lpsc_nd import CellPartition, LPSConv1d, LPSConv2d, LPSConv3d, LPSConvNd
from lpsc_nd.layers.dense_twin import CONV_CLASSES

FACES = {1: LPSConv1d, 2: LPSConv2d, 3: LPSConv3d}


@pytest.mark.parametrize("ndim", FACES)
def test_signature_begins_with_that_of_the_convolution(ndim):
    ours = inspect.signature(FACES[ndim]).parameters
    theirs = inspect.signature(CONV_CLASSES[ndim]).parameters
    assert list(ours)[: len(theirs)] == list(theirs)
    assert ours["kernel_size"].default is None  # a radius may stand for it
    assert all(ours[name].default == theirs[name].default for name in theirs if name != "kernel_size")
    assert all(ours[name].kind == theirs[name].kind for name in theirs)


@pytest.mark.parametrize("ndim", FACES)
def test_faces_are_the_general_class_with_their_number_of_axes(ndim):
    layer = FACES[ndim](4, 6, 7)
    general = LPSConvNd(ndim, 4, 6, 7)
    assert isinstance(layer, LPSConvNd)
    assert layer.partition == general.partition
    layer.load_state_dict(general.state_dict())
    x = torch.randn(1, 4, *(9,) * ndim)
    torch.testing.assert_close(layer(x), general(x))


def test_parameters_have_the_contracted_shapes():
    layer = LPSConv2d(6, 8, 9, groups=2, num_levels=2, num_directions=6)
    assert {name: tuple(p.shape) for name, p in layer.named_parameters()} == {
        "weight": (8, 3, 12),
        "center_weight": (8, 3),
        "bias": (8,),
    }
    bare = LPSConv2d(6, 8, 9, center=False, bias=False)
    assert bare.center_weight is None
    assert bare.bias is None
    assert list(bare.state_dict()) == ["weight"]


def test_sizes_may_be_numpy_integers():
    sizes = np.array([4, 6, 9, 1, 4, 2])
    layer = LPSConv2d(sizes[0], sizes[1], sizes[2], sizes[3], sizes[4], groups=sizes[5], engine="bags")
    assert type(layer.groups) is int
    assert layer(torch.zeros(1, 4, 9, 9)).shape == (1, 6, 9, 9)


def test_mask_is_a_fresh_array():
    layer = LPSConv2d(1, 1, 9)
    layer.mask[:] = 0
    assert layer.mask.max() == 12


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize(("ndim", "kernel"), [(1, 33), (2, 9), (2, 31), (3, 7)])
def test_output_variance_for_white_input_is_that_of_the_convolution(ndim, kernel, reduction):
    torch.manual_seed(0)
    layer = LPSConvNd(ndim, 32, 256, kernel, num_levels=3 if kernel > 9 else 2, reduction=reduction)
    conv = CONV_CLASSES[ndim](32, 256, 3)
    x = torch.randn(2, 32, *(kernel + {1: 400, 2: 12, 3: 4}[ndim],) * ndim)
    with torch.no_grad():
        ratio = float(layer(x).var() / conv(x).var())
    assert 0.85 < ratio < 1.15


def test_cell_partition_starts_with_the_law_of_the_convolution():
    torch.manual_seed(0)
    layer = LPSConv2d(16, 16, 3, partition=CellPartition((3, 3)), center=False)
    bound = 1 / (16 * 9) ** 0.5
    assert 0.98 * bound < float(layer.weight.detach().abs().max()) <= bound
    assert float(layer.bias.detach().abs().max()) <= bound


def test_seed_decides_the_parameters():
    torch.manual_seed(3)
    first = LPSConv2d(2, 2, 5, num_levels=1)
    torch.manual_seed(3)
    assert torch.equal(first.weight, LPSConv2d(2, 2, 5, num_levels=1).weight)


@pytest.mark.parametrize("engine", ["reference", "expand", "bags"])
def test_copies_give_the_same_numbers(engine):
    layer = LPSConv2d(2, 3, 9, padding="same", engine=engine)
    x = torch.randn(1, 2, 12, 12)
    expected = layer(x)
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        torch.testing.assert_close(twin(x), expected)
        assert twin.stencil == layer.stencil


def test_a_layer_made_on_meta_can_be_filled():
    layer = LPSConv2d(2, 3, 9)
    made = LPSConv2d(2, 3, 9, device="meta").to_empty(device="cpu")
    made.load_state_dict(layer.state_dict())
    x = torch.randn(1, 2, 12, 12)
    torch.testing.assert_close(made(x), layer(x))


def test_checkpoint_holds_parameters_only():
    assert set(LPSConv2d(2, 3, 9).state_dict()) == {"weight", "center_weight", "bias"}


def test_state_dict_of_another_shape_loads_nothing():
    layer = LPSConv2d(2, 3, 9)
    before = copy.deepcopy(layer.state_dict())
    other = LPSConv2d(2, 3, 9, num_levels=3).state_dict()
    with pytest.raises(RuntimeError, match=r"size mismatch for weight"):
        layer.load_state_dict(other)
    assert all(torch.equal(before[name], value) for name, value in layer.state_dict().items())


def test_to_conv_keeps_everything_but_the_sharing():
    layer = LPSConv2d(4, 6, 5, 1, "same", 2, 2, False, "circular", dtype=torch.float64, num_levels=1).eval()
    conv = layer.to_conv()
    assert isinstance(conv, nn.Conv2d)
    assert (conv.kernel_size, conv.padding, conv.dilation, conv.groups) == ((5, 5), "same", (2, 2), 2)
    assert conv.padding_mode == "circular"
    assert conv.bias is None
    assert conv.training is False
    assert conv.weight.dtype == torch.float64
    conv.weight.data.zero_()
    assert layer.weight.abs().sum() > 0


def test_to_conv_draws_no_random_numbers():
    layer = LPSConv2d(2, 2, 5, num_levels=1)
    state = torch.get_rng_state()
    layer.to_conv()
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (lambda: LPSConvNd(4, 1, 1, 3, num_levels=1, num_directions=(1, 1, 2)), "1 to 3 dimensions"),
        (lambda: LPSConv2d(1, 1, 5, reduction="max", num_levels=1), "max"),
    ],
)
def test_to_conv_says_when_there_is_none(layer, words):
    with pytest.raises(ValueError, match=words):
        layer().to_conv()


@pytest.mark.usefixtures("without_kernels")
def test_explain_names_engine_reason_and_costs():
    told = LPSConv2d(64, 64, 9, padding=4).explain((8, 64, 32, 32))
    assert told.engine == "bags"
    assert told.output_shape == (8, 64, 32, 32)
    assert set(told.costs) == {"expand", "bags"}
    assert told.costs["bags"] < told.costs["expand"]
    assert "bags" in str(told)
    assert "of 81 cells in 12 regions" in str(told)
    assert LPSConv2d(3, 64, 5, padding=2, num_levels=1).explain((1, 3, 32, 32)).engine == "expand"


def test_explain_of_a_forced_engine_and_of_empty_regions():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        layer = LPSConv2d(2, 2, 3, engine="reference")
    told = layer.explain((2, 8, 8))
    assert (told.engine, told.reason) == ("reference", "asked for by name")
    assert "empty regions: 7, 8, 9, 10, 11, 12" in str(told)


@pytest.mark.parametrize("shape", [(3, 9, 9), (2, 8), (1, 2, 4, 9), (1, 1, 1, 2, 9, 9)])
def test_explain_refuses_a_shape_that_does_not_fit(shape):
    with pytest.raises(ValueError, match="input_shape"):
        LPSConv2d(2, 2, 9).explain(shape)


def test_forced_engine_that_cannot_run_says_why():
    with pytest.raises(ValueError, match=r"engine 'bags' cannot run this: it sums"):
        LPSConv2d(1, 1, 5, reduction="max", engine="bags", num_levels=1)
    with pytest.raises(ValueError, match=r"engine 'expand' cannot run this: PyTorch has no 4-D convolution"):
        LPSConvNd(4, 1, 1, 3, engine="expand", num_levels=1, num_directions=(1, 1, 2))


def test_repr_tells_what_differs_from_the_defaults():
    text = repr(LPSConv2d(3, 8, 9, padding="same", groups=1, reduction="sum", center=False))
    assert text.startswith("LPSConv2d(3, 8, kernel_size=(9, 9), stride=(1, 1), padding='same', center=False")
    assert "reduction='sum'" in text
    assert "num_levels=2, num_directions=6, growth=2.0" in text
    assert "groups" not in text


def test_cast_keeps_the_layer_working():
    layer = LPSConv2d(2, 2, 9).to(torch.bfloat16)
    assert layer(torch.zeros(1, 2, 9, 9, dtype=torch.bfloat16)).dtype == torch.bfloat16


def test_partition_replaces_the_log_polar_keywords():
    layer = LPSConv2d(2, 2, 3, partition=CellPartition((3, 3)))
    assert layer.weight.shape == (2, 2, 9)
    with pytest.raises(ValueError, match="partition replaces num_levels, growth"):
        LPSConv2d(2, 2, 3, partition=CellPartition((3, 3)), num_levels=3, growth=3.0)
    with pytest.raises(ValueError, match="partition has 3 axes"):
        LPSConv2d(2, 2, 3, partition=CellPartition((3, 3, 3)))


@pytest.mark.filterwarnings("ignore:.*regions are empty:UserWarning")
def test_spacing_makes_regions_round_in_physical_units():
    layer = LPSConv3d(1, 1, (3, 9, 9), spacing=(4.0, 1.0, 1.0), num_directions=(2, 4))
    assert layer.partition.radius == 4.0
    assert layer.partition.axes == (4.0, 4.0, 4.0)
    assert layer.mask[0, 4, 4] == layer.partition.region([[-4.0, 0.0, 0.0]])[0]


@pytest.mark.parametrize("make", [lambda: LPSConv2d(1, 1, 3), lambda: LPSConvNd(2, 1, 1, 3)])
def test_the_warning_of_empty_regions_points_at_the_user(make):
    with pytest.warns(UserWarning, match="regions are empty") as caught:
        make()
    assert caught[0].filename == __file__


def test_only_parameters_that_matter_get_gradients():
    with pytest.warns(UserWarning, match="6 of 12 regions are empty"):
        layer = LPSConv2d(2, 2, 3, padding=1)
    layer(torch.randn(1, 2, 6, 6)).square().sum().backward()
    assert not layer.weight.grad[..., 6:].any()
    assert layer.weight.grad[..., 0].any()


@pytest.mark.parametrize("name", ["kernel_size", "stride", "padding", "dilation"])
def test_what_decides_the_window_is_not_changed_afterwards(name):
    layer = LPSConv2d(2, 4, 5, padding=2, num_levels=1)
    with pytest.raises(AttributeError):
        setattr(layer, name, (1, 1))
