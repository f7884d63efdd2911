"""The paper's experiments: each cell of Tables 1 to 5 is one network with the published recipe, and runs on files."""

import csv
from pathlib import Path

import pytest
import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau

from lightning_modules.cli import build, main, run
from lightning_modules.compare.plan import make_plan, read_plan
from lightning_modules.compare.published import PUBLISHED, published_scores
from lightning_modules.compare.tables import quantity_of
from lightning_modules.initial_weights import InitialWeights

CONFIGS = Path(__file__).parents[2] / "configs"
PLANS = sorted((CONFIGS / "comparisons").glob("table*.yaml"))
VARIANT = "--model.init_args.network.init_args.variant"
pytestmark = [
    pytest.mark.filterwarnings(message)
    for message in (
        "ignore:.isinstance.treespec, LeafSpec.. is deprecated",  # Lightning asks what newer torch answers otherwise
        "ignore::jsonargparse._deprecated.JsonargparseDeprecationWarning",  # Lightning uses an older name
        "ignore:The dirpath has changed from",  # an evaluation writes elsewhere than the training
        "ignore:.*does not have many workers",
    )
]

# Parameters with one bias per layer: they tell networks, variants and numbers of classes apart.
PARAMETERS = {
    "cifar10/alexnet": {"conv": 2_472_266, "dilated": 2_343_242, "lpsc": 2_306_378},
    "cifar100/alexnet": {"conv": 2_495_396, "dilated": 2_366_372, "lpsc": 2_329_508},
    "cifar10/vgg19": {"conv": 20_040_522, "dilated": 20_078_922, "lpsc": 20_078_346},
    "cifar100/vgg19": {"conv": 20_086_692, "dilated": 20_125_092, "lpsc": 20_124_516},
    "cifar10/resnet20": {"conv": 272_474, "dilated": 272_810, "lpsc": 272_682, "lpsc_cc": 274_138},
    "cifar100/resnet20": {"conv": 278_324, "dilated": 278_660, "lpsc": 278_532, "lpsc_cc": 279_988},
    "cifar100/resnet110": {"conv": 1_736_564, "dilated": 1_736_900, "lpsc": 1_736_772, "lpsc_cc": 1_746_028},
    "imagenet/resnet18": {"conv": 11_689_512, "lpsc": 11_684_968, "lpsc_cc": 11_696_600},
    "voc2012/deeplabv3plus": {"conv": 5_225_717, "lpsc": 5_799_413},
    "drive/cenet": {"conv": 29_003_093, "lpsc_1": 31_100_245, "lpsc_2": 37_391_701},
}
CELLS = [f"{network}_{variant}" for network, variants in PARAMETERS.items() for variant in variants]

# Of the SGD recipes: batch, epochs, steps (-1: no limit), weight decay, and rates after so many steps of the schedule.
CIFAR = {0: [0.1], 80: [0.1], 81: [0.01], 121: [0.01], 122: [0.001], 163: [0.001]}
IMAGENET = {0: [0.025], 30: [0.025], 31: [0.0025], 60: [0.0025], 61: [0.00025], 89: [0.00025]}
VOC = {0: [0.001, 0.01], 15_000: [0.001 * 0.5**0.9, 0.01 * 0.5**0.9], 29_999: [1e-6, 1e-6]}
RECIPES = {
    "alexnet": (128, 164, -1, 5e-4, CIFAR),
    "vgg19": (128, 164, -1, 5e-4, CIFAR),
    "resnet20": (128, 164, -1, 1e-4, CIFAR),
    "resnet110": (128, 164, -1, 1e-4, CIFAR),
    "resnet18": (64, 90, -1, 1e-4, IMAGENET),
    "deeplabv3plus": (16, -1, 30_000, 1e-4, VOC),
}
SEEDS = {"table1": 5, "table2": 5, "table3": 1, "table4": 1, "table5": 10}

ONE_EPOCH = [
    "--trainer.max_epochs=1",
    "--trainer.log_every_n_steps=1",
    "--trainer.enable_progress_bar=false",
    "--trainer.enable_model_summary=false",
    "--trainer.accelerator=cpu",
    *(f"--trainer.limit_{stage}_batches=1" for stage in ("train", "val", "test", "predict")),
    "--data.init_args.num_workers=0",
    "--data.init_args.batch_size=2",
]
SMALL = {
    "imagenet": ["--data.init_args.size=64", "--data.init_args.resize_to=64"],
    "voc2012": ["--data.init_args.crop=65"],
    "drive": ["--data.init_args.size=192", "--checkpoint.save_weights_only=true"],
}
FAST = ("cifar100/resnet20_lpsc_cc", "voc2012/deeplabv3plus_lpsc")
SCORES = {
    "voc2012": {"test/oAcc", "test/mAcc", "test/fAcc", "test/mIoU"},
    "drive": {"test/sensitivity", "test/accuracy", "test/AUC"},
}


@pytest.fixture(autouse=True)
def _global_settings():
    """Leave torch's global determinism as it was: a trainer sets it for the whole process."""
    before = torch.are_deterministic_algorithms_enabled()
    yield
    torch.use_deterministic_algorithms(before)


def config(cell):
    return ["--config", str(CONFIGS / "paper" / f"{cell}.yaml")]


def built(cell, *words):
    return build([*config(cell), "--trainer.accelerator=cpu", *words])


def count(cli):
    return sum(parameter.numel() for parameter in cli.model.network.parameters())


def rates_after(cli, steps):
    """Return the rates of all parameter groups after so many steps of the task's own schedule."""
    chosen = cli.model.configure_optimizers()
    optimizer, scheduler = chosen["optimizer"], chosen["lr_scheduler"]["scheduler"]
    optimizer.step()
    found = {}
    for step in range(max(steps) + 1):
        if step in steps:
            found[step] = [group["lr"] for group in optimizer.param_groups]
        scheduler.step()
    return found


def test_there_is_a_configuration_for_each_cell_and_no_other():
    paths = (CONFIGS / "paper").rglob("*.yaml")
    assert sorted(CELLS) == sorted(str(path.relative_to(CONFIGS / "paper").with_suffix("")) for path in paths)


@pytest.mark.parametrize("cell", CELLS)
def test_each_cell_is_its_network_with_the_published_recipe(cell):
    cli = built(cell)
    network, variant = next((name, cell[len(name) + 1 :]) for name in PARAMETERS if cell.startswith(f"{name}_"))
    assert count(cli) == PARAMETERS[network][variant]
    assert cli.trainer.default_root_dir == f"runs/paper/{cell}"
    if network == "drive/cenet":
        return
    batch, epochs, steps, decay, rates = RECIPES[network.partition("/")[2]]
    assert (cli.datamodule.batch_size, cli.trainer.max_epochs, cli.trainer.max_steps) == (batch, epochs, steps)
    optimizer = cli.model.configure_optimizers()["optimizer"]
    assert type(optimizer) is torch.optim.SGD
    assert {(group["momentum"], group["weight_decay"]) for group in optimizer.param_groups} == {(0.9, decay)}
    assert rates_after(cli, rates) == {step: pytest.approx(values) for step, values in rates.items()}


@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell.startswith("drive/")])
def test_the_rate_on_drive_is_halved_when_the_training_loss_stays(cell):
    cli = built(cell)
    chosen = cli.model.configure_optimizers()
    assert chosen["lr_scheduler"]["monitor"] == "train/loss"
    optimizer, scheduler = chosen["optimizer"], chosen["lr_scheduler"]["scheduler"]
    assert (type(optimizer), type(scheduler)) == (torch.optim.Adam, ReduceLROnPlateau)
    rates = []
    for _ in range(12):  # the first epoch is the best, eleven are no better
        rates.append(optimizer.param_groups[0]["lr"])
        scheduler.step(1.0)
    assert rates == [2e-4] * 12
    assert optimizer.param_groups[0]["lr"] == 1e-4
    data, trainer = cli.datamodule, cli.trainer
    assert (data.batch_size, data.size, data.num_val, trainer.max_epochs) == (8, 448, 0, 300)
    assert trainer.checkpoint_callback.monitor == "train/loss"
    (stopping,) = trainer.early_stopping_callbacks
    assert stopping.monitor == "train/loss"


@pytest.mark.parametrize("cell", ["cifar10/vgg19_lpsc", "cifar100/resnet110_conv"])
def test_cifar_trains_on_all_images(cell, paper_files):
    paper_files(cell.partition("/")[0])
    splits = built(cell).datamodule.splits
    assert splits.val is splits.test
    assert len(splits.train) == {"cifar10": 30, "cifar100": 4}[cell.partition("/")[0]]


@pytest.mark.parametrize(
    ("cell", "word", "parameters"),
    [
        ("cifar10/resnet20_lpsc_cc", f"{VARIANT}=lpsc_cc_text", 273_618),
        ("voc2012/deeplabv3plus_lpsc", f"{VARIANT}=lpsc_center", 5_881_333),
        ("cifar10/alexnet_lpsc", "--model.init_args.network.init_args.separate_bias=true", 2_306_634),
    ],
)
def test_the_other_reading_is_one_option(cell, word, parameters):
    assert count(built(cell, word)) == parameters


@pytest.mark.parametrize(("cell", "part"), [("voc2012/deeplabv3plus_lpsc", "features"), ("drive/cenet_lpsc_1", None)])
def test_encoders_start_from_the_weights_of_the_file(cell, part, paper_files):
    (file,) = paper_files(cell.partition("/")[0]).glob("data/weights/*.pth")
    cli = built(cell)
    (callback,) = (callback for callback in cli.trainer.callbacks if isinstance(callback, InitialWeights))
    callback.load_into(cli.model)
    stored = [value for name, value in torch.load(file).items() if part is None or name.startswith(part)]
    loaded = list(cli.model.get_submodule(callback.module).state_dict().values())
    # what follows in the file is above the encoder
    assert len(loaded) <= len(stored)
    assert all(torch.equal(*pair) for pair in zip(loaded, stored, strict=False))


@pytest.mark.parametrize("cell", [pytest.param(cell, marks=[] if cell in FAST else pytest.mark.slow) for cell in CELLS])
def test_every_stage_runs_on_files_of_the_published_layout(cell, paper_files):
    name = cell.partition("/")[0]
    folder = paper_files(name) / "runs" / "paper" / cell
    words = [*config(cell), *ONE_EPOCH, *SMALL.get(name, [])]
    run(["fit", *words])
    kept = folder / "version_0" / "checkpoints" / ("best.ckpt" if name == "drive" else "last.ckpt")
    stages = {stage: run([stage, *words, "--ckpt_path", str(kept)]) for stage in ("validate", "test", "predict")}
    assert "val/loss" in stages["validate"].trainer.callback_metrics
    assert SCORES.get(name, {"test/accuracy"}) <= set(stages["test"].trainer.callback_metrics)
    with (folder / "version_3" / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == (1 if name == "voc2012" else 2)


def test_a_missing_file_of_weights_is_named(paper_files):
    folder = paper_files("drive")
    (folder / "data" / "weights" / "resnet34.pth").unlink()
    with pytest.raises(FileNotFoundError, match=r"data/weights/resnet34\.pth does not exist"):
        run(["fit", *config("drive/cenet_conv"), *ONE_EPOCH, *SMALL["drive"]])


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_a_plan_has_the_seeds_and_the_values_of_its_table(path):
    plan = make_plan(read_plan(path))
    table = path.stem.partition("_")[0]
    assert len(plan.seeds) == SEEDS[table]
    assert plan.output == Path("comparisons") / path.stem
    scores = published_scores(plan.published, plan.names)
    assert sorted(scores) == sorted(plan.names)
    assert {quantity_of(metric) for metric in plan.metrics} <= set.intersection(*map(set, scores.values()))
    for file, name in zip(plan.configs, plan.names, strict=True):
        network, _, variant = name.partition("_")
        rows = PUBLISHED[f"{table}/{network}/{file.parent.name}"]
        assert scores[name] == rows[variant]


def test_the_plans_have_every_configuration_once():
    listed = [path.resolve() for plan in PLANS for path in make_plan(read_plan(plan)).configs]
    assert sorted(listed) == sorted((CONFIGS / "paper").rglob("*.yaml"))


@pytest.mark.slow
@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_one_command_makes_the_table(path, paper_files, capsys):
    plan = make_plan(read_plan(path))
    name = plan.configs[0].parent.name
    folder = paper_files(name)
    main(["compare", "--plan", str(path), "--seeds", "0", *ONE_EPOCH, *SMALL.get(name, [])])
    table = (folder / plan.output / "table.md").read_text()
    rows = published_scores(plan.published, plan.names)
    for row in rows.values():
        assert all(str(row[quantity_of(metric)]) in table for metric in plan.metrics)
