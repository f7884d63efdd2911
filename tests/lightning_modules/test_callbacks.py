"""Tables on disk and times."""

import csv

import torch
from pytorch_lightning import Trainer

from lightning_modules.callbacks import PredictionWriter


def read(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


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
