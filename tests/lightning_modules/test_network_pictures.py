"""A network's layers and receptive field, written when it is trained."""

import csv

import pytest
import torch
from torch import nn

from lightning_modules.network_pictures import NetworkPictures
from lpsc_nd import LPSConv1d, LPSConv2d


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_layers_and_field(fit_with, capsys):
    network = nn.Sequential(LPSConv2d(1, 2, 5, padding=2, num_levels=1), nn.ReLU(), nn.Conv2d(2, 1, 3, padding=1))
    folder = fit_with(NetworkPictures([1, 16, 16]), network, (1, 16, 16), 1)
    assert {path.name for path in folder.iterdir()} == {
        *(f"layers.{kind}" for kind in ("txt", "csv")),
        *(f"erf.{kind}" for kind in ("txt", "csv", "png", "svg")),
    }
    layers = {row["layer"]: row for row in rows(folder / "layers.csv")}
    assert int(layers["total"]["parameters"]) == sum(p.numel() for p in network.parameters())
    assert layers["2"]["field"] == "7 x 7"
    (field,) = rows(folder / "erf.csv")
    assert field["estimated field"] == "7 x 7"
    assert "erf" not in capsys.readouterr().out


def test_the_network_trains_as_without(fit_with):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.BatchNorm2d(1))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    fit_with(NetworkPictures([1, 8, 8]), network, (1, 8, 8), 2)
    assert network.training
    assert network[1].num_batches_tracked == 4
    assert not torch.equal(network[0].weight, before["0.weight"])
    assert all(parameter.grad is None or parameter.grad.isfinite().all() for parameter in network.parameters())


def test_a_line_and_a_part(fit_with):
    network = nn.Sequential(LPSConv1d(1, 1, 5, padding=2), nn.Conv1d(1, 1, 3, padding=1))
    folder = fit_with(NetworkPictures([1, 20], layer="0"), network, (1, 20), 1)
    assert (folder / "erf_lines.png").exists()
    (field,) = rows(folder / "erf.csv")
    assert (field["layer"], field["estimated field"]) == ("0", "5")


def test_a_network_that_is_not_there_stops_the_training(fit_with):
    with pytest.raises(ValueError, match="network must be a part of the task, such as 'network', got 'net'"):
        fit_with(NetworkPictures([1, 8, 8], network="net"), nn.Conv2d(1, 1, 3), (1, 8, 8), 1)


def test_an_input_that_does_not_fit_stops_the_training(fit_with):
    with pytest.raises(ValueError, match="network"):
        fit_with(NetworkPictures([2, 8, 8]), nn.Conv2d(1, 1, 3), (1, 8, 8), 1)


@pytest.mark.parametrize(
    ("shape", "message"),
    [([3], r"input_shape must be channels and sizes, such as \[3, 32, 32\], got \[3\]"), ([3, 0], "at least 1, got 0")],
)
def test_bad_arguments(shape, message):
    with pytest.raises(ValueError, match=message):
        NetworkPictures(shape)
