"""Pictures of segmented volumes: what is drawn, and when."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pytorch_lightning import LightningDataModule, Trainer
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from lightning_modules.volumes.pictures import VolumePictures, draw_volume
from lightning_modules.volumes.segmentation import VolumeSegmentationTask

SIZES = st.tuples(st.integers(1, 8), st.integers(1, 5), st.integers(1, 5))


@st.composite
def cases(draw):
    size = draw(SIZES)
    labels = arrays(np.int64, size, elements=st.sampled_from([0, 0, 1, 2, 9]))
    image = draw(arrays(np.float32, size, elements=st.floats(-1, 1, width=32)))
    return image, draw(labels), draw(labels)


def titles(figure):
    return [axes.get_title() for axes in figure.axes if axes.get_title()]


def painted(axes):
    """The values of the second picture on the axes, 0 where it is left out."""
    return axes.get_images()[1].get_array().filled(0)


@settings(max_examples=10)  # figures take a while
@given(case=cases(), number=st.integers(1, 4))
def test_slices_are_those_that_hold_something(case, number):
    image, truth, predicted = case
    figure = draw_volume(image, truth, predicted, num_slices=number)
    filled = np.flatnonzero(((truth > 0) | (predicted > 0)).any(axis=(1, 2)))
    first, last = (filled[0], filled[-1]) if len(filled) else (0, len(image) - 1)
    *slices, projection = titles(figure)
    shown = [int(title.removeprefix("slice ")) for title in slices]
    assert projection == "projection"
    assert shown == sorted(set(shown))
    assert 1 <= len(shown) <= number
    assert first == shown[0]
    assert shown[-1] <= last
    if number > 1:
        assert shown[-1] == last


@settings(max_examples=10)
@given(case=cases())
def test_what_is_painted(case):
    image, truth, predicted = case
    figure = draw_volume(image, truth, predicted, num_slices=2)
    columns = len(titles(figure))
    rows = np.array(figure.axes[: 4 * columns]).reshape(4, columns)
    for column, title in enumerate(titles(figure)):
        views = [
            values.max(axis=0) if title == "projection" else values[int(title.split()[1])]
            for values in (image, truth, predicted)
        ]
        np.testing.assert_array_equal(rows[0, column].get_images()[0].get_array(), views[0])
        for row, labels in zip((1, 2), views[1:], strict=True):
            np.testing.assert_array_equal(painted(rows[row, column]) > 0, labels > 0)
        errors = painted(rows[3, column])
        np.testing.assert_array_equal(errors == 0, (views[1] == 0) & (views[2] == 0))
        np.testing.assert_array_equal(errors == 1, (views[1] == views[2]) & (views[1] > 0))
        np.testing.assert_array_equal(errors == 2, (views[1] != views[2]) & (views[1] > 0))


def test_voxels_have_their_proportions_and_classes_their_names():
    labels = np.zeros((3, 4, 4), int)
    labels[1, 1, 1] = 2
    figure = draw_volume(labels / 2, labels, labels, spacing=(5.0, 3.0, 1.5), class_names=("air", "bone", "fat"))
    assert {axes.get_aspect() for axes in figure.axes} == {2.0}
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert words == ["bone", "fat", "right", "missed", "false"]
    plain = draw_volume(labels / 2, labels, labels)
    assert [text.get_text() for text in plain.legends[0].get_texts()][:2] == ["1", "2"]


@pytest.mark.parametrize("shapes", [((2, 2), (2, 2), (2, 2)), ((2, 2, 2), (2, 2, 3), (2, 2, 2))])
def test_other_shapes_are_refused(shapes):
    with pytest.raises(ValueError, match=r"image, truth and predicted must be of one shape \(D, H, W\), got"):
        draw_volume(*map(np.zeros, shapes))


class Data(LightningDataModule):
    """Five small volumes in batches of two."""

    spacing = (2.0, 1.0, 1.0)
    class_names = ("background", "vessel")

    def train_dataloader(self):
        target = torch.randint(2, (5, 3, 4, 4), generator=torch.Generator().manual_seed(0))
        return DataLoader(dataset=TensorDataset(target[:, None].float(), target), batch_size=2)

    val_dataloader = test_dataloader = train_dataloader


def drawn(tmp_path, stage, epochs=3, **options):
    """Run a stage with the callback; returns the names of the pictures."""
    pictures = VolumePictures(**options)
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}
    trainer = Trainer(
        default_root_dir=tmp_path, max_epochs=epochs, accelerator="cpu", callbacks=[pictures], logger=False, **quiet
    )
    getattr(trainer, stage)(VolumeSegmentationTask(nn.Conv3d(1, 2, 1), 2), datamodule=Data())
    return {path.name for path in (tmp_path / "pictures").glob("*")}


@pytest.mark.parametrize("number", [1, 7])
def test_the_first_volumes_of_the_test_are_drawn(tmp_path, number):
    names = {f"volume_{index}_test.{kind}" for index in range(min(number, 5)) for kind in ("png", "svg")}
    assert drawn(tmp_path, "test", num_volumes=number, num_slices=1) == names


def test_those_of_the_validation_are_drawn_in_their_epochs(tmp_path):
    names = {f"volume_{index}_epoch_{epoch:04d}.png" for index in range(2) for epoch in (2, 4)}
    found = drawn(tmp_path, "fit", epochs=5, num_slices=1, every_n_epochs=2)
    assert {name for name in found if name.endswith("png")} == names


def test_training_alone_draws_nothing(tmp_path):
    assert drawn(tmp_path, "fit", epochs=1) == set()


@pytest.mark.parametrize("name", ["num_volumes", "num_slices", "every_n_epochs"])
def test_bad_arguments_are_named(name):
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
        VolumePictures(**{name: 0})
