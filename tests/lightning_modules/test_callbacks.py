"""Tables on disk and times."""

import csv

import pytest
import torch
from pytorch_lightning import Trainer

from lightning_modules.callbacks import PredictionWriter, write_csv


def read(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_table_is_written_with_its_header(tmp_path):
    path = tmp_path / "new" / "table.csv"
    write_csv(path, iter([{"a": 1, "b": "x, y"}, {"a": 2, "b": "z"}]))
    assert read(path) == [{"a": "1", "b": "x, y"}, {"a": "2", "b": "z"}]


def test_no_rows_give_an_empty_file(tmp_path):
    write_csv(tmp_path / "table.csv", iter([]))
    assert (tmp_path / "table.csv").read_text() == ""


def broken_rows():
    yield {"a": 1}
    raise RuntimeError("half way")


@pytest.mark.parametrize("before", [None, "old"])
def test_a_failure_half_way_leaves_what_was_there(tmp_path, before):
    path = tmp_path / "table.csv"
    if before is not None:
        path.write_text(before)
    with pytest.raises(RuntimeError, match="half way"):
        write_csv(path, broken_rows())
    assert [p.name for p in tmp_path.iterdir()] == ([] if before is None else ["table.csv"])
    assert before is None or path.read_text() == before


def test_predictions_become_columns(tmp_path, capsys):
    trainer = Trainer(default_root_dir=tmp_path, logger=False, accelerator="cpu", enable_progress_bar=False)
    maps = torch.zeros(2, 3, 3)  # for a writer of pictures
    first = {"maps": maps, "predicted": torch.tensor([1, 0]), "probability": torch.tensor([[0.25, 0.75], [0.5, 0.5]])}
    second = {"maps": maps[:1], "predicted": torch.tensor([1]), "probability": torch.tensor([[0.0, 1.0]])}
    writer = PredictionWriter("out.csv")
    writer.write_on_epoch_end(trainer, None, [first, second], [[[0, 1], [5]]])
    assert read(tmp_path / "out.csv") == [
        {"index": "0", "predicted": "1", "probability_0": "0.25", "probability_1": "0.75"},
        {"index": "1", "predicted": "0", "probability_0": "0.5", "probability_1": "0.5"},
        {"index": "5", "predicted": "1", "probability_0": "0.0", "probability_1": "1.0"},
    ]
    assert str(tmp_path / "out.csv") in capsys.readouterr().out


def test_every_epoch_is_timed(fitted):
    seconds = [float(row["train/seconds"]) for row in read(fitted / "metrics.csv") if row["train/seconds"]]
    assert len(seconds) == 2
    assert all(0 < value < 60 for value in seconds)
