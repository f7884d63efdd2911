"""The configurations on volumes: the embedded ones learn and end with a test, those on files run on tiny ones."""

import csv
import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
import yaml

from lightning_modules.cli import main
from lightning_modules.compare.plan import make_plan, read_plan
from lightning_modules.training_cli import build, run
from lpsc_nd import LPSConv3d

CONFIGS = Path(__file__).parents[2] / "configs"
VOLUMES = sorted(CONFIGS.glob("volumes_*.yaml"))
EMBEDDED = [path for path in VOLUMES if path.stem.startswith(("volumes_solids", "volumes_vessels"))]
PLANS = sorted((CONFIGS / "comparisons").glob("volumes_*.yaml"))
pytestmark = pytest.mark.filterwarnings(
    "ignore:.isinstance.treespec, LeafSpec.. is deprecated",  # Lightning asks what newer torch answers otherwise
    "ignore::jsonargparse._deprecated.JsonargparseDeprecationWarning",  # Lightning uses an older name
    "ignore:The dirpath has changed from",  # an evaluation writes elsewhere than the training
    "ignore:.*does not have many workers",
)
QUIET = (
    "--trainer.enable_progress_bar=false",
    "--trainer.enable_model_summary=false",
    "--trainer.accelerator=cpu",
    "--trainer.log_every_n_steps=1",
)
FEW = ("--data.init_args.num_train=4", "--data.init_args.num_val=2", "--data.init_args.num_test=3")
NETWORK = "--model.init_args.network.init_args"
SMALL = (f"{NETWORK}.widths=[2,2,3]", f"{NETWORK}.budget=3000")
SCORES = {
    "solids": {"test/loss", "test/accuracy", "test/AUC"},
    "vessels": {"test/loss", "test/Dice", "test/IoU", "test/HD95"},
    "medmnist": {"test/loss", "test/accuracy", "test/AUC"},
    "decathlon": {f"test/{name}{k}" for name in ("Dice", "IoU", "HD95") for k in ("", "_1", "_2")},
}


@pytest.fixture(autouse=True)
def _global_settings():
    """Leave torch's global determinism as it was: a trainer sets it for the whole process."""
    before = torch.are_deterministic_algorithms_enabled()
    warns = torch.is_deterministic_algorithms_warn_only_enabled()
    yield
    torch.use_deterministic_algorithms(before, warn_only=warns)


def words(path, *extra):
    return ["--config", str(path), *QUIET, *extra]


def config(name):
    return CONFIGS / f"volumes_{name}.yaml"


def count(cli):
    return sum(parameter.numel() for parameter in cli.model.network.parameters())


def scores_of(cli):
    return {name: float(value) for name, value in cli.trainer.callback_metrics.items() if name != "train/seconds"}


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=pytest.mark.slow if "vessels" in path.stem else []) for path in EMBEDDED],
    ids=lambda path: path.stem,
)
def test_a_fit_ends_with_the_test(path, tmp_path):
    few = (*FEW, *SMALL, "--trainer.max_epochs=1", f"--trainer.default_root_dir={tmp_path}")
    small = ("--data.init_args.size=14",) if "vessels" in path.stem else ()
    pictures = () if path.stem == "volumes_vessels" else ("--trainer.callbacks=null",)
    cli = run(["fit", *words(path, *few, *small, *pictures)])
    expected = SCORES[path.stem.split("_")[1]]
    assert expected <= set(scores_of(cli))
    assert all(np.isfinite(value) for value in scores_of(cli).values())
    with (tmp_path / "version_0" / "metrics.csv").open(newline="") as file:
        assert expected <= set(list(csv.DictReader(file))[-1])
    drawn = {picture.name for picture in (tmp_path / "version_0").glob("pictures/*.png")}
    assert drawn == (set() if pictures else {"volume_0_test.png", "volume_1_test.png"})


@pytest.mark.slow
@pytest.mark.parametrize("name", ["solids", "vessels_anisotropic"])
def test_the_other_stages_run(name, tmp_path):
    small = words(config(name), *FEW, *SMALL, f"--trainer.default_root_dir={tmp_path}", "--trainer.callbacks=null")
    fitted = run(["fit", *small, "--trainer.max_epochs=1", "--test_after_fit=false"])
    assert not any(metric.startswith("test/") for metric in scores_of(fitted))
    best = ["--ckpt_path", str(tmp_path / "version_0" / "checkpoints" / "best.ckpt")]
    stages = {stage: run([stage, *small, *best]) for stage in ("validate", "test", "predict")}
    assert "val/loss" in scores_of(stages["validate"])
    assert SCORES[name.split("_")[0]] <= set(scores_of(stages["test"]))
    with (tmp_path / "version_3" / "predictions.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 3


@pytest.mark.parametrize("path", VOLUMES, ids=lambda path: path.stem)
def test_network_data_and_recipe_agree(path, tmp_path):
    files = ()
    if path.stem == "volumes_decathlon":
        files = (f"--data.init_args.root={write_decathlon(tmp_path)}",)
    cli = build(words(path, *files))
    network = cli.model.network
    assert len(cli.datamodule.class_names) == network.classifier.weight.shape[0]
    scheduler = cli.model.scheduler(torch.optim.SGD(network.parameters(), momentum=0.9))
    assert getattr(scheduler, "T_max", getattr(scheduler, "total_steps", None)) == cli.trainer.max_epochs
    assert cli.trainer.default_root_dir == f"runs/{path.stem}"
    layers = [layer for layer in network.modules() if isinstance(layer, LPSConv3d)]
    assert bool(layers) == (not path.stem.endswith(("_conv", "_dilated")))
    for layer in layers:
        ratios = [
            of_data / of_layer
            for of_data, of_layer in zip(cli.datamodule.spacing, layer.spacing or (1,) * 3, strict=True)
        ]
        assert ratios == pytest.approx([ratios[0]] * 3)
        assert layer.stencil.empty_regions == ()


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_networks_that_are_compared_have_equally_many_parameters_and_one_recipe(path):
    plan = make_plan(read_plan(path))
    assert plan.names == tuple(f"{path.stem}{ending}" for ending in ("_conv", "_dilated", ""))
    assert len(plan.seeds) == 3
    assert plan.equal_parameters
    built = [build(words(file)) for file in plan.configs]
    parameters = [count(cli) for cli in built]
    assert max(parameters) <= 1.01 * min(parameters)
    kept = [strip(cli) for cli in built]
    assert kept[0] == kept[1] == kept[2]


def test_the_last_weights_are_tested_where_no_checkpoint_is_kept(tmp_path):
    few = (*FEW, *SMALL, "--trainer.max_epochs=1", "--trainer.callbacks=null", f"--trainer.default_root_dir={tmp_path}")
    cli = run(["fit", *words(config("vessels"), *few, "--data.init_args.size=12", "--checkpoint.save_top_k=0")])
    tested = scores_of(cli)["test/loss"]
    (again,) = cli.trainer.test(cli.model, datamodule=cli.datamodule, verbose=False)
    assert again["test/loss"] == pytest.approx(tested)


def strip(cli):
    """What must be the same for all networks of a plan: everything but the convolution and the folder."""
    settings = json.loads(cli.parser.dump(cli.config, format="json"))
    settings["trainer"].pop("default_root_dir")
    settings["model"]["init_args"]["network"]["init_args"].pop("conv")
    settings.pop("config", None)
    return settings


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vessels", "solids"])
def test_one_command_makes_the_table(name, tmp_path, capsys):
    few = (*FEW, "--trainer.max_epochs=1", *(("--data.init_args.size=12",) if name == "vessels" else ()))
    plan = CONFIGS / "comparisons" / f"volumes_{name}.yaml"
    main(["compare", "--plan", str(plan), "--output", str(tmp_path), "--seeds", "0", *QUIET, *few])
    table = (tmp_path / "table.md").read_text()
    for ending in ("_conv", "_dilated", ""):
        assert f"| volumes_{name}{ending} |" in table
    assert (tmp_path / "scores.png").exists()


def test_the_dilated_window_spans_that_of_the_log_polar_one():
    for name in ("solids", "vessels"):
        dilated, log_polar = (build(words(config(f"{name}{ending}"))) for ending in ("_dilated", ""))
        stems = [cli.model.network.stem[0] for cli in (dilated, log_polar)]
        extents = [
            tuple(step * (size - 1) + 1 for step, size in zip(stem.dilation, stem.kernel_size, strict=True))
            for stem in stems
        ]
        assert extents[0] == extents[1] == (7, 7, 7)


@pytest.mark.slow
def test_vessels_are_learnt(tmp_path):
    few = ("--data.init_args.num_train=16", "--data.init_args.num_val=4", "--data.init_args.num_test=4")
    easy = ("--data.init_args.size=16", "--data.init_args.noise=0.02", "--data.init_args.augment=false")
    quiet = ("--trainer.callbacks=null", f"--trainer.default_root_dir={tmp_path}")
    short = ("--trainer.max_epochs=8", "--data.init_args.batch_size=2", f"{NETWORK}.budget=12000")
    cli = run(["fit", *words(config("vessels"), *few, *easy, *quiet, *short)])
    assert scores_of(cli)["test/Dice"] > 0.3


@pytest.mark.slow
def test_the_same_seed_gives_the_same_numbers(tmp_path):
    few = (*FEW, *SMALL, "--trainer.max_epochs=1", "--trainer.callbacks=null", f"--trainer.default_root_dir={tmp_path}")
    few += ("--data.init_args.size=12",)
    first = scores_of(run(["fit", *words(config("vessels"), *few)]))
    assert scores_of(run(["fit", *words(config("vessels"), *few)])) == first
    assert scores_of(run(["fit", *words(config("vessels"), *few, "--seed_everything=1")])) != first


def write_medmnist(root, name, classes, size=28):
    generator = np.random.default_rng(0)
    arrays = {}
    for part, number in (("train", 2 * classes), ("val", classes), ("test", classes)):
        arrays[f"{part}_images"] = generator.integers(0, 256, (number, size, size, size), dtype=np.uint8)
        arrays[f"{part}_labels"] = (np.arange(number, dtype=np.uint8) % classes)[:, None]
    root.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(root / f"{name}.npz", **arrays)


@pytest.mark.parametrize(
    ("name", "classes"), [("organmnist3d", 11), pytest.param("vesselmnist3d", 2, marks=pytest.mark.slow)]
)
def test_medmnist_runs_on_files_of_its_layout(name, classes, tmp_path):
    write_medmnist(tmp_path / "data", name, classes)
    root = (f"--data.init_args.root={tmp_path / 'data'}", f"--trainer.default_root_dir={tmp_path / 'run'}")
    chosen = (
        f"--data.init_args.name={name}",
        f"--model.init_args.num_classes={classes}",
        f"{NETWORK}.num_classes={classes}",
    )
    small = words(config("medmnist"), *root, *chosen, f"{NETWORK}.widths=[1,1,1]", "--trainer.max_epochs=1")
    limit = ("--trainer.limit_train_batches=1", "--trainer.limit_val_batches=1", "--data.init_args.batch_size=4")
    cli = run(["fit", *small, *limit])
    assert SCORES["medmnist"] <= set(scores_of(cli))
    best = ["--ckpt_path", str(tmp_path / "run" / "version_0" / "checkpoints" / "best.ckpt")]
    assert SCORES["medmnist"] <= set(scores_of(run(["test", *small, *limit, *best])))
    assert "val/AUC" in scores_of(run(["validate", *small, *limit, *best]))
    run(["predict", *small, *limit, *best])
    with (tmp_path / "run" / "version_3" / "predictions.csv").open(newline="") as file:
        assert [int(row["target"]) for row in csv.DictReader(file)] == list(range(classes))


DECATHLON_AFFINE = np.array([[0, 0.8, 0, 2], [-0.8, 0, 0, 3], [0, 0, 1.6, 4], [0, 0, 0, 1.0]])


def write_decathlon(root, shape=(12, 10, 7)):
    """Five labelled cases and two without labels, with ``._`` files beside; returns the task's folder."""
    folder = root / "Task04_Hippocampus"
    training, tested = [], []
    for number in range(7):
        generator = np.random.default_rng(number)
        labels = generator.integers(0, 3, shape).astype(np.uint8)
        image = (100 * labels + generator.normal(0, 5, shape)).astype(np.int16)
        part, name = ("Tr" if number < 5 else "Ts"), f"hippocampus_{number:03d}.nii.gz"
        for kind, values in (("images", image), ("labels", labels))[: 2 if number < 5 else 1]:
            (folder / f"{kind}{part}").mkdir(parents=True, exist_ok=True)
            nibabel.save(nibabel.Nifti1Image(values, DECATHLON_AFFINE), folder / f"{kind}{part}" / name)
            (folder / f"{kind}{part}" / f"._{name}").write_bytes(b"left by macOS")
        if number < 5:
            training.append({"image": f"./imagesTr/{name}", "label": f"./labelsTr/{name}"})
        else:
            tested.append(f"./imagesTs/{name}")
    content = {"modality": {"0": "MRI"}, "labels": {"0": "background", "1": "Anterior", "2": "Posterior"}}
    (folder / "dataset.json").write_text(json.dumps(content | {"training": training, "test": tested}))
    return folder


def test_decathlon_runs_on_files_of_its_layout(tmp_path):
    folder = write_decathlon(tmp_path / "data")
    root = (f"--data.init_args.root={folder}", f"--trainer.default_root_dir={tmp_path / 'run'}")
    patches = ("--data.init_args.patch_size=[4,8,8]", "--model.init_args.patch_size=[4,8,8]")
    small = words(config("decathlon"), *root, *patches, f"{NETWORK}.widths=[2,2,2]", "--trainer.max_epochs=2")
    cli = run(["fit", *small])
    assert SCORES["decathlon"] <= set(scores_of(cli))
    assert cli.datamodule.spacing == cli.model.spacing == pytest.approx((1.6, 0.8, 0.8))
    layer = cli.model.network.stem[0]
    assert (tuple(layer.spacing), layer.kernel_size) == (pytest.approx((1.6, 0.8, 0.8)), (7, 13, 13))
    assert (tmp_path / "run" / "version_0" / "pictures" / "volume_0_test.png").exists()
    best = ["--ckpt_path", str(tmp_path / "run" / "version_0" / "checkpoints" / "best.ckpt")]
    assert "val/Dice_2" in scores_of(run(["validate", *small, *best]))
    assert SCORES["decathlon"] <= set(scores_of(run(["test", *small, *best])))
    run(["predict", *small, *best])
    masks = sorted((tmp_path / "run" / "version_3" / "masks").iterdir())
    assert [mask.name for mask in masks] == ["hippocampus_005.nii.gz", "hippocampus_006.nii.gz"]
    for mask in masks:
        image = nibabel.load(mask)
        np.testing.assert_allclose(image.affine, DECATHLON_AFFINE, atol=1e-6)
        assert image.shape == (12, 10, 7)
        assert set(np.unique(image.dataobj)) <= {0, 1, 2}


@pytest.mark.slow
def test_a_folder_of_ones_own_takes_the_place_of_the_decathlon(tmp_path):
    task = write_decathlon(tmp_path / "data")
    for ours, theirs in (("images", "imagesTr"), ("labels", "labelsTr"), ("test/images", "imagesTs")):
        (tmp_path / "own" / ours).parent.mkdir(parents=True, exist_ok=True)
        (task / theirs).rename(tmp_path / "own" / ours)
    settings = yaml.safe_load(config("decathlon").read_text())
    names = ["background", "front", "back"]
    settings["data"] = {
        "class_path": "datamodules.volumes.folder.NiftiFolderDataModule",
        "init_args": {"root": str(tmp_path / "own"), "class_names": names, "patch_size": [4, 8, 8]},
    }
    settings["model"]["init_args"] |= {"patch_size": [4, 8, 8]}
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(settings))
    small = words(tmp_path / "own.yaml", f"{NETWORK}.widths=[2,2,2]", "--trainer.max_epochs=1")
    root = f"--trainer.default_root_dir={tmp_path / 'run'}"
    cli = run(["fit", *small, root])
    assert SCORES["decathlon"] <= set(scores_of(cli))
    assert tuple(cli.model.network.stem[0].spacing) == pytest.approx((1.6, 0.8, 0.8))
    run(["predict", *small, root, "--ckpt_path", str(tmp_path / "run" / "version_0" / "checkpoints" / "best.ckpt")])
    assert len(list((tmp_path / "run" / "version_1" / "masks").iterdir())) == 2
