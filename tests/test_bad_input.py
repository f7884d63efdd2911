"""What grids refuse: tables of arguments, the exception, and what its message has to say."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from lpsc_nd import (
    CellPartition,
    LogPolarPartition,
    LogPolarPool1d,
    LogPolarPool2d,
    LogPolarPool3d,
    LogPolarPoolNd,
    LPSConv1d,
    LPSConv2d,
    LPSConv3d,
    LPSConvNd,
    Stencil,
    build_mask,
)
from lpsc_nd.functional import log_polar_pool, lps_conv

NAN, INF = float("nan"), float("inf")
EITHER = (TypeError, ValueError)
CONVS = {  # channels first; windows wide enough for every region
    "LPSConv1d": partial(LPSConv1d, in_channels=2, out_channels=4),
    "LPSConv2d": partial(LPSConv2d, in_channels=2, out_channels=4),
    "LPSConv3d": partial(LPSConv3d, in_channels=2, out_channels=4),
    "LPSConvNd(2)": partial(LPSConvNd, 2, in_channels=2, out_channels=4),
    "LPSConvNd(4)": partial(LPSConvNd, 4, in_channels=2, out_channels=4),
}
POOLS = {
    "LogPolarPool1d": LogPolarPool1d,
    "LogPolarPool2d": LogPolarPool2d,
    "LogPolarPool3d": LogPolarPool3d,
    "LogPolarPoolNd(2)": partial(LogPolarPoolNd, 2),
}
LAYERS = {**CONVS, **POOLS}
PARTITION = LogPolarPartition.for_grid((3, 3), 1, 4, 2.0)
STENCIL = Stencil.build(PARTITION, 3)
CELLS_4D = CellPartition((3,) * 4)
IMAGE, WEIGHT = torch.zeros(1, 2, 9, 9), torch.zeros(4, 2, 4)


def rows(name, exception, *values):
    """List the rows of one argument: its name and the value got have to be in the message."""
    shown = [f"{value:g}" if isinstance(value, float) else repr(value) for value in values]
    return [({name: value}, exception, (name, f"got {text}")) for value, text in zip(values, shown, strict=True)]


def number_rows(name, *values):
    return rows(name, ValueError, *values, NAN, INF) + rows(name, TypeError, "2", None, 1j)


WINDOW = [
    *rows("kernel_size", EITHER, 0, -3, 3.0, "3", True, None, (), (3,) * 7),
    ({"kernel_size": 1}, ValueError, ("kernel_size (1,",)),
    *rows("stride", EITHER, 0, -1, 1.0, "1", None, (), (1,) * 7),
    *rows("dilation", EITHER, 0, -1, 1.5, "1", None, (), (1,) * 7),
    *rows("padding", EITHER, -1, 1.5, None, (), (1,) * 7),
    ({"padding": "full"}, ValueError, ("Invalid padding string", "'full'", "same", "valid")),
    ({"padding": "same", "stride": 2}, ValueError, ("padding='same' is not supported for strided convolutions",)),
    *rows("padding_mode", ValueError, "mirror", None, 0),
    *rows("reduction", ValueError, "median", None),
    *rows("engine", ValueError, "cuda", None),
    *rows("convention", ValueError, "polar", None),
    *rows("num_levels", ValueError, 0, -1),
    *rows("num_levels", TypeError, 2.0, True, "2", None),
    *rows("num_directions", ValueError, 0, -6),
    *rows("num_directions", TypeError, 2.5, True, "6"),
    *number_rows("growth", 1.0, 1, 0.5, 0.0, -2.0),
    *number_rows("eccentricity", 0.0, -1.0),
    *number_rows("angle"),
    *rows("spacing", ValueError, 0.0, -1.0, NAN, INF, (), (1.0,) * 7),
    *rows("spacing", TypeError, "1", 1j),
    ({"partition": 5}, TypeError, ("partition", "int")),
    ({"partition": CellPartition((3,) * 6)}, ValueError, ("partition", "6", "kernel_size")),
    ({"partition": PARTITION, "num_levels": 3}, ValueError, ("partition", "num_levels")),
]
CONV = [
    *rows("in_channels", ValueError, 0, -2),
    *rows("in_channels", TypeError, 2.0, True, "2", None),
    *rows("out_channels", ValueError, 0, -4),
    *rows("out_channels", TypeError, 4.0, True, "4", None),
    ({"groups": 0}, ValueError, ("groups must be a positive integer", "0")),
    ({"groups": -1}, ValueError, ("groups must be a positive integer", "-1")),
    *rows("groups", TypeError, 1.0, True, "1", None),
    ({"groups": 4}, ValueError, ("in_channels must be divisible by groups", "2", "4")),
    ({"groups": 2, "out_channels": 3}, ValueError, ("out_channels must be divisible by groups", "3", "2")),
]
PARTITIONS = [
    *rows("ndim", EITHER, 0, -1, 2.0, True, "2", None),
    *number_rows("radius", 0.0, -4.0),
    ({"radius": np.array([1.0, 2.0])}, EITHER, ("radius",)),
    *rows("num_levels", EITHER, 0, -1, 2.0, True, "2"),
    *rows("num_directions", EITHER, 0, -6, 2.5, True, "6", (), (2, 6), None),
    ({"num_directions": [[0.0, 2.0]]}, ValueError, ("num_directions", "2")),
    ({"num_directions": [[0.0, NAN]]}, ValueError, ("num_directions", "nan")),
    ({"num_directions": [[0.0, 0.0, 1.0]]}, ValueError, ("num_directions", "(1, 3)")),
    ({"num_directions": [[0.0, 1.0], [1.0]]}, EITHER, ("num_directions",)),
    ({"num_directions": [["a", "b"]]}, EITHER, ("num_directions",)),
    ({"ndim": 1, "num_directions": 3}, ValueError, ("num_directions", "3")),
    ({"ndim": 3, "num_directions": 7}, ValueError, ("num_directions", "7")),
    ({"ndim": 3, "num_directions": (2, 0)}, ValueError, ("num_directions", "0")),
    ({"ndim": 3, "num_directions": (2.0, 6)}, TypeError, ("num_directions", "2.0")),
    ({"ndim": 3, "num_directions": np.array([2, 6, 1])}, EITHER, ("num_directions",)),
    ({"ndim": 4, "num_directions": 6}, ValueError, ("num_directions", "6")),
    *number_rows("growth", 1.0, 0.5, -2.0),
    ({"growth": 10**400}, ValueError, ("growth",)),
    *rows("convention", ValueError, "text", 1),
    *number_rows("eccentricity", 0.0, -1.0),
    ({"ndim": 3, "num_directions": 6, "eccentricity": 0.5}, ValueError, ("eccentricity", "0.5")),
    ({"eccentricity": 0.5, "axes": (1.0, 2.0)}, ValueError, ("eccentricity", "axes")),
    *number_rows("angle"),
    ({"ndim": 1, "num_directions": 2, "angle": 0.5}, ValueError, ("angle", "0.5")),
    ({"angle": 0.5, "rotation": np.eye(2)}, ValueError, ("angle", "rotation")),
    *rows("axes", ValueError, 0.0, -1.0, NAN, (1.0,), (1.0, 2.0, 3.0)),
    ({"axes": (1.0, 0.0)}, ValueError, ("axes[1]", "got 0")),
    ({"rotation": np.zeros((2, 2))}, ValueError, ("rotation", "0.0")),
    ({"rotation": [[1.0, 0.0], [0.0, NAN]]}, ValueError, ("rotation", "nan")),
    ({"rotation": 2 * np.eye(2)}, ValueError, ("rotation", "2.0")),
    ({"rotation": np.eye(3)}, ValueError, ("rotation", "(3, 3)")),
    ({"rotation": "x"}, EITHER, ("rotation",)),
    ({"rotation": [[1.0, 0.0], [1.0]]}, EITHER, ("rotation",)),
    *number_rows("min_inner_radius", -0.5),
]
FOR_GRID = [
    *rows("kernel_size", EITHER, 0, -3, 3.0, "3", True, None, ()),
    ({"kernel_size": (1, 1)}, ValueError, ("kernel_size (1, 1)",)),
    ({"kernel_size": (3, 0)}, ValueError, ("kernel_size[1]", "got 0")),
    *rows("spacing", EITHER, 0.0, -1.0, NAN, "1", (1.0, 2.0, 3.0)),
    ({"spacing": (1.0, 0.0)}, ValueError, ("spacing[1]", "got 0")),
    *rows("num_levels", EITHER, 0, 2.0),
    *rows("num_directions", EITHER, 0, (2, 6), "6"),
    *number_rows("growth", 1.0),
    *number_rows("eccentricity", 0.0, -1.0),
    *rows("min_inner_radius", ValueError, -1.0, NAN),
    ({"kernel_size": (3, 3, 3), "num_directions": 6, "eccentricity": 2.0}, ValueError, ("eccentricity", "2")),
]
CELLS = [
    *rows("kernel_size", EITHER, 3, (), "33", None),
    ({"kernel_size": (0, 3)}, ValueError, ("kernel_size[0]", "got 0")),
    ({"kernel_size": (3, 3.0)}, TypeError, ("kernel_size[1]", "got 3.0")),
    ({"kernel_size": (True, 3)}, TypeError, ("kernel_size[0]", "got True")),
    *rows("spacing", EITHER, 0.0, -1.0, NAN, (1.0, 2.0, 3.0), "1"),
]
FUNCTIONAL = [  # of lps_conv
    ({"groups": 0}, ValueError, ("groups must be a positive integer", "0")),
    ({"groups": 3}, ValueError, ("out_channels must be divisible by groups", "4", "3")),
    *rows("groups", TypeError, 1.0, True),
    ({"stencil": STENCIL.mask}, TypeError, ("stencil", "ndarray")),
    ({"stencil": PARTITION}, TypeError, ("stencil", "LogPolarPartition")),
    ({"weight": torch.zeros(4, 2, 5)}, RuntimeError, ("weight", "[4, 2, 5]", "4]")),
    ({"weight": torch.zeros(4, 2)}, RuntimeError, ("weight", "[4, 2]")),
    ({"center_weight": torch.zeros(4, 1)}, RuntimeError, ("center_weight", "[4, 1]", "[4, 2]")),
    ({"center_weight": torch.zeros(4, 2).double()}, RuntimeError, ("float64", "float32")),
    ({"center_weight": torch.zeros(4, 2, device="meta")}, RuntimeError, ("meta", "cpu")),
    ({"bias": torch.zeros(3)}, RuntimeError, ("bias", "[3]", "4")),
    ({"bias": torch.zeros(4).double()}, RuntimeError, ("bias", "float64", "float32")),
    ({"bias": torch.zeros(4, device="meta")}, RuntimeError, ("bias", "meta", "cpu")),
]
MODES = [row for row in WINDOW if row[0].keys() <= {"stride", "padding", "dilation", "padding_mode", "reduction"}]
INPUTS = [  # an input of a layer with 2 channels and a 5 x 5 window; pooling takes any number of channels
    (torch.zeros(9, 9), ("Expected 3D (unbatched) or 4D (batched) input", "[9, 9]")),
    (torch.zeros(1, 1, 2, 9, 9), ("Expected 3D (unbatched) or 4D (batched) input", "[1, 1, 2, 9, 9]")),
    (torch.zeros(1, 2, 4, 9), ("Calculated padded input size per channel: (4 x 9). Kernel size: (5 x 5)",)),
    (torch.zeros(2, 9, 0), ("(9 x 0)", "Kernel size can't be greater than actual input size")),
    (torch.zeros(1, 2, 9, 9, dtype=torch.int64), ("Input type", "int64")),
]
CONV_INPUTS = [
    (torch.zeros(1, 3, 9, 9), ("weight of size [4, 2, 6]", "input[1, 3, 9, 9] to have 2 channels, but got 3 channels")),
    (torch.zeros(3, 9, 9), ("weight of size [4, 2, 6]", "to have 2 channels, but got 3 channels instead")),
    (torch.zeros(1, 2, 9, 9).double(), ("Input type", "float64", "weight type", "float32", "should be the same")),
    (torch.zeros(1, 2, 9, 9).half(), ("Input type", "float16", "float32", "should be the same")),
    (torch.zeros(1, 2, 9, 9, device="meta"), ("meta", "cpu", "same device")),
]
CALLS = [
    (lambda: PARTITION.region([1, 2, 3]), ValueError, ("offsets", "(3,)")),
    (lambda: PARTITION.region(1.0), ValueError, ("offsets", "()")),
    (lambda: PARTITION.region([NAN, 0.0]), ValueError, ("offsets", "NaN")),
    (lambda: PARTITION.region([0.0, -INF]), ValueError, ("offsets", "infinity")),
    (lambda: CellPartition((3, 3)).region([[1]]), ValueError, ("offsets", "(1, 1)")),
    (lambda: CellPartition((3, 3)).region([NAN, 1]), ValueError, ("offsets", "NaN")),
    (lambda: Stencil.build(None, 3), TypeError, ("partition", "NoneType")),
    (lambda: Stencil.build(PARTITION, (3, 3, 3)), ValueError, ("kernel_size", "(3, 3, 3)")),
    (lambda: Stencil.build(PARTITION, 0), ValueError, ("kernel_size", "0")),
    (lambda: Stencil.build(CellPartition((3,)), ()), ValueError, ("kernel_size", "()")),
    (lambda: build_mask(PARTITION, 3.0), TypeError, ("kernel_size", "3.0")),
    (lambda: build_mask(PARTITION, 3, spacing=0.0), ValueError, ("spacing", "0")),
    (lambda: build_mask(PARTITION, 3, spacing=(1.0, NAN)), ValueError, ("spacing", "nan")),
    (lambda: Stencil.from_mask(3), ValueError, ("mask", "()")),
    (lambda: Stencil.from_mask([]), ValueError, ("mask", "(0,)")),
    (lambda: Stencil.from_mask([0.5, 1.0]), TypeError, ("integers", "float64")),
    (lambda: Stencil.from_mask([0, -1]), ValueError, ("-1",)),
    (lambda: Stencil.from_mask([0, 3], 2), ValueError, ("0..2", "3")),
    (lambda: Stencil.from_mask([0, 1], 1.0), TypeError, ("num_regions", "1.0")),
    (lambda: LPSConvNd(0, 2, 4, 5), ValueError, ("ndim", "0")),
    (lambda: LPSConvNd(2.0, 2, 4, 5), TypeError, ("ndim", "2.0")),
    (lambda: LogPolarPoolNd(True, 5), TypeError, ("ndim", "True")),
    (lambda: LPSConv2d(2, 4, (3, 3.0)), TypeError, ("kernel_size", "3.0")),
    (lambda: LPSConv2d(2, 4, 5, stride=(1, 0)), ValueError, ("stride", "0")),
    (lambda: LPSConv2d(2, 4, 5, padding=(1, -1)), ValueError, ("padding", "-1")),
    (lambda: LPSConv3d(2, 4, 5, eccentricity=2.0), ValueError, ("eccentricity", "2")),
    (lambda: LPSConv2d(2, 4, 5, spacing=(1.0, 0.0)), ValueError, ("spacing", "0")),
    (lambda: LogPolarPool2d(5, num_levels=1, layout="grid"), ValueError, ("layout", "'grid'")),
    (lambda: LogPolarPool2d(9, num_directions=5, layout="map"), ValueError, ("even", "directions", "5")),
    (lambda: log_polar_pool(IMAGE, PARTITION), TypeError, ("stencil", "LogPolarPartition")),
    (lambda: log_polar_pool(IMAGE, STENCIL, engine="maximum"), ValueError, ("engine", "'maximum'", "'mean'")),
    (lambda: lps_conv(IMAGE, WEIGHT, STENCIL, reduction="max", engine="expand"), ValueError, ("engine", "'expand'")),
    (lambda: LPSConvNd(4, 2, 4, 3, partition=CELLS_4D, engine="expand"), ValueError, ("engine", "'expand'", "4-D")),
]


def assert_refused(call, exception, words):
    """Check that ``call()`` raises ``exception`` with all ``words`` in its message."""
    with pytest.raises(exception) as error:
        call()
    missing = [word for word in words if word not in str(error.value)]
    assert not missing, f"{missing} not in {str(error.value)!r}"


def table(rows):
    """Parametrise a test by (arguments, exception, words)."""
    names = [", ".join(f"{name}={value!r}".replace("\n", "") for name, value in row[0].items()) for row in rows]
    return pytest.mark.parametrize(("arguments", "exception", "words"), rows, ids=[name[:60] for name in names])


@pytest.mark.parametrize("layer", LAYERS)
@table(WINDOW)
def test_a_layer_refuses_its_window(layer, arguments, exception, words):
    given = {"kernel_size": 5, "num_levels": 1, **arguments}
    if "partition" in arguments:
        given = {"kernel_size": 5, **arguments}
    assert_refused(lambda: LAYERS[layer](**given), exception, words)


@pytest.mark.parametrize("layer", CONVS)
@table(CONV)
def test_a_convolution_refuses_its_channels(layer, arguments, exception, words):
    assert_refused(lambda: CONVS[layer](**{"kernel_size": 5, "num_levels": 1, **arguments}), exception, words)


@table(PARTITIONS)
def test_a_partition_refuses_its_geometry(arguments, exception, words):
    given = {"ndim": 2, "radius": 4.0, "num_levels": 2, "num_directions": 6, "growth": 2.0, **arguments}
    assert_refused(lambda: LogPolarPartition(**given), exception, words)


@table(FOR_GRID)
def test_a_partition_refuses_its_grid(arguments, exception, words):
    given = {"kernel_size": (9, 9), "num_levels": 2, "num_directions": 6, "growth": 2.0, **arguments}
    assert_refused(lambda: LogPolarPartition.for_grid(**given), exception, words)


@table(CELLS)
def test_cells_refuse_their_window(arguments, exception, words):
    assert_refused(lambda: CellPartition(**{"kernel_size": (3, 3), **arguments}), exception, words)


@table([*FUNCTIONAL, *MODES])
def test_the_functional_convolution_refuses(arguments, exception, words):
    given = {"input": IMAGE, "weight": WEIGHT, "stencil": STENCIL, **arguments}
    assert_refused(lambda: lps_conv(**given), exception, words)


@table(MODES)
def test_the_functional_pooling_refuses(arguments, exception, words):
    assert_refused(lambda: log_polar_pool(**{"input": IMAGE, "stencil": STENCIL, **arguments}), exception, words)


@pytest.mark.parametrize(("call", "exception", "words"), CALLS)
def test_a_call_is_refused(call, exception, words):
    assert_refused(call, exception, words)


@pytest.mark.parametrize("engine", ["auto", "reference", "expand", "bags"])
@pytest.mark.parametrize(("image", "words"), [*INPUTS, *CONV_INPUTS])
def test_a_convolution_refuses_its_input(engine, image, words):
    layer = LPSConv2d(2, 4, 5, num_levels=1, engine=engine)
    assert_refused(lambda: layer(image), RuntimeError, words)


@pytest.mark.parametrize("engine", ["auto", "reference", "expand", "bags"])
@pytest.mark.parametrize(("image", "words"), INPUTS)
def test_a_pooling_refuses_its_input(engine, image, words):
    layer = LogPolarPool2d(5, num_levels=1, engine=engine)
    assert_refused(lambda: layer(image), RuntimeError, words)


@pytest.mark.parametrize(
    ("arguments", "image", "words"),
    [
        ({"groups": 0}, IMAGE, "groups must be a positive integer"),
        ({"groups": 4}, IMAGE, "in_channels must be divisible by groups"),
        ({"groups": 2, "out_channels": 3}, IMAGE, "out_channels must be divisible by groups"),
        ({"padding": "full"}, IMAGE, "Invalid padding string"),
        ({"padding": "same", "stride": 2}, IMAGE, "padding='same' is not supported for strided convolutions"),
        ({"padding_mode": "mirror"}, IMAGE, "padding_mode must be one of"),
        ({}, INPUTS[0][0], "Expected 3D (unbatched) or 4D (batched) input"),
        ({}, INPUTS[1][0], "but got input of size: [1, 1, 2, 9, 9]"),
        (
            {},
            INPUTS[2][0],
            "Calculated padded input size per channel: (4 x 9). Kernel size: (5 x 5). Kernel",
        ),
        ({}, CONV_INPUTS[0][0], "expected input[1, 3, 9, 9] to have 2 channels, but got 3 channels instead"),
        ({}, CONV_INPUTS[2][0], "should be the same"),
    ],
    ids=lambda value: str(value)[:50] if isinstance(value, (str, dict)) else "",
)
def test_the_words_are_those_of_nn_conv(arguments, image, words):
    given = {"in_channels": 2, "out_channels": 4, "kernel_size": 5, **arguments}
    assert_refused(lambda: nn.Conv2d(**given)(image), (ValueError, RuntimeError), [words])
    assert_refused(lambda: LPSConv2d(**given, num_levels=1)(image), (ValueError, RuntimeError), [words])


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("name", ["weight", "center_weight", "bias"])
def test_a_state_dict_of_other_shapes_loads_nothing_of_its_layer(name, strict):
    model = nn.Sequential(LPSConv2d(2, 4, 5, num_levels=1))
    before = {key: value.clone() for key, value in model.state_dict().items()}
    foreign = {key: value + 1 for key, value in before.items()}
    foreign[f"0.{name}"] = torch.zeros(7, *before[f"0.{name}"].shape[1:])
    shapes = str(list(foreign[f"0.{name}"].shape)), str(list(before[f"0.{name}"].shape))
    words = [f"size mismatch for 0.{name}", *(text.strip("[]") for text in shapes)]
    assert_refused(lambda: model.load_state_dict(foreign, strict=strict), RuntimeError, words)
    for key, value in model.state_dict().items():
        torch.testing.assert_close(value, before[key], rtol=0, atol=0)


def test_a_state_dict_without_tensors_is_refused():
    layer = LPSConv2d(2, 4, 5, num_levels=1)
    foreign = {**layer.state_dict(), "weight": [1.0, 2.0]}
    assert_refused(lambda: layer.load_state_dict(foreign), RuntimeError, ["weight", "list"])


def test_a_missing_word_is_found():
    with pytest.raises(AssertionError, match="blue"):
        assert_refused(lambda: int("red"), ValueError, ["red", "blue"])


def test_another_exception_is_found():
    with pytest.raises(ValueError, match="red"):
        assert_refused(lambda: int("red"), TypeError, [])


def test_a_call_that_is_not_refused_is_found():
    with pytest.raises(pytest.fail.Exception):
        assert_refused(lambda: int("1"), ValueError, [])
