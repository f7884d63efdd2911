"""Reading images: pixels come back, indices are no colours, damage is named."""

import io
import sys
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from datamodules.data_files import DataFileError
from datamodules.images.files import (
    center_crop,
    check_same_size,
    read_binary,
    read_indices,
    read_rgb,
    resize,
    resize_labels,
    resize_shorter,
)

SIDES = st.integers(1, 9)
COLOURS = st.tuples(SIDES, SIDES).flatmap(lambda size: arrays(np.uint8, (*size, 3)))
INDICES = st.tuples(SIDES, SIDES).flatmap(
    lambda size: arrays(np.uint8, size, elements=st.sampled_from([0, 1, 20, 255]))
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("images")


def outcome(read, path):
    """The image, or which file was refused."""
    try:
        return read(path)
    except DataFileError as error:
        return error.path


def palette_image(indices, seed=0):
    image = Image.fromarray(indices).convert("P")
    image.putdata(indices.ravel().tolist())
    image.putpalette(np.random.default_rng(seed).integers(0, 256, 768).tolist())
    return image


@given(pixels=COLOURS, kind=st.sampled_from(["png", "tif", "bmp"]))
def test_colours_come_back(folder, pixels, kind):
    path = folder / f"image.{kind}"
    Image.fromarray(pixels).save(path)
    assert torch.equal(read_rgb(path), torch.from_numpy(pixels.transpose(2, 0, 1).copy()))


@given(indices=INDICES, grey=st.booleans(), seed=st.integers(0, 9))
def test_indices_come_back_whatever_their_colours(folder, indices, grey, seed):
    path = folder / "labels.png"
    (Image.fromarray(indices) if grey else palette_image(indices, seed)).save(path)
    found = read_indices(path, num_classes=21)
    assert found.dtype == torch.int64
    np.testing.assert_array_equal(found, indices)


@given(
    pixels=st.tuples(SIDES, SIDES).flatmap(lambda size: arrays(np.bool_, size)), kind=st.sampled_from(["gif", "png"])
)
def test_black_and_white_comes_back(folder, pixels, kind):
    path = folder / f"mask.{kind}"
    Image.fromarray(np.where(pixels, 255, 0).astype(np.uint8)).save(path)
    np.testing.assert_array_equal(read_binary(path), pixels)


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA", "CMYK"])
def test_any_kind_of_image_has_three_channels(folder, mode):
    path = folder / "image.tif"
    Image.new(mode, (5, 4)).save(path)
    assert read_rgb(path).shape == (3, 4, 5)


@given(
    kind=st.sampled_from(["png", "jpeg", "gif", "tiff"]),
    place=st.floats(0, 1, exclude_max=True),
    value=st.integers(0, 255),
    cut=st.booleans(),
)
def test_damage_is_named_or_harmless(folder, kind, place, value, cut):
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (12, 12, 3), np.uint8)).save(buffer, kind)
    content = bytearray(buffer.getvalue())
    index = int(place * len(content))
    content[index] = value
    path = folder / "damaged"
    path.write_bytes(content[:index] if cut else content)
    for read in (read_rgb, read_binary):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's own, about what it could mend
            found = outcome(read, path)
        assert found == path if not isinstance(found, torch.Tensor) else found.dtype in (torch.uint8, torch.bool)


@pytest.mark.parametrize("content", [b"", b"text", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_image_is_refused(folder, content):
    path = folder / "none.png"
    path.write_bytes(content)
    with pytest.raises(DataFileError, match=r"none\.png: cannot be read as an image, is it complete\?"):
        read_rgb(path)


def test_a_missing_file_stays_a_missing_file(folder):
    with pytest.raises(FileNotFoundError, match=r"absent\.png"):
        read_rgb(folder / "absent.png")


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (Image.new("RGB", (2, 2)), "one channel of mode .*, got mode RGB"),
        (palette_image(np.full((2, 2), 21, np.uint8)), "classes must be from 0 to 20, or 255 for void, got 21"),
    ],
)
def test_what_holds_no_classes_is_refused(folder, image, message):
    image.save(folder / "labels.png")
    with pytest.raises(DataFileError, match=rf"labels\.png: .*{message}"):
        read_indices(folder / "labels.png", 21)


def test_pillow_is_named_where_it_is_missing(monkeypatch, folder):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ModuleNotFoundError, match=r"Pillow.*pip install 'lpsc-nd\[images\]'"):
        read_rgb(folder / "image.png")


def test_sizes_are_compared(tmp_path):
    check_same_size(tmp_path / "a", torch.zeros(3, 4), torch.zeros(3, 3, 4), tmp_path / "b")
    with pytest.raises(DataFileError, match=r"a: must have the size \[3, 4\] of b, got \[4, 3\]"):
        check_same_size(tmp_path / "a", torch.zeros(4, 3), torch.zeros(3, 3, 4), tmp_path / "b")


@given(height=st.integers(1, 40), width=st.integers(1, 40), length=st.integers(1, 40))
def test_the_shorter_side_gets_its_length(height, width, length):
    image = resize_shorter(torch.zeros(3, height, width, dtype=torch.uint8), length)
    assert image.dtype == torch.uint8
    assert min(image.shape[1:]) == length
    longer = length * max(height, width) / min(height, width)
    assert abs(max(image.shape[1:]) - longer) <= 0.5


@given(height=st.integers(1, 9), width=st.integers(1, 9), data=st.data())
def test_the_middle_has_equal_margins(height, width, data):
    image = torch.arange(height * width).view(1, height, width)
    size = (data.draw(st.integers(1, height)), data.draw(st.integers(1, width)))
    cut = center_crop(image, size)
    assert cut.shape[1:] == size
    row, column = divmod(int(cut[0, 0, 0]), width)
    assert 0 <= height - size[0] - 2 * row <= 1
    assert 0 <= width - size[1] - 2 * column <= 1


def test_shrinking_averages():
    board = (torch.arange(64).view(8, 8) + torch.arange(8)[:, None]) % 2 * 255.0
    assert (resize(board[None], (2, 2)) - 127.5).abs().max() < 8


@given(factor=st.integers(1, 4), labels=arrays(np.uint8, (3, 4)))
def test_labels_keep_their_values(factor, labels):
    labels = torch.from_numpy(labels).long()
    larger = labels.repeat_interleave(factor, 0).repeat_interleave(factor, 1)
    assert torch.equal(resize_labels(labels, (3 * factor, 4 * factor)), larger)
    assert torch.equal(resize_labels(larger, (3, 4)), labels)
