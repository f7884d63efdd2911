"""The table of a network's layers."""

import csv
import io

import pytest
import torch
from torch import nn

from lpsc_nd import CrossConv2d, LPSConv2d
from lpsc_nd.inspect.flops import Work
from lpsc_nd.inspect.layer_table import HEADERS, layer_table
from lpsc_nd.models import CifarResNet


class Shared(nn.Module):
    """Calls one layer twice, ties two others, and leaves one out."""

    def __init__(self):
        super().__init__()
        self.twice = nn.Conv2d(3, 3, 3, padding=1)
        self.tied = nn.Conv2d(3, 3, 3, padding=1)
        self.tied.weight = self.twice.weight
        self.unused = nn.Linear(2, 2)
        self.relu = nn.ReLU()
        self.scale = nn.Parameter(torch.ones(3, 1, 1))

    def forward(self, x):
        return self.relu(self.tied(self.twice(self.twice(x)))) * self.scale


def test_rows_of_shared_tied_and_unused_layers():
    module = Shared()
    table = layer_table(module, (2, 3, 4, 5))
    rows = {row.name: row for row in table.rows}
    assert list(rows) == ["", "twice", "tied", "unused"]
    assert [row.parameters for row in table.rows] == [3, 84, 3, 6]
    assert [row.calls for row in table.rows] == [1, 2, 1, 0]
    assert rows["twice"].work == Work(2 * 2 * 3 * 20 * 27)
    assert rows["twice"].output_shape == (2, 3, 4, 5)
    assert rows["twice"].window == (3, 3)
    assert rows["unused"].output_shape is None
    assert table.parameters == sum(p.numel() for p in module.parameters())
    assert table.work == Work(3 * 2 * 3 * 20 * 27)
    assert table.uncounted == ("",)


def test_the_network_is_left_as_it_was():
    network = CifarResNet(8, variant="lpsc_cc")
    network.layer2.eval()
    modes = [part.training for part in network.modules()]
    before = {name: value.clone() for name, value in network.state_dict().items()}
    layer_table(network, (1, 3, 32, 32))
    assert [part.training for part in network.modules()] == modes
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(value.device.type == "cpu" for value in network.state_dict().values())
    assert not any(part._forward_hooks for part in network.modules())


def test_a_failing_network_is_left_as_it_was_too():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Linear(7, 2))
    with pytest.raises(RuntimeError):
        layer_table(network, (1, 3, 8, 8))
    assert network.training
    assert not any(part._forward_hooks for part in network.modules())


def test_values_do_not_cost_memory():
    with torch.device("meta"):
        network = nn.Sequential(nn.Conv2d(3, 1 << 16, 31, padding=15))
    assert layer_table(network, (64, 3, 4096, 4096)).work.conv_flops == 64 * 4096**2 * 3 * 31**2 << 16


def test_half_precision_and_three_dimensions():
    network = nn.Sequential(nn.Conv3d(1, 2, 3, dtype=torch.bfloat16))
    assert layer_table(network, (1, 1, 5, 5, 5)).rows[0].output_shape == (1, 2, 3, 3, 3)


def test_text():
    network = nn.Sequential(LPSConv2d(2, 4, 9, padding=4, growth=3.0, convention="official"), nn.ReLU())
    lines = layer_table(network, (1, 2, 10, 10)).to_text().splitlines()
    assert lines[0].split("  ")[0] == "layer"
    assert " ".join(lines[1].split()) == "0 LPSConv2d 108 1 1 x 4 x 10 x 10 9 x 9 10400 0 13800"
    assert lines[2].split() == ["total", "108", "10400", "0", "13800"]
    assert len({len(line) for line in lines}) == 1


def test_text_names_what_is_not_counted():
    network = nn.Sequential(nn.LayerNorm(4), nn.ReLU())
    text = layer_table(network, (2, 4)).to_text()
    assert text.endswith("not counted: 0")
    assert text.splitlines()[1].split() == ["0", "LayerNorm", "8", "1", "2", "x", "4", "?", "?", "?"]


def test_csv_has_every_row():
    table = layer_table(nn.Sequential(CrossConv2d(3, 16, 9, padding=4), nn.MaxPool2d(2)), (1, 3, 8, 8))
    rows = list(csv.reader(io.StringIO(table.to_csv())))
    assert rows[0] == list(HEADERS)
    assert [row[:3] for row in rows[1:]] == [
        ["0.conv", "Conv2d", "224"],
        ["0.lpsc", "LPSConvNd", "320"],
        ["1", "MaxPool2d", "0"],
    ]
    assert rows[1][4] == "1 x 8 x 8 x 8"


@pytest.mark.parametrize(
    ("shape", "error", "message"),
    [
        ((1, 3, 0, 8), ValueError, r"input_shape\[2\] must be at least 1, got 0"),
        ((1, 3.0), TypeError, r"input_shape\[1\] must be an integer, got 3.0"),
    ],
)
def test_bad_shapes_are_named(shape, error, message):
    with pytest.raises(error, match=message):
        layer_table(nn.Identity(), shape)
