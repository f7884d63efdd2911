"""Tiny files of the published layouts, below ``data/`` as the paper's configurations expect them."""

import pickle

import numpy as np
import pytest
import torch
from PIL import Image

from lpsc_nd.models import MobileNetV2, ResNetEncoder


def save_pickle(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(content, 2))


def save_image(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


def noise(*shape, seed=0, high=256):
    return np.random.default_rng(seed).integers(0, high, shape, np.uint8)


def cifar10(data):
    base = data / "cifar-10-batches-py"
    for seed, name in enumerate([*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]):
        save_pickle(base / name, {b"data": noise(6, 3072, seed=seed), b"labels": [0, 1, 2, 7, 8, 9]})
    save_pickle(base / "batches.meta", {b"label_names": [f"class {number}".encode() for number in range(10)]})


def cifar100(data):
    base = data / "cifar-100-python"
    for seed, name in enumerate(("train", "test")):
        save_pickle(base / name, {b"data": noise(4, 3072, seed=seed), b"fine_labels": [0, 98, 99, 1]})
    save_pickle(base / "meta", {b"fine_label_names": [f"class {number}".encode() for number in range(100)]})


def imagenet(data):
    for part in ("train", "val"):
        for seed, name in enumerate(("n01440764", "n15075141")):
            for number in range(2):
                save_image(data / "imagenet" / part / name / f"{number}.JPEG", noise(40, 50 + number, 3, seed=seed))


def voc2012(data):
    base = data / "VOCdevkit" / "VOC2012"
    names = [f"2007_{number:06d}" for number in range(4)]
    for seed, name in enumerate(names):
        save_image(base / "JPEGImages" / f"{name}.jpg", noise(40, 50, 3, seed=seed))
        for folder in ("SegmentationClass", "SegmentationClassAug"):
            save_image(base / folder / f"{name}.png", noise(40, 50, seed=seed, high=21))
    lists = base / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (lists / "trainaug.txt").write_text("\n".join(names[:2]))
    (lists / "val.txt").write_text("\n".join(names[2:]))


def drive(data):
    for part, numbers in (("training", range(21, 23)), ("test", range(1, 3))):
        base = data / "DRIVE" / part
        for number in numbers:
            save_image(base / "images" / f"{number:02d}_{part}.tif", noise(29, 28, 3, seed=number))
            save_image(base / "1st_manual" / f"{number:02d}_manual1.gif", 255 * noise(29, 28, seed=number, high=2))
            save_image(base / "mask" / f"{number:02d}_{part}_mask.gif", np.full((29, 28), 255, np.uint8))


WRITERS = {"cifar10": cifar10, "cifar100": cifar100, "imagenet": imagenet, "voc2012": voc2012, "drive": drive}
ENCODERS = {"voc2012": ("mobilenet_v2", MobileNetV2), "drive": ("resnet34", ResNetEncoder)}


@pytest.fixture
def paper_files(tmp_path, monkeypatch):
    """Go into an empty folder; a function that writes a set's files, and the weights its networks start from."""
    monkeypatch.chdir(tmp_path)

    def write(name):
        WRITERS[name](tmp_path / "data")
        if name in ENCODERS:
            stem, encoder = ENCODERS[name]
            (tmp_path / "data" / "weights").mkdir()
            torch.save(encoder().state_dict(), tmp_path / "data" / "weights" / f"{stem}.pth")
        return tmp_path

    return write
