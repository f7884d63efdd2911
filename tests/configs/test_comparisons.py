"""The configurations that are compared: one recipe and network, equal budgets, the convolution that the name says."""

from pathlib import Path

import pytest
import torch
import yaml
from torch import nn

from lightning_modules.training_cli import build
from lpsc_nd import CrossConv2d, LPSConv2d
from lpsc_nd.inspect import receptive_field

CONFIGS = Path(__file__).parents[2] / "configs"
KINDS = ("conv", "dilated", "lpsc", "lpsc_cc")
pytestmark = [
    pytest.mark.filterwarnings("ignore:.isinstance.treespec, LeafSpec.. is deprecated"),  # inside Lightning
    pytest.mark.filterwarnings("ignore::jsonargparse._deprecated.JsonargparseDeprecationWarning"),
]


@pytest.fixture(autouse=True)
def _global_settings():
    """Leave torch's global determinism as it was: a trainer sets it for the whole process."""
    before = torch.are_deterministic_algorithms_enabled()
    yield
    torch.use_deterministic_algorithms(before)


@pytest.fixture(scope="module", params=["digits", "vessels"])
def task(request):
    return request.param


@pytest.fixture(scope="module")
def networks(task):
    return [build(["--config", str(CONFIGS / f"{task}_{kind}.yaml")]).model.network for kind in KINDS]


def test_the_recipe_is_the_same(task):
    recipes = []
    for kind in KINDS:
        config = yaml.safe_load((CONFIGS / f"{task}_{kind}.yaml").read_text())
        arguments = config["model"]["init_args"]["network"]["init_args"]
        assert config["trainer"].pop("default_root_dir") == f"runs/{task}_{kind}"
        assert config["model"]["init_args"]["scheduler"]["init_args"]["T_max"] == config["trainer"]["max_epochs"]
        del arguments["conv"], arguments["widths"]
        recipes.append(config)
    assert all(recipe == recipes[0] for recipe in recipes)


def test_the_budgets_are_equal_within_two_percent(networks):
    counts = [sum(parameter.numel() for parameter in network.parameters()) for network in networks]
    assert max(counts) <= 1.02 * min(counts)


def test_the_convolutions_are_what_the_names_say(task, networks):
    side = {"digits": 5, "vessels": 9}[task]
    channels = {"digits": 1, "vessels": 3}[task]
    stems = [network.stem[0] for network in networks]
    assert [type(stem) for stem in stems] == [nn.Conv2d, nn.Conv2d, LPSConv2d, CrossConv2d]
    fields = [receptive_field(stem, (channels, 33, 33)) for stem in stems]
    assert fields == [(3, 3), (side, side), (side, side), (side, side)]
    conv, lpsc = stems[3].conv, stems[3].lpsc
    assert abs(conv.out_channels - lpsc.out_channels) <= 1
    assert lpsc.partition == stems[2].partition


def test_the_vessels_configurations_take_a_batch():
    for kind in KINDS:
        cli = build(["--config", str(CONFIGS / f"vessels_{kind}.yaml"), "--data.init_args.num_val=2"])
        images, target = cli.datamodule.evaluation_batch(next(iter(cli.datamodule.val_dataloader())))
        assert cli.model(images).shape == (2, 1, *target.shape[1:])
