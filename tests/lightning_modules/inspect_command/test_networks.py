"""``lpsc inspect erf`` and ``model``: networks by configuration and by name."""

from pathlib import Path

import pytest

CONFIGS = Path(__file__).parents[3] / "configs"
DIGITS = [CONFIGS / "digits_lpsc.yaml", CONFIGS / "digits_conv.yaml"]


def test_the_paper_s_fields(inspect, rows):
    folder, printed = inspect("erf", "--model", "SimpleVGG:conv", "SimpleVGG:lpsc", "--size", 96)
    table = rows(folder / "erf.csv")
    assert [row["estimated field"] for row in table] == ["14 x 14", "22 x 22"]
    assert [int(row["cells with gradient"]) for row in table] == [14 * 14, 22 * 22]
    assert all(0 < int(row["cells over 4.55 %"]) < int(row["cells with gradient"]) for row in table)
    assert {path.name for path in folder.iterdir()} == {"erf.csv", "erf.txt", "erf.png", "erf.svg"}
    assert "14 x 14" in printed


def test_a_classifier_is_looked_at_before_it_loses_its_positions(inspect, rows):
    folder, _ = inspect("erf", "--config", DIGITS[0], "--size", 40)
    (row,) = rows(folder / "erf.csv")
    # stem and two blocks of 5 x 5, the second at half size: 5 + 4 + 4 + 1 + 8 + 8
    assert (row["network"], row["estimated field"]) == ("digits_lpsc", "30 x 30")


@pytest.mark.parametrize(("layer", "size", "field"), [("stem.0", 16, "5 x 5"), ("stages.0", 9, ">= 9 x 9")])
def test_a_layer_by_name_and_a_field_cut_by_the_input(inspect, rows, layer, size, field):
    folder, _ = inspect("erf", "--config", DIGITS[0], "--size", size, "--layer", layer)
    (row,) = rows(folder / "erf.csv")
    assert (row["layer"], row["estimated field"]) == (layer, field)


def test_networks_side_by_side(inspect, rows):
    folder, printed = inspect("model", "--config", *DIGITS, "--input-shape", 1, 1, 40, 40)
    totals = {row["network"]: row for row in rows(folder / "model.csv")}
    assert {name: int(row["parameters"]) for name, row in totals.items()} == {
        "digits_lpsc": 43430,
        "digits_conv": 43762,
    }
    together = {row["layer"]: row for row in rows(folder / "model_side_by_side.csv")}
    first, last = together["stem.0"], together["stages.2.0.conv2"]
    assert (first["parameters: digits_lpsc"], first["parameters: digits_conv"]) == (str(20 * 13), str(24 * 9))
    assert first["conv FLOPs: digits_conv"] == str(24 * 9 * 40 * 40)
    assert (last["field: digits_lpsc"], last["field: digits_conv"]) == ("30 x 30", "16 x 16")
    for name, row in totals.items():
        layers = rows(folder / f"model_{name}.csv")
        assert layers[-1]["layer"] == "total"
        for quantity in ("parameters", "conv FLOPs", "pooling additions"):
            assert sum(int(layer[quantity]) for layer in layers[:-1]) == int(layers[-1][quantity]) == int(row[quantity])
    assert "stages.2.0.shortcut.0" in printed
    total = together["total"]
    assert {name: total[f"parameters: {name}"] for name in totals} == {
        n: row["parameters"] for n, row in totals.items()
    }
    assert {name: total[f"conv FLOPs: {name}"] for name in totals} == {
        n: row["conv FLOPs"] for n, row in totals.items()
    }
    assert (total["field: digits_lpsc"], total["field: digits_conv"]) == ("30 x 30", "16 x 16")


def test_one_network_by_name_without_fields(inspect, rows):
    folder, _ = inspect("model", "--model", "AlexNet:lpsc", "--no-field")
    assert {path.name for path in folder.iterdir()} == {
        "model.csv", "model.txt", "model_AlexNet_lpsc.csv", "model_AlexNet_lpsc.txt"
    }  # fmt: skip
    (row,) = rows(folder / "model.csv")
    assert (row["parameters"], row["conv FLOPs"]) == ("2306378", "11415552")
    assert {layer["field"] for layer in rows(folder / "model_AlexNet_lpsc.csv")} == {""}


def test_a_field_that_the_border_cuts_is_marked(inspect, rows):
    folder, _ = inspect("model", "--model", "SimpleVGG:lpsc", "--input-shape", 1, 3, 22, 22)
    fields = [row["field"] for row in rows(folder / "model_SimpleVGG_lpsc.csv")]
    assert fields == ["9 x 9", "13 x 13", "14 x 14", "18 x 18", ">= 22 x 22", ""]


@pytest.mark.parametrize("command", ["erf", "model"])
@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ([], "give at least one network"),
        (["--model", "VGG20"], "--model must be one of SimpleVGG, AlexNet"),
        (["--model", "AlexNet:dense"], "variant must be one of"),
        (["--model", "AlexNet", "AlexNet"], "got twice: AlexNet"),
        (["--config", "none.yaml"], "none.yaml does not exist"),
        (["--config", CONFIGS / "points_shapes.yaml"], "its network is one on points"),
    ],
)
def test_wrong_networks_are_refused(refused, command, words, reason):
    assert reason in refused(command, *words)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["erf", "--model", "SimpleVGG", "--size", 5], "SimpleVGG does not take an input of shape [3, 5, 5]"),
        (["erf", "--model", "SimpleVGG", "--size", 9, 9, 9], "--size must have one entry or 2"),
        (["erf", "--model", "SimpleVGG", "--size", 0], "must be at least 1, got 0"),
        (["erf", "--model", "SimpleVGG", "--layer", "head"], "layer must be a part of the SimpleVGG, got 'head'"),
        (["model", "--model", "SimpleVGG", "--input-shape", 1, 1, 32, 32], "SimpleVGG does not take an input of shape"),
        (["model", "--model", "SimpleVGG", "--input-shape", 3, 32], "--input-shape must be batch, channels and sizes"),
    ],
)
def test_wrong_inputs_are_refused(refused, words, reason):
    assert reason in refused(*words)


def test_a_wrong_configuration_is_refused_by_name(refused, tmp_path):
    path = tmp_path / "wrong.yaml"
    path.write_text(DIGITS[0].read_text().replace("kernel_size", "kernel_sise"))
    assert "kernel_sise" in refused("model", "--config", path)


def test_the_field_of_a_network_on_series_is_drawn_as_a_line(inspect, rows, tmp_path):
    path = tmp_path / "series.yaml"
    text = DIGITS[1].read_text().replace("torch.nn.Conv2d", "torch.nn.Conv1d")
    path.write_text(text.replace("ndim: 2\n", "ndim: 1\n"))
    folder, printed = inspect("erf", "--config", path, "--size", 50)
    (row,) = rows(folder / "erf.csv")
    assert (row["input"], row["estimated field"]) == ("50", "16")
    assert {path.name for path in folder.glob("*.png")} == {"erf_lines.png"}
    assert "no picture" not in printed


def test_fields_of_networks_on_volumes_are_drawn_as_slices(inspect, rows, tmp_path):
    text = DIGITS[1].read_text().replace("ndim: 2", "ndim: 3").replace("widths: [24, 48]", "widths: [2]")
    conv = text.replace("torch.nn.Conv2d", "torch.nn.Conv3d")
    ball = text.replace("torch.nn.Conv2d", "lpsc_nd.LPSConv3d").replace("kernel_size: 3", "kernel_size: 7")
    (tmp_path / "conv.yaml").write_text(conv)
    (tmp_path / "ball.yaml").write_text(ball.replace("padding: 1", "padding: 3\n            num_directions: [2, 4]"))
    folder, printed = inspect("erf", "--config", tmp_path / "conv.yaml", tmp_path / "ball.yaml", "--size", 22)
    fields = {row["network"]: row["estimated field"] for row in rows(folder / "erf.csv")}
    assert fields == {"conv": "7 x 7 x 7", "ball": "19 x 19 x 19"}
    assert {path.name for path in folder.glob("*.png")} == {"erf_slices.png"}
    assert "no picture" not in printed
