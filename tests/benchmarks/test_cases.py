"""Every case builds, and what it is timed against computes the same or has the same size."""

from dataclasses import replace

import pytest
import torch

from benchmarks.cases import CASES, SMOKE, TARGETS, Target, chosen
from benchmarks.references import FORMATS, contenders, dilated_conv, engines_of, small_conv


def tiny(case):
    """The same layer on an input just large enough to have borders and an inside."""
    size = tuple(min(extent, 9) for extent in case.input_shape[2:])
    return replace(case, input_shape=(1, case.in_channels, *size))


@pytest.mark.parametrize("case", CASES.values(), ids=lambda case: case.name)
def test_the_layer_equals_its_dense_reference_in_every_layout(case):
    assert not case.layer().stencil.empty_regions
    built = {contender.name: contender for contender in contenders(tiny(case))}
    expected = built["dense, default"].forward()
    layouts = ["default", *(["channels last"] if case.ndim in FORMATS else [])]
    for name in [f"{operator}, {layout}" for operator in ("ours", "dense") for layout in layouts]:
        torch.testing.assert_close(built[name].forward(), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("case", TARGETS, ids=lambda case: case.name)
def test_the_other_convolutions_have_the_same_output_shape(case):
    x = torch.empty(case.input_shape, device="meta")
    shape = case.layer().explain(case.input_shape).output_shape
    assert small_conv(case).to("meta")(x).shape == shape
    assert dilated_conv(case).to("meta")(x).shape == shape


@pytest.mark.parametrize(
    ("name", "kernel", "dilation"),
    [
        ("conv2d-9x9-64", 3, 4),  # 9 cells for 13 weights, span 9
        ("conv2d-13x13-64", 5, 3),  # 25 for 25, span 13
        ("conv2d-31x31-64", 5, 7),  # 25 for 25, span 29
        ("conv3d-7x7x7-32", 3, 3),  # 27 for 17, span 7
        ("conv1d-101-64", 9, 12),  # 9 for 9, span 97
    ],
)
def test_the_dilated_convolution_has_about_our_field_and_weights(name, kernel, dilation):
    conv = dilated_conv(CASES[name])
    assert set(conv.kernel_size) == {kernel}
    assert set(conv.dilation) == {dilation}


def test_training_gives_the_gradients_of_input_weights_and_bias():
    built = {contender.name: contender for contender in contenders(SMOKE)}
    dense, ours = built["dense, default"].training(), built["ours, default"].training()
    assert [g.shape for g in dense] == [(1, 4, 8, 8), (4, 4, 5, 5), (4,)]
    assert [g.shape for g in ours] == [(1, 4, 8, 8), (4, 4, 6), (4, 4), (4,)]


def test_the_floor_is_the_products_of_the_mixing():
    built = {contender.operator: contender for contender in contenders(SMOKE)}
    shapes = [(64, 4), (64, 4), (4, 7 * 4)]  # output, input gradient, weight gradient: 6 regions and the centre
    for operator in ("mm", "product"):
        assert built[operator].forward().shape == shapes[0]
        assert [part.shape for part in built[operator].training()] == shapes
    torch.testing.assert_close(built["mm"].training(), built["product"].training(), rtol=1e-3, atol=1e-4)


def test_depthwise_layers_have_no_floor():
    assert not {"mm", "product"} & {contender.operator for contender in contenders(tiny(CASES["depthwise2d-9x9-64"]))}


def test_engines_can_be_timed_by_name():
    assert {"expand", "bags"} <= set(engines_of(SMOKE))
    named = {contender.operator: contender for contender in contenders(SMOKE, engines=True)}
    torch.testing.assert_close(named["engine bags"].forward(), named["engine expand"].forward(), rtol=1e-4, atol=1e-5)


def test_targets_from_below_and_from_above():
    least, most = Target("x dense, forward", 2.0), Target("floors, forward", 1.2)
    assert [least.met(value) for value in (1.9, 2.0, 2.1)] == [False, True, True]
    assert [most.met(value) for value in (1.1, 1.2, 1.3)] == [True, True, False]
    assert (str(least), str(most)) == ("≥ 2", "≤ 1.2")


def test_sets_of_cases():
    short, full = chosen([], full=False), chosen([], full=True)
    assert set(TARGETS) > set(short)
    assert set(full) == set(CASES.values()) - {SMOKE}
    assert chosen(["smoke"], full=True) == (SMOKE,)
    with pytest.raises(ValueError, match=r"no case is called huge, tiny; there are conv2d-9x9-64,"):
        chosen(["tiny", "smoke", "huge"], full=False)


def test_titles_tell_window_channels_and_size():
    assert CASES["stem2d-11x11-stride4"].title == "2-D 11x11 (3, 8) stride 4, 3 → 64, 8 of 32 x 32"
    assert CASES["conv3d-7x7x7-32"].title == "3-D 7x7x7 (2, 8), 32 → 32, 1 of 24 x 24 x 24"
    assert CASES["depthwise2d-9x9-64"].title == "2-D 9x9 (2, 6), 64 depthwise, 4 of 56 x 56"
