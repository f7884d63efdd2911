"""``lpsc inspect correlation``."""

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from lpsc_nd import LogPolarPartition, build_mask


def write_images(folder, shapes, seed=0):
    folder.mkdir()
    noise = np.random.default_rng(seed)
    for index, shape in enumerate(shapes):
        Image.fromarray(noise.integers(0, 256, size=shape, dtype=np.uint8)).save(folder / f"{index}.png")


def test_the_embedded_images(inspect, rows):
    folder, printed = inspect("correlation", "--kernel-size", 5, "--num-levels", 1)
    assert "photographs: correlation with the centre" in printed
    mask = build_mask(LogPolarPartition.for_grid((5, 5), 1, 6, 2.0), (5, 5))
    digits = load_digits().images
    centers = digits[:, 2:6, 2:6]
    for row in rows(folder / "correlation_digits.csv"):
        cells = [cell for cell in np.argwhere(mask == int(row["region"])).tolist() if cell != [2, 2]]
        shifted = [digits[:, y : y + 4, x : x + 4] for y, x in cells]
        expected = [np.corrcoef(centers.ravel(), values.ravel())[0, 1] for values in shifted]
        assert float(row["mean"]) == pytest.approx(np.mean(expected), abs=1e-4)
        assert float(row["least"]) == pytest.approx(min(expected), abs=1e-4)
        assert float(row["largest"]) == pytest.approx(max(expected), abs=1e-4)
    assert {path.suffix for path in folder.glob("correlation.*")} == {".png", ".svg"}


def test_neighbours_in_photographs_are_more_alike_the_nearer_they_are(inspect, rows):
    folder, _ = inspect("correlation", "--kernel-size", 9, "--num-levels", 2)
    table = rows(folder / "correlation_photographs.csv")
    near, far = ([float(row["mean"]) for row in table if row["level"] == level] for level in "12")
    assert min(near) > max(far) > 0.8


def test_embedded_images_that_are_too_small_are_left_out_and_named(inspect, tmp_path, capsys):
    folder, _ = inspect("correlation", "--kernel-size", 9, "--num-levels", 1)
    assert not (folder / "correlation_digits.csv").exists()
    assert (folder / "correlation_photographs.csv").exists()


def test_a_folder_of_images_of_different_sizes(inspect, rows, tmp_path):
    write_images(tmp_path / "mine", [(9, 11), (12, 8, 3)])
    folder, _ = inspect("correlation", "--kernel-size", 3, "--num-levels", 1, "--images", tmp_path / "mine")
    table = rows(folder / "correlation_mine.csv")
    assert sum(int(row["cells"]) for row in table) == 8
    assert all(abs(float(row["mean"])) < 0.3 for row in table)  # of noise


@pytest.mark.parametrize(
    ("shapes", "words", "reason"),
    [
        ([], [], "mine/* does not exist"),
        ([(9, 9), (4, 9)], ["--kernel-size", 5], "1.png: must be at least as large as the window (5, 5), got (4, 9)"),
        ([(9, 9)], ["--kernel-size", 3, 3, 3], "--kernel-size must have one entry or 2"),
    ],
)
def test_wrong_images_are_refused(refused, tmp_path, shapes, words, reason):
    write_images(tmp_path / "mine", shapes)
    assert reason in refused("correlation", "--images", tmp_path / "mine", *words)


def test_a_damaged_image_is_named(refused, tmp_path):
    write_images(tmp_path / "mine", [(9, 9)])
    (tmp_path / "mine" / "1.png").write_bytes((tmp_path / "mine" / "0.png").read_bytes()[:40])
    assert "1.png: cannot be read as an image" in refused("correlation", "--images", tmp_path / "mine")


def test_a_window_that_fits_nothing_embedded_is_refused(refused):
    assert "(501, 501) is larger than the images" in refused("correlation", "--kernel-size", 501)
