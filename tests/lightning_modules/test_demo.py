"""The demonstration, shortened to one epoch."""

import csv
from contextlib import redirect_stdout
from io import StringIO

import pytest
from torch import nn

from lightning_modules.demo import EXPERIMENTS, first_layer, main


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """The folder the demonstration wrote, and what it printed."""
    folder = tmp_path_factory.mktemp("demo")
    with redirect_stdout(StringIO()) as printed:
        main(["--output", str(folder), "--epochs", "1"])
    return folder, printed.getvalue()


def rows_of(folder):
    with (folder / "results.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_report_holds_what_was_measured(shown):
    folder, _ = shown
    rows = {row["network"]: row for row in rows_of(folder)}
    assert list(rows) == list(EXPERIMENTS)
    assert [row["receptive_field"] for row in rows.values()] == ["3 x 3", "5 x 5", "5 x 5"]
    assert all(0.1 < float(row["test_accuracy"]) < 1 for row in rows.values())
    assert all(0 < float(row["seconds_per_epoch"]) < 60 for row in rows.values())


def test_the_printed_table_agrees_with_the_file(shown):
    folder, printed = shown
    for row in rows_of(folder):
        (line,) = (line for line in printed.splitlines() if f" {row['network']} " in line)
        assert f"{int(row['parameters']):,}" in line
        assert f"{float(row['test_accuracy']):.2%}" in line


def test_the_pictures_are_there(shown):
    folder, printed = shown
    names = sorted(path.name for path in folder.glob("*.png"))
    assert names == ["kernels.png", "learning_curves.png", "region_maps.png"]
    assert all((folder / name).read_bytes().startswith(b"\x89PNG") and name in printed for name in names)


def test_other_networks_have_no_known_first_layer():
    with pytest.raises(TypeError, match="network must be a ResidualNet, got Linear"):
        first_layer(nn.Linear(1, 1))
