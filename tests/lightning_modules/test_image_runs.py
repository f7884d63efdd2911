"""Tasks and data modules of images together, through a whole run."""

import numpy as np
import pytest
import torch
from PIL import Image
from pytorch_lightning import Trainer
from torch import nn

from datamodules.images.imagenet import ImageNetDataModule
from datamodules.images.vessels import VesselsDataModule
from datamodules.images.voc import VOC2012DataModule
from lightning_modules.classification import ClassificationTask
from lightning_modules.segmentation import SegmentationTask
from lightning_modules.vessel_segmentation import VesselSegmentationTask


def photographs(root):
    """Two classes of uneven photographs, three of each in both parts."""
    for part in ("train", "val"):
        for label, name in enumerate(("dark", "light")):
            (root / part / name).mkdir(parents=True)
            for number in range(3):
                image = Image.new("RGB", (20 + 3 * number, 24 + 2 * label), (200 * label,) * 3)
                image.save(root / part / name / f"{number}.jpg")
    return ImageNetDataModule(root, batch_size=4, size=16, resize_to=20)


def labelled_photographs(root):
    """Three uneven photographs, a list each for training and validation."""
    base = root / "VOCdevkit" / "VOC2012"
    lists = base / "ImageSets" / "Segmentation"
    for folder in (lists, base / "JPEGImages", base / "SegmentationClassAug", base / "SegmentationClass"):
        folder.mkdir(parents=True)
    for number in range(3):
        labels = np.random.default_rng(number).integers(0, 21, (14 + number, 18)).astype(np.uint8)
        Image.fromarray(labels).convert("RGB").save(base / "JPEGImages" / f"{number}.jpg")
        for folder in ("SegmentationClassAug", "SegmentationClass"):
            Image.fromarray(labels).save(base / folder / f"{number}.png")
    for name in ("trainaug", "val"):
        (lists / f"{name}.txt").write_text("0\n1\n2\n")
    return VOC2012DataModule(root, batch_size=2, crop=16)


def vessels(root):
    return VesselsDataModule(batch_size=2, size=24, num_train=4, num_val=2, num_test=2)


def classifier():
    return ClassificationTask(nn.Sequential(nn.Conv2d(3, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()), 2)


@pytest.mark.parametrize(
    ("data", "task"),
    [
        (photographs, classifier),
        (labelled_photographs, lambda: SegmentationTask(nn.Conv2d(3, 21, 3, stride=2), 21)),
        (vessels, lambda: VesselSegmentationTask(nn.Conv2d(3, 1, 3, padding=1), test_flips=True)),
    ],
    ids=["photographs", "labelled photographs", "vessels"],
)
def test_every_stage_runs_on_the_data_it_is_for(tmp_path, data, task):
    torch.manual_seed(0)
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
    trainer = Trainer(default_root_dir=tmp_path, max_epochs=1, **quiet)
    module, model = data(tmp_path), task()
    start = [parameter.detach().clone() for parameter in model.parameters()]
    trainer.fit(model, datamodule=module)
    assert not all(torch.equal(*pair) for pair in zip(start, model.parameters(), strict=True))
    for scores in (*trainer.validate(model, module, verbose=False), *trainer.test(model, module, verbose=False)):
        assert all(0 <= value < 100 for value in scores.values())
    assert len(trainer.predict(model, module)) == len(module.predict_dataloader())
