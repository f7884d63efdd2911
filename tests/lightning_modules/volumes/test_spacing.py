"""Spacing from the data to the layers: compared when a run starts, or written into the configuration."""

from pathlib import Path

import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonargparse import Namespace
from torch import nn

from lightning_modules.training_cli import build, run
from lightning_modules.volumes.segmentation import VolumeSegmentationTask
from lightning_modules.volumes.spacing import check_layer_spacing, set_layer_spacing
from lpsc_nd import CrossConv3d, LPSConv2d, LPSConv3d

CONFIGS = Path(__file__).parents[3] / "configs"
STEPS = st.sampled_from([0.5, 0.8, 1.0, 2.0, 2.5])
SPACINGS = st.tuples(STEPS, STEPS, STEPS)


def layer(spacing):
    return LPSConv3d(1, 1, 5, num_levels=1, num_directions=6, spacing=spacing)


@given(own=st.one_of(st.none(), st.floats(0.1, 9), SPACINGS), data=SPACINGS)
def test_ratios_are_compared(own, data):
    steps = own if isinstance(own, tuple) else (1, 1, 1)
    alike = all(abs(a * data[0] / (steps[0] * b) - 1) < 1e-6 for a, b in zip(steps, data, strict=True))
    network = nn.Sequential(nn.Conv3d(1, 1, 1), layer(own))
    if alike:
        check_layer_spacing(network, data)
    else:
        with pytest.raises(ValueError, match="isotropic in millimetres; 1 has"):
            check_layer_spacing(network, data)


@given(data=SPACINGS, error=st.floats(-1e-5, 1e-5))
def test_an_affine_of_single_precision_will_do(data, error):
    check_layer_spacing(layer(data), tuple(extent * (1 + error * axis) for axis, extent in enumerate(data)))


def test_layers_within_others_are_found_and_those_of_other_dimensions_are_not():
    cross = CrossConv3d(1, 2, 5, num_levels=1, num_directions=6, conv_kernel_size=3)
    with pytest.raises(ValueError, match="lpsc has None"):
        check_layer_spacing(cross, (2.0, 1.0, 1.0))
    check_layer_spacing(LPSConv2d(1, 1, 5, num_levels=1), (2.0, 1.0, 1.0))
    check_layer_spacing(nn.Conv3d(1, 1, 3), (2.0, 1.0, 1.0))


class Data:
    """What has a spacing."""

    def __init__(self, *spacing):
        self.spacing = spacing


def test_open_places_get_the_spacing_and_others_keep_theirs():
    inner = Namespace(conv=Namespace(spacing=None), other=[Namespace(spacing=(1.0, 1.0, 1.0))], more={"a": {"b": None}})
    assert set_layer_spacing(Namespace(init_args=inner), Data(3, 1, 1)) == 1
    assert inner.conv.spacing == [3.0, 1.0, 1.0]
    assert inner.other[0].spacing == (1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("settings", "data", "message"),
    [
        (Namespace(spacing=None), object(), "needs data with a spacing, and object has none"),
        (Namespace(kernel_size=3), Data(1, 1, 1), "needs layers that take a spacing, and the network has none"),
    ],
)
def test_what_cannot_be_done_is_told(settings, data, message):
    with pytest.raises(ValueError, match=message):
        set_layer_spacing(settings, data)


SMALL = (
    *("--data.init_args.num_train=1", "--data.init_args.num_val=1", "--data.init_args.num_test=1"),
    *("--trainer.log_every_n_steps=1", "--data.init_args.batch_size=1"),
    *("--data.init_args.augment=false", "--trainer.accelerator=cpu"),
    *("--model.init_args.network.init_args.widths=[1,1]", "--model.init_args.network.init_args.budget=500"),
)
ANISOTROPIC = ["--config", str(CONFIGS / "volumes_vessels_anisotropic.yaml"), *SMALL]


@pytest.mark.parametrize("spacing", [(3.0, 1.0, 1.0), (2.0, 1.0, 1.25)])
def test_a_configuration_takes_the_spacing_of_the_data(spacing):
    cli = build([*ANISOTROPIC, f"--data.init_args.spacing={list(spacing)}"])
    layers = [module for module in cli.model.network.modules() if isinstance(module, LPSConv3d)]
    assert layers
    assert {tuple(layer.spacing) for layer in layers} == {spacing}
    assert cli.datamodule.spacing == spacing


def test_what_the_configuration_says_wins_and_is_compared():
    words = [*ANISOTROPIC, "--model.init_args.network.init_args.conv.init_args.spacing=[1.0,1.0,1.0]"]
    words += ["--trainer.fast_dev_run=true", "--trainer.enable_progress_bar=false"]
    with pytest.raises(ValueError, match=r"\(3\.0, 1\.0, 1\.0\).*has \(1\.0, 1\.0, 1\.0\):"):
        run(["fit", *words])


def test_the_spacing_is_kept_with_the_run(tmp_path):
    quiet = ["--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false", "--trainer.callbacks=null"]
    run(["fit", *ANISOTROPIC, *quiet, "--trainer.max_epochs=1", f"--trainer.default_root_dir={tmp_path}"])
    folder = tmp_path / "version_0"
    kept = yaml.safe_load((folder / "config.yaml").read_text())["model"]["init_args"]["network"]["init_args"]["conv"]
    assert kept["init_args"]["spacing"] == [3.0, 1.0, 1.0]
    again = VolumeSegmentationTask.load_from_checkpoint(folder / "checkpoints" / "last.ckpt")
    layers = [module for module in again.network.modules() if isinstance(module, LPSConv3d)]
    assert {tuple(layer.spacing) for layer in layers} == {(3.0, 1.0, 1.0)}
    assert torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["hyper_parameters"]["num_classes"] == 2
