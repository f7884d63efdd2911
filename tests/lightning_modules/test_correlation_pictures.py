"""Correlations of the images that a network is shown, written when it is trained."""

import csv

import numpy as np
import pytest
from torch import nn

from lightning_modules.correlation_pictures import CorrelationPictures
from lightning_modules.inspect_command import correlation as command


@pytest.mark.parametrize("batches", [1, 2, 8])
def test_table_and_picture_of_the_first_batches(monkeypatch, fit_with, capsys, batches):
    seen = []
    monkeypatch.setattr(
        "lightning_modules.correlation_pictures.correlation_map",
        lambda images, size: seen.append(len(images)) or command.correlation_map(images, size),
    )
    callback = CorrelationPictures(kernel_size=5, num_levels=1, batches=batches)
    folder = fit_with(callback, nn.Conv2d(2, 1, 3), (2, 12, 12), 2)  # two batches in an epoch
    assert {path.name for path in folder.iterdir()} == {f"correlation.{kind}" for kind in ("txt", "csv", "png", "svg")}
    assert seen == [min(batches, 2)]
    with (folder / "correlation.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == callback.window.partition.num_regions
    assert all(abs(float(row["mean"])) < 0.5 for row in rows)  # white noise
    assert "correlation" not in capsys.readouterr().out


def test_the_figures_are_those_of_the_images(monkeypatch, fit_with):
    monkeypatch.setattr(
        "lightning_modules.correlation_pictures.correlation_map", lambda images, size: np.full(size, 0.25)
    )
    folder = fit_with(CorrelationPictures(kernel_size=5, num_levels=1), nn.Conv2d(1, 1, 3), (1, 12, 12), 1)
    with (folder / "correlation.csv").open(newline="") as file:
        assert {row["mean"] for row in csv.DictReader(file)} == {"0.2500"}


def test_other_inputs_are_refused(fit_with):
    with pytest.raises(ValueError, match=r"a batch must begin with images \(B, C, H, W\), got Tensor"):
        fit_with(CorrelationPictures(), nn.Conv1d(1, 1, 3), (1, 12), 1)


def test_images_smaller_than_the_window_are_refused(fit_with):
    with pytest.raises(ValueError, match="must be at least as large as the window"):
        fit_with(CorrelationPictures(kernel_size=9), nn.Conv2d(1, 1, 3), (1, 6, 6), 1)


@pytest.mark.parametrize("options", [{"batches": 0}, {"kernel_size": 0}, {"num_levels": 0}, {"growth": 0.5}])
def test_bad_arguments(options):
    with pytest.raises(ValueError, match="must be"):
        CorrelationPictures(**options)
