"""Masks on disk."""

import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from pytorch_lightning import Trainer
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from lightning_modules.masks import MaskWriter, voc_palette, write_mask
from lightning_modules.segmentation import SegmentationTask
from lightning_modules.vessel_segmentation import VesselSegmentationTask

SIDES = st.tuples(st.integers(1, 6), st.integers(1, 6))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("masks")


@given(mask=SIDES.flatmap(lambda size: arrays(np.uint8, size)))
def test_classes_come_back_as_indices(folder, mask):
    write_mask(folder / "classes.png", torch.from_numpy(mask))
    with Image.open(folder / "classes.png") as image:
        assert image.mode == "P"
        np.testing.assert_array_equal(np.array(image), mask)


@given(mask=SIDES.flatmap(lambda size: arrays(np.float32, size, elements=st.floats(0, 1, width=32))))
def test_probabilities_come_back_as_grey(folder, mask):
    write_mask(folder / "grey.png", torch.from_numpy(mask))
    with Image.open(folder / "grey.png") as image:
        assert image.mode == "L"
        assert np.abs(np.array(image) / 255 - mask).max() <= 0.5 / 255 + 1e-6


def test_colours_are_those_of_voc():
    colours = np.array(voc_palette()).reshape(256, 3).tolist()
    assert colours[:4] == [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0]]
    assert colours[15] == [192, 128, 128]  # person
    assert colours[255] == [224, 224, 192]  # void
    assert len({tuple(colour) for colour in colours}) == 256


@pytest.mark.parametrize("name", ["segmentation", "vessels"])
def test_a_prediction_leaves_an_image_per_sample(tmp_path, name):
    channels = 3 if name == "segmentation" else 1
    network = nn.Conv2d(3, channels, 1)
    task = SegmentationTask(network, 3) if name == "segmentation" else VesselSegmentationTask(network)
    data = DataLoader(dataset=TensorDataset(torch.randn(5, 3, 6, 7), torch.full((5, 6, 7), 255)), batch_size=2)
    quiet = {"logger": False, "enable_progress_bar": False, "accelerator": "cpu"}
    trainer = Trainer(default_root_dir=tmp_path, callbacks=[MaskWriter("out")], **quiet)
    batches = trainer.predict(task, data)
    predicted = torch.cat([batch["predicted"] for batch in batches])
    kinds = ["predicted"] if name == "segmentation" else ["predicted", "probability"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == kinds
    for kind in kinds:
        assert len(list((tmp_path / "out" / kind).iterdir())) == 5
    for index in range(5):
        with Image.open(tmp_path / "out" / "predicted" / f"{index:06d}.png") as image:
            np.testing.assert_array_equal(np.array(image), predicted[index])


def test_pillow_is_named_where_it_is_missing(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ModuleNotFoundError, match=r"Pillow.*pip install 'lpsc-nd\[images\]'"):
        write_mask(tmp_path / "mask.png", torch.zeros(2, 2))
