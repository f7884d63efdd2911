"""The configurations on points: those on surfaces fit what they learn from, those on files run on tiny ones."""

import csv
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from lightning_modules.training_cli import build, run

CONFIGS = Path(__file__).parents[2] / "configs"
POINTS = sorted(CONFIGS.glob("points_*.yaml"))
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
    "--data.init_args.num_workers=0",
    "--trainer.log_every_n_steps=1",
)


def words(name, *extra):
    return ["--config", str(CONFIGS / f"points_{name}.yaml"), *QUIET, *extra]


def write(path, **arrays):
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array)


def clouds(labels, points):
    positions = np.random.default_rng(0).normal(size=(len(labels), points, 3)).astype(np.float32)
    return {"data": positions, "label": np.array(labels, np.uint8)[:, None]}


def modelnet40(root):
    base = root / "modelnet40_ply_hdf5_2048"
    for part, count in (("train", 80), ("test", 4)):
        write(base / f"ply_data_{part}0.h5", **clouds([i % 40 for i in range(count)], 1024))
        (base / f"{part}_files.txt").write_text(f"data/modelnet40_ply_hdf5_2048/ply_data_{part}0.h5\n")
    (base / "shape_names.txt").write_text("".join(f"class {i}\n" for i in range(40)))


def scanobjectnn(root):
    for part, count in (("training", 30), ("test", 4)):
        arrays = clouds([i % 15 for i in range(count)], 1024)
        path = root / "h5_files" / "main_split" / f"{part}_objectdataset_augmentedrot_scale75.h5"
        write(path, data=arrays["data"], label=arrays["label"][:, 0])


def shapenet_part(root):
    for part in ("train", "val", "test"):
        arrays = clouds([0, 15, 3], 100)
        parts = np.repeat([[3], [47], [11]], 100, axis=1)
        write(root / "hdf5_data" / f"ply_data_{part}0.h5", **arrays, pid=parts.astype(np.uint8))


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, marks=[] if path.stem == "points_modelnet40" else pytest.mark.slow)
        for path in POINTS
        if path.stem not in ("points_shapes", "points_parts")
    ],
)
def test_every_stage_runs_on_files_of_the_published_layout(path, tmp_path):
    name = path.stem.removeprefix("points_")
    {"modelnet40": modelnet40, "scanobjectnn": scanobjectnn, "shapenet_part": shapenet_part}[name](tmp_path / "data")
    root = [f"--data.init_args.root={tmp_path / 'data'}", f"--trainer.default_root_dir={tmp_path / 'run'}"]
    network = "--model.init_args.network.init_args"
    shrink = [f"{network}.widths=[2,2,2,2]", "--trainer.limit_train_batches=1", "--trainer.limit_val_batches=1"]
    small = words(name, *root, *shrink, "--data.init_args.batch_size=3", "--trainer.log_every_n_steps=1")
    run(["fit", *small, "--trainer.max_epochs=1"])
    best = ["--ckpt_path", str(tmp_path / "run" / "version_0" / "checkpoints" / "best.ckpt")]
    stages = {stage: run([stage, *small, *best]) for stage in ("validate", "test", "predict")}
    assert {"val/loss", "val/accuracy"} <= set(stages["validate"].trainer.callback_metrics)
    scores = {"test/instance_mIoU", "test/class_mIoU"} if name == "shapenet_part" else {"test/mean_accuracy"}
    assert scores <= set(stages["test"].trainer.callback_metrics)
    with (tmp_path / "run" / "version_3" / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["target"]) for row in rows] == stages["predict"].datamodule.splits.test.source.labels.tolist()


@pytest.mark.parametrize("path", POINTS, ids=lambda path: path.stem)
def test_network_data_and_recipe_agree(path):
    cli = build(words(path.stem.removeprefix("points_")))
    builder, network = cli.datamodule.collate.builder, cli.model.network
    assert network.encoder.stem.conv.partition == builder.partition(0)
    assert len(network.encoder.widths) == builder.depth
    assert cli.model.scheduler(torch.optim.SGD(network.parameters())).T_max == cli.trainer.max_epochs
    assert cli.trainer.default_root_dir == f"runs/{path.stem}"


@pytest.mark.parametrize("name", ["parts", "shapenet_part"])
def test_the_parts_are_those_of_the_data(name, tmp_path):
    shapenet_part(tmp_path)
    cli = build(words(name, *(() if name == "parts" else (f"--data.init_args.root={tmp_path}",))))
    assert cli.model.class_parts == cli.datamodule.class_parts
    assert cli.model.own_parts.shape == (len(cli.datamodule.class_names), len(cli.datamodule.part_names))


SMALL = ("--data.init_args.num_val=20", "--data.init_args.num_test=20", "--data.init_args.surface.num_points=128")


def fit(name, root, *extra):
    cli = run(["fit", *words(name, f"--trainer.default_root_dir={root}", *SMALL, *extra)])
    return {key: float(value) for key, value in cli.trainer.callback_metrics.items() if key != "train/seconds"}


@pytest.mark.parametrize(("name", "least"), [("shapes", 0.6), pytest.param("parts", 0.7, marks=pytest.mark.slow)])
def test_the_surfaces_are_learnt(name, least, tmp_path):
    few = ("--data.init_args.num_train=40", "--data.init_args.train_transforms=[]")
    scores = fit(name, tmp_path, *few, "--trainer.max_epochs=6", "--data.init_args.batch_size=10")
    assert scores["train/accuracy"] > least


@pytest.mark.slow
def test_the_same_seed_gives_the_same_numbers(tmp_path):
    few = ("--data.init_args.num_train=40", "--trainer.max_epochs=2", "--data.init_args.batch_size=10")
    first = fit("parts", tmp_path, *few)
    assert fit("parts", tmp_path, *few) == first
    assert fit("parts", tmp_path, *few, "--seed_everything=1") != first


@pytest.mark.slow
def test_the_surfaces_are_told_apart_with_95_percent(tmp_path):
    cli = run(["fit", *words("shapes", f"--trainer.default_root_dir={tmp_path}")])
    (scores,) = cli.trainer.test(cli.model, datamodule=cli.datamodule, ckpt_path="best", verbose=False)
    assert scores["test/accuracy"] >= 0.95
