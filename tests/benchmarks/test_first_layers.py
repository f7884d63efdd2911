"""Stems timed without the gradient of their input."""

import pytest
import torch

from benchmarks.cases import CASES
from benchmarks.first_layers import STEMS, main, measure, row
from benchmarks.references import conv_contender
from benchmarks.samples import Samples


def test_the_stems_are_those_of_three_channels():
    assert [case.in_channels for case in STEMS] == [3, 3, 3, 3]


@pytest.mark.parametrize("asked", [True, False])
def test_the_gradient_of_the_input_is_had_where_it_is_asked_for(asked):
    case = CASES["smoke"]
    contender = conv_contender("ours", case.layer(), torch.randn(case.input_shape), "default", input_gradient=asked)
    gradients = contender.training()
    shapes = [tuple(gradient.shape) for gradient in gradients]
    assert (case.input_shape in shapes) == asked
    assert len(shapes) == 3 + asked


def test_a_row_has_both_times_and_their_ratio():
    samples = Samples({
        "ours, default": [2e-3, 4e-3, 2e-3], "ours, channels last": [3e-3, 5e-3, 3e-3],
        "dense, default": [1e-3, 4e-3, 3e-3],
    })  # fmt: skip
    written = row(CASES["smoke"], samples)
    assert written["ms"] == "2"
    assert written["dense ms"] == "3"
    assert written["x dense"] == "1.00"
    assert written["quartiles"] == "0.75 to 1.25"


def test_both_must_have_been_timed():
    with pytest.raises(ValueError, match="both timed"):
        row(CASES["smoke"], Samples({"ours, default": [1.0]}))


def test_every_layout_takes_part():
    assert set(measure(CASES["smoke"], 0.02).seconds) >= {"ours, default", "dense, default"}


def test_the_command_prints_a_table(capsys):
    assert main(["--case", "smoke", "--seconds", "0.02"]) == 0
    assert "Without the gradient of the input" in capsys.readouterr().out
