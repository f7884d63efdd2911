"""Running ``lpsc inspect`` as the command line does."""

import csv

import pytest

from datamodules.images.sample_images import image_sets
from lightning_modules.inspect_command import Sources, main
from lightning_modules.training_cli import build


@pytest.fixture
def inspect(tmp_path, capsys):
    """Run ``lpsc inspect`` into a folder; returns the folder and what was printed."""

    def call(*words):
        folder = tmp_path / "out"
        main([*map(str, words), "--output", str(folder)], Sources(build=build, images=image_sets))
        return folder, capsys.readouterr().out

    return call


@pytest.fixture
def refused(inspect, tmp_path, capsys):
    """Run ``lpsc inspect`` with wrong words; returns the reason it gives, after checking that nothing was written."""

    def call(*words):
        with pytest.raises(SystemExit) as exit_info:
            inspect(*words)
        assert exit_info.value.code == 2
        assert not (tmp_path / "out").exists()
        return capsys.readouterr().err

    return call


@pytest.fixture
def rows():
    """Read a table that was written, as dicts."""

    def read(path):
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    return read
