"""The digits experiments: one recipe, equal budgets, and what the log-polar network reaches."""

from pathlib import Path

import pytest
import torch
import yaml
from torch import nn

from lightning_modules.training_cli import build, run
from lpsc_nd import LPSConv2d
from lpsc_nd.inspect import receptive_field

CONFIGS = Path(__file__).parents[2] / "configs"
DIGITS = ["digits_conv", "digits_dilated", "digits_lpsc"]
FOREIGN_WARNINGS = pytest.mark.filterwarnings(
    "ignore:.isinstance.treespec, LeafSpec.. is deprecated",  # Lightning asks what newer torch answers otherwise
    "ignore::jsonargparse._deprecated.JsonargparseDeprecationWarning",  # Lightning uses an older name
)
pytestmark = FOREIGN_WARNINGS


@pytest.fixture(autouse=True)
def _global_settings():
    """Leave torch's global determinism as it was: a trainer sets it for the whole process."""
    before = torch.are_deterministic_algorithms_enabled()
    yield
    torch.use_deterministic_algorithms(before)


def network(name):
    return build(["--config", str(CONFIGS / f"{name}.yaml")]).model.network


def parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("digits_*.yaml")), ids=lambda path: path.stem)
def test_every_configuration_builds_and_takes_a_batch(path):
    cli = build(["--config", str(path)])
    images, labels = next(iter(cli.datamodule.val_dataloader()))
    assert cli.model(images).shape == (len(labels), cli.model.hparams["num_classes"])
    assert cli.trainer.default_root_dir == f"runs/{path.stem}"


def test_the_recipe_is_the_same():
    recipes = []
    for name in DIGITS:
        config = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text())
        arguments = config["model"]["init_args"]["network"]["init_args"]
        del arguments["conv"], arguments["widths"], config["trainer"]["default_root_dir"]
        assert config["model"]["init_args"]["scheduler"]["init_args"]["T_max"] == config["trainer"]["max_epochs"]
        recipes.append(config)
    assert recipes[0] == recipes[1] == recipes[2]


def test_the_budgets_are_equal_within_two_percent():
    counts = [parameters(network(name)) for name in DIGITS]
    assert max(counts) <= 1.02 * min(counts)


def test_the_convolutions_are_what_the_names_say():
    conv, dilated, lpsc = (network(name).stem[0] for name in DIGITS)
    assert type(conv) is type(dilated) is nn.Conv2d
    assert isinstance(lpsc, LPSConv2d)
    fields = [receptive_field(layer, (1, 17, 17)) for layer in (conv, dilated, lpsc)]
    assert fields == [(3, 3), (5, 5), (5, 5)]


@pytest.mark.slow
def test_the_log_polar_network_reaches_97_percent(tmp_path):
    words = ["fit", "--config", str(CONFIGS / "digits_lpsc.yaml"), "--trainer.default_root_dir", str(tmp_path)]
    cli = run([*words, "--trainer.enable_progress_bar=false", "--trainer.accelerator=cpu"])
    (scores,) = cli.trainer.test(cli.model, datamodule=cli.datamodule, ckpt_path="best", verbose=False)
    assert scores["test/accuracy"] >= 0.97
