"""The configurations on series: every stage runs on small data, and those that are compared are one recipe."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from torch import nn

from lightning_modules.compare.plan import make_plan, read_plan
from lightning_modules.training_cli import build, run
from lpsc_nd import LPSConv1d
from lpsc_nd.models.sequences.causal_conv import CausalConv1d

CONFIGS = Path(__file__).parents[2] / "configs"
SERIES = sorted(CONFIGS.glob("series_*.yaml"))
PLANS = sorted(CONFIGS.glob("comparisons/series_*.yaml"))
KINDS = ("_conv", "_dilated", "")
SHORT = ("series_cbf", "series_forecast")
"""Configurations whose stages the short suite runs, one for each task; all others are slow."""
pytestmark = pytest.mark.filterwarnings(
    "ignore:.isinstance.treespec, LeafSpec.. is deprecated",  # Lightning asks what newer torch answers otherwise
    "ignore::jsonargparse._deprecated.JsonargparseDeprecationWarning",  # Lightning uses an older name
    "ignore:The dirpath has changed from",  # an evaluation writes elsewhere than the training
    "ignore:.*does not have many workers",
)
QUIET = ("--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false", "--trainer.accelerator=cpu")
SMALL = {
    "cbf": ["num_train=4", "num_val=3", "num_test=5"],
    "digits": ["val_fraction=0.02", "test_fraction=0.95", "batch_size=900"],
    "forecast": ["num_values=1000", "length=100", "step=100", "batch_size=4"],
    "ucr": ["batch_size=4"],
}


@pytest.fixture(autouse=True)
def _global_settings():
    """Leave torch's global determinism as it was: a trainer sets it for the whole process."""
    before = torch.are_deterministic_algorithms_enabled()
    yield
    torch.use_deterministic_algorithms(before)


@pytest.fixture
def root(tmp_path, monkeypatch):
    """An empty folder to run in, with a tiny data set where ``series_ucr.yaml`` looks for its own."""
    folder = tmp_path / "data" / "UCRArchive_2018" / "GunPoint"
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    for part, count in (("TRAIN", 8), ("TEST", 5)):
        rows = ["\t".join([str(1 + i % 2), *map(str, generator.normal(size=40).tolist())]) for i in range(count)]
        (folder / f"GunPoint_{part}.tsv").write_text("\n".join(rows) + "\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def words(path, *extra):
    task = path.stem.split("_")[1]
    small = [f"--data.init_args.{option}" for option in SMALL[task]]
    network = "width=2" if task == "forecast" else "widths=[2,2]"
    return ["--config", str(path), *QUIET, *small, f"--model.init_args.network.init_args.{network}", *extra]


@pytest.mark.parametrize(
    "path",
    [pytest.param(p, marks=[] if p.stem in SHORT else pytest.mark.slow) for p in SERIES],
    ids=lambda path: path.stem,
)
def test_every_stage_runs(path, root):
    small = words(path, "--trainer.log_every_n_steps=1")
    fitted = run(["fit", *small, "--trainer.max_epochs=1"])
    error = "test/rmse" if "forecast" in path.stem else "test/accuracy"
    assert error in fitted.trainer.callback_metrics  # a fit ends with the test
    assert fitted.trainer.state.finished
    here = Path("runs") / path.stem
    best = ["--ckpt_path", str(here / "version_0" / "checkpoints" / "best.ckpt")]
    stages = {stage: run([stage, *small, *best]) for stage in ("validate", "test", "predict")}
    assert all(cli.trainer.state.finished for cli in stages.values())
    assert "val/loss" in stages["validate"].trainer.callback_metrics
    assert error in stages["test"].trainer.callback_metrics
    with (here / "version_3" / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(stages["predict"].datamodule.splits.test)
    assert {"target_0", "predicted_0", "rmse"} <= set(rows[0]) or {"target", "predicted", "probability_1"} <= set(
        rows[0]
    )


@pytest.mark.parametrize("path", SERIES, ids=lambda path: path.stem)
def test_data_network_and_recipe_agree(path, root):
    cli = build(["--config", str(path), *QUIET])
    network, splits = cli.model.network.eval(), cli.datamodule.splits
    x, target = splits.val[:2]
    assert network(x).shape == (target.shape if "forecast" in path.stem else (2, cli.model.hparams["num_classes"]))
    if "forecast" in path.stem:
        assert cli.model.context == cli.datamodule.context
    else:
        assert int(torch.cat([splits.train[:][1], splits.test[:][1]]).max()) == cli.model.hparams["num_classes"] - 1
    assert cli.model.scheduler(torch.optim.SGD(network.parameters())).T_max == cli.trainer.max_epochs
    assert cli.trainer.default_root_dir == f"runs/{path.stem}"


def test_a_data_set_with_other_classes_is_refused_before_training(root):
    (path,) = (path for path in SERIES if path.stem == "series_ucr")
    folder = root / "data" / "UCRArchive_2018" / "GunPoint"
    (folder / "GunPoint_TRAIN.tsv").write_text("".join(f"{label}\t1.0\t2.0\n" for label in "abcabc"))
    with pytest.raises(
        ValueError, match="must hold num_classes=2 classes, got 3; set num_classes of the data, the task"
    ):
        run(["fit", *words(path)])


def test_series_of_unequal_lengths_are_trained_with_a_mask(root):
    folder = root / "data" / "UCRArchive_2018" / "Wii"
    folder.mkdir()
    header = "@univariate false\n@dimensions 2\n@equalLength false\n@classLabel true up down\n@data\n"
    generator = np.random.default_rng(0)
    for part in ("TRAIN", "TEST"):
        cases = [generator.normal(size=(2, size)).tolist() for size in (12, 30, 25, 18)]
        lines = [":".join(",".join(map(str, row)) for row in case) for case in cases]
        (folder / f"Wii_{part}.ts").write_text(
            header + "".join(f"{line}:{label}\n" for line, label in zip(lines, ["up", "down"] * 2, strict=True))
        )
    (path,) = (path for path in SERIES if path.stem == "series_ucr")
    settings = yaml.safe_load(path.read_text())
    network = settings["model"]["init_args"]["network"]
    network["class_path"] = "lpsc_nd.models.sequences.masked_residual_net.MaskedResidualNet"
    del network["init_args"]["ndim"]
    network["init_args"] |= {"in_channels": 3, "widths": [2, 2]}
    settings["data"]["init_args"] |= {"name": "Wii", "lengths": "mask", "in_channels": 3}
    Path("own.yaml").write_text(yaml.safe_dump(settings))
    cli = run(["fit", "--config", "own.yaml", *QUIET, "--trainer.max_epochs=1"])
    assert cli.trainer.callback_metrics["test/loss"].isfinite()


@pytest.mark.parametrize("task", ["cbf", "digits", "forecast"])
def test_the_recipe_is_the_same(task):
    recipes = []
    for kind in KINDS:
        config = yaml.safe_load((CONFIGS / f"series_{task}{kind}.yaml").read_text())
        assert config["trainer"].pop("default_root_dir") == f"runs/series_{task}{kind}"
        del config["model"]["init_args"]["network"]["init_args"]["conv"]
        recipes.append(config)
    assert recipes[0] == recipes[1] == recipes[2]


@pytest.mark.parametrize("task", ["cbf", "digits", "forecast"])
def test_the_convolutions_have_equally_many_weights_and_the_fields_that_are_told(task):
    networks = [build(["--config", str(CONFIGS / f"series_{task}{kind}.yaml")]).model.network for kind in KINDS]
    counts = {sum(parameter.numel() for parameter in network.parameters()) for network in networks}
    assert len(counts) == 1
    stems = [network.stem if task == "forecast" else network.stem[0] for network in networks]
    conv = CausalConv1d if task == "forecast" else nn.Conv1d
    assert [type(stem) for stem in stems] == [conv, conv, LPSConv1d]
    fields = [(-4, 0), (-32, 0), (-32, 0)] if task == "forecast" else [(-4, 4), (-16, 16), (-16, 16)]
    assert [reach(stem) for stem in stems] == fields


def reach(layer):
    """The first and the last step, from the present, that an output has a gradient to."""
    x = torch.randn(1, 1, 101, requires_grad=True)
    layer(x)[0, :, 50].sum().backward()
    (steps,) = x.grad[0, 0].nonzero(as_tuple=True)
    return int(steps.min()) - 50, int(steps.max()) - 50


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_plans_compare_three_convolutions_with_three_seeds(path):
    plan = make_plan(read_plan(path))
    assert plan.names == tuple(f"{path.stem}{kind}" for kind in KINDS)
    assert len(plan.runs()) == 9
    assert plan.equal_parameters
    assert plan.output == Path("comparisons") / path.stem
