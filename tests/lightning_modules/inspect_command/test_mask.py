"""``lpsc inspect mask``."""

import numpy as np
import pytest

from lpsc_nd import LogPolarPartition, LPSConv3d, build_mask


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_table_counts_the_cells_of_the_map(inspect, rows):
    words = ["--kernel-size", 9, "--num-levels", 2, "--num-directions", 6, "--growth", 2, "--convention", "official"]
    folder, printed = inspect("mask", *words)
    table = rows(folder / "mask.csv")
    mask = build_mask(LogPolarPartition.for_grid((9, 9), 2, 6, 2.0, convention="official"), (9, 9))
    assert [int(row["cells"]) for row in table] == np.bincount(mask.ravel())[1:].tolist()
    assert [(row["level"], row["direction"]) for row in table] == [(lv, m) for lv in "12" for m in "123456"]
    assert [row["to radius"] for row in table] == ["2.000"] * 6 + ["4.000"] * 6
    assert float(table[6]["tap"]) == pytest.approx(1 / (mask == 7).sum(), abs=1e-4)
    assert "12 regions hold 81 of 81 cells" in printed
    assert "empty regions: none" in printed
    assert names(folder) == ["mask.csv", "mask.txt", "mask_map.png", "mask_map.svg"]
    assert (folder / "mask.txt").read_text().splitlines()[0] == '9 x 9, 2 levels, 6 directions, growth 2, "official"'
    assert all(str(folder / name) in printed for name in names(folder))


def test_pictures_are_what_they_say_and_come_out_equal_each_time(inspect):
    folder, _ = inspect("mask", "--kernel-size", 5)
    before = (folder / "mask_map.svg").read_bytes()
    assert (folder / "mask_map.png").read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in before
    inspect("mask", "--kernel-size", 5)
    assert (folder / "mask_map.svg").read_bytes() == before


def test_empty_regions_are_named(inspect, rows):
    folder, printed = inspect("mask", "--kernel-size", 5, "--num-levels", 3, "--num-directions", 8)
    table = rows(folder / "mask.csv")
    empty = [row["region"] for row in table if row["cells"] == "0"]
    assert len(empty) > 0
    assert f"empty regions: {', '.join(empty)}" in printed
    assert {row["tap"] for row in table if row["region"] in empty} == {"empty"}


@pytest.mark.parametrize(
    ("words", "pictures", "regions"),
    [
        (["--ndim", 1, "--kernel-size", 9], {"mask_map.png"}, 4),
        (["--kernel-size", 5, 9, "--spacing", 2, 1, "--angle", 0.3], {"mask_map.png"}, 12),
        (["--ndim", 3, "--kernel-size", 5], {"mask_slices.png", "mask_levels.png"}, 24),
        (["--kernel-size", 3, 5, 5, "--num-directions", 2, 4], {"mask_slices.png", "mask_levels.png"}, 16),
        (["--ndim", 4, "--kernel-size", 3, "--num-levels", 1], set(), 24),
    ],
)
def test_any_number_of_axes(inspect, rows, words, pictures, regions):
    folder, printed = inspect("mask", *words)
    assert {name for name in names(folder) if name.endswith(".png")} == pictures
    assert len(rows(folder / "mask.csv")) == regions
    assert ("no picture of 4 axes" in printed) == (not pictures)


def test_a_physical_radius_finds_its_window(inspect, rows):
    words = ["--radius", 9, "--spacing", 3, 1, 1, "--num-directions", 2, 4]
    folder, printed = inspect("mask", *words)
    mask = LPSConv3d(1, 1, radius=9.0, spacing=(3.0, 1.0, 1.0), num_directions=(2, 4)).mask
    assert [int(row["cells"]) for row in rows(folder / "mask.csv")] == np.bincount(mask.ravel())[1:].tolist()
    assert "7 x 19 x 19 of 3 x 1 x 1, 2 levels, 8 directions" in printed
    assert {row["to radius"] for row in rows(folder / "mask.csv")} == {"4.500", "9.000"}


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--num-levels", 0], "num_levels must be at least 1, got 0"),
        (["--growth", 1], "growth must be greater than 1, got 1"),
        (["--kernel-size", 1], "no cells around its centre"),
        (["--kernel-size", 5, 5, "--ndim", 3], "--kernel-size must have one entry or 3, one per axis, got 2"),
        (["--kernel-size", 5, 5, "--spacing", 1, 1, 1], "--kernel-size must have one entry or 3"),
        (["--spacing", 0], r"spacing[0] must be greater than 0"),
        (["--radius", 0.5], "radius must reach at least one neighbouring cell"),
        (["--radius", 9, "--kernel-size", 7], "kernel_size must be at least (19, 19) to hold the radius 9"),
        (["--ndim", 0], "--ndim must be at least 1, got 0"),
        (["--convention", "other"], "invalid choice: 'other'"),
        (["--num-directions", 2, 4], "num_directions"),
        (["--kernel-size", "nine"], "invalid int value: 'nine'"),
        (["--eccentricity", 2, "--ndim", 3], "eccentricity"),
    ],
)
def test_wrong_windows_are_refused(refused, words, reason):
    assert reason in refused("mask", *words)


@pytest.mark.parametrize("words", [[], ["maks"]])
def test_wrong_commands_are_refused(refused, words):
    assert "mask | kernels | erf | model | correlation" in refused(*words)


def test_a_folder_that_cannot_be_made_is_refused(inspect, tmp_path, capsys):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(SystemExit) as exit_info:
        inspect("mask")
    assert exit_info.value.code == 2
    assert str(tmp_path / "out") in capsys.readouterr().err
