"""Augmentations keep image and labels together, and stay inside what they promise."""

import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from datamodules.images.augmentation import CropFlip, FundusJitter, ResizedCropFlip, ScaleCropFlip

SEEDS = st.integers(0, 2**32)
BLOCK = 8  # pixels: labels are constant on blocks, so that interpolation mixes at their rims alone


def coded(height, width, seed):
    """An image of blocks, green from 40 to 220, and labels that follow from the green; red is 255, blue 0."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 7, (height // BLOCK, width // BLOCK), generator=generator)
    labels = labels.repeat_interleave(BLOCK, 0).repeat_interleave(BLOCK, 1)
    green = (40 + 30 * labels).to(torch.uint8)
    return torch.stack([torch.full_like(green, 255), green, torch.zeros_like(green)]), labels


def decoded(images):
    """The labels that colours from 0 to 1 stand for, whatever their brightness; void where it is black."""
    green = 255 * images[:, 1] / images[:, 0].clamp(min=1e-3)
    labels = ((green - 40) / 30).round().long()
    return torch.where(images[:, 0] > 0.5, labels, 255)


def agreement(images, target):
    """Part of the pixels whose colour tells their label."""
    return (decoded(images) == target).double().mean().item()


def test_agreement_falls_when_labels_move():
    image, labels = coded(64, 64, 0)
    images, target = image[None] / 255, labels[None]
    assert agreement(images, target) == 1
    assert agreement(images.flip(3), target) < 0.5
    assert agreement(images, target.roll(BLOCK, 1)) < 0.5


@given(seed=SEEDS, height=st.integers(6, 12), width=st.integers(6, 12))
def test_scaled_crops_keep_labels_with_their_pixels(seed, height, width):
    torch.manual_seed(seed)
    pairs = [coded(BLOCK * height, BLOCK * width, seed + index) for index in range(3)]
    images, target = ScaleCropFlip((64, 64))([image for image, _ in pairs], [labels for _, labels in pairs])
    assert images.shape == (3, 3, 64, 64)
    assert target.shape == (3, 64, 64)
    assert target.dtype == torch.int64
    assert set(target.unique().tolist()) <= {*range(7), 255}
    assert agreement(images, target) > 0.6  # a block of 8 pixels at scale 0.5 is mostly rim
    assert (images[:, :, 1:] * (target == 255)[:, None, 1:]).sum() < 0.01 * images.sum()  # void is black


def test_scaled_crops_pad_with_void():
    torch.manual_seed(0)
    image, labels = coded(16, 16, 0)
    images, target = ScaleCropFlip((64, 64), scale=(1.0, 1.0))([image], [labels])
    assert (target != 255).sum() == 256
    assert torch.equal(images[0].sum(0) > 0, target[0] != 255)
    assert agreement(images, target) == 1


def test_scales_reach_both_ends():
    torch.manual_seed(0)
    image, labels = torch.full((3, 20, 20), 255, dtype=torch.uint8), torch.zeros(20, 20, dtype=torch.long)
    _, target = ScaleCropFlip((50, 50))([image] * 200, [labels] * 200)
    sides = (target == 0).sum(dim=(1, 2)).sqrt()
    assert 10 <= sides.min() < 12
    assert 38 < sides.max() <= 40


@given(seed=SEEDS)
def test_fundus_jitter_keeps_labels_with_their_pixels(seed):
    torch.manual_seed(seed)
    image, labels = coded(64, 64, seed)
    image = image[[0, 0, 0]] * (labels < 4).to(torch.uint8)  # white and black: a tint cannot hide them
    images, target = FundusJitter()(image[None].repeat(4, 1, 1, 1), (labels < 4).long()[None].repeat(4, 1, 1))
    assert images.shape == (4, 3, 64, 64)
    assert set(target.unique().tolist()) <= {0, 1, 255}
    white = images.mean(dim=1) > 0.5
    known = target != 255
    assert known.double().mean() > 0.6
    assert (white == (target == 1))[known].double().mean() > 0.85


def test_fundus_jitter_uses_all_eight_poses_of_a_square_and_four_of_a_rectangle():
    for size, poses in (((8, 8), 8), ((8, 16), 4)):
        torch.manual_seed(0)
        target = torch.zeros(200, *size, dtype=torch.long)
        target[:, 0, 1] = 1  # one pixel beside the corner
        images = torch.zeros(200, 3, *size, dtype=torch.uint8)
        _, turned = FundusJitter()(images, target)
        unmoved = [item for item in turned if (item == 255).sum() == 0 and (item == 1).sum() == 1]
        places = {tuple((item == 1).nonzero()[0].tolist()) for item in unmoved}
        last = (size[0] - 1, size[1] - 1)
        expected = {(row, column) for row in (0, last[0]) for column in (1, last[1] - 1)}
        if poses == 8:
            expected |= {(row, column) for row in (1, last[0] - 1) for column in (0, last[1])}
        assert expected <= places


@given(seed=SEEDS, side=st.integers(4, 12), padding=st.integers(0, 4))
def test_crops_are_windows_of_the_padded_image(seed, side, padding):
    torch.manual_seed(seed)
    images = torch.randint(1, 256, (4, 3, side, side), dtype=torch.uint8)
    target = torch.arange(4)
    changed, labels = CropFlip(padding)(images, target)
    assert labels is target
    padded = torch.nn.functional.pad(images, (padding,) * 4).float() / 255
    for image, result in zip(padded, changed, strict=True):
        windows = image.unfold(1, side, 1).unfold(2, side, 1).flatten(1, 2).unbind(1)
        assert any(torch.equal(result, pose) for window in windows for pose in (window, window.flip(2)))


@given(seed=SEEDS, height=st.integers(8, 40), width=st.integers(8, 40))
def test_resized_crops_are_smooth_windows(seed, height, width):
    torch.manual_seed(seed)
    column = torch.linspace(0, 255, width).to(torch.uint8).expand(3, height, width).contiguous()
    images, target = ResizedCropFlip((12, 10))([column, column], torch.tensor([5, 6]))
    assert images.shape == (2, 3, 12, 10)
    assert target.tolist() == [5, 6]
    assert (images - images[:, :, :1]).abs().max() < 1e-5  # rows of the ramp agree, wherever it was cut
    steps = images[:, 0, 0].diff(dim=1)
    assert ((steps >= -1e-5).all(dim=1) | (steps <= 1e-5).all(dim=1)).all()  # the ramp rises, or falls if mirrored
    assert images.min() >= -1e-6
    assert images.max() <= 1 + 1e-6


def test_kornia_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "kornia.augmentation", None)
    with pytest.raises(ModuleNotFoundError, match=r"kornia.*pip install 'lpsc-nd\[images\]', or give augment=False"):
        CropFlip()(torch.zeros(1, 3, 8, 8, dtype=torch.uint8), torch.zeros(1))
