"""Images to take statistics of."""

import sys

import numpy as np
import pytest
from PIL import Image

from datamodules.data_files import DataFileError
from datamodules.images.sample_images import image_sets, luminance


def test_the_embedded_sets():
    sets = {name: list(read()) for name, read in image_sets().items()}
    assert {name: [image.shape for _, image in images] for name, images in sets.items()} == {
        "photographs": [(427, 640)] * 2,
        "digits": [(1797, 8, 8)],
    }
    assert [name for name, _ in sets["photographs"]] == ["china.jpg", "flower.jpg"]
    for images in sets.values():
        assert all(0 <= image.min() < image.max() <= 1 for _, image in images)


def test_a_folder_is_read_by_name_and_anew_each_time(tmp_path):
    for name, value in (("b.PNG", 255), ("a.png", 51)):
        Image.fromarray(np.full((2, 3), value, dtype=np.uint8)).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no image")
    ((name, read),) = image_sets(tmp_path).items()
    for _ in range(2):
        found = list(read())
        assert [path for path, _ in found] == [str(tmp_path / "a.png"), str(tmp_path / "b.PNG")]
        np.testing.assert_allclose([image for _, image in found], [np.full((2, 3), 0.2), np.ones((2, 3))])
    assert name == tmp_path.name


def test_colours_are_weighed_by_their_brightness():
    primaries = 255 * np.eye(3)[:, None]  # a row of red, green and blue
    np.testing.assert_allclose(luminance(primaries), [[0.2126, 0.7152, 0.0722]])


def test_a_folder_without_images_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"images \(\.bmp \.gif"):
        list(image_sets(tmp_path)[tmp_path.name]())


def test_a_damaged_image_is_named(tmp_path):
    (tmp_path / "a.png").write_bytes(b"\x89PNG")
    with pytest.raises(DataFileError, match=r"a\.png: cannot be read as an image"):
        list(image_sets(tmp_path)[tmp_path.name]())


def test_a_missing_scikit_learn_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'lpsc-nd\[train\]'"):
        list(image_sets()["digits"]())
