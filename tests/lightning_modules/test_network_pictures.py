"""A network's layers and receptive field, written when it is trained."""

import csv

import pytest
import torch
from pytorch_lightning import LightningModule, Trainer
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from lightning_modules.network_pictures import NetworkPictures
from lpsc_nd import LPSConv1d, LPSConv2d

pytestmark = pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers")


class Task(LightningModule):
    """Trains whatever it is given."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def training_step(self, batch, batch_idx):
        return self.network(batch[0]).square().mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def trained(tmp_path, module, shape, **options):
    """Train for two epochs with the callback; returns the folder of the pictures."""
    callback = NetworkPictures(list(shape), **options)
    trainer = Trainer(
        default_root_dir=tmp_path,
        max_epochs=2,
        accelerator="cpu",
        callbacks=[callback],
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        logger=False,
    )
    trainer.fit(Task(module), DataLoader(TensorDataset(torch.randn(2, *shape))))
    return tmp_path / "pictures"


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_layers_and_field(tmp_path, capsys):
    network = nn.Sequential(LPSConv2d(1, 2, 5, padding=2, num_levels=1), nn.ReLU(), nn.Conv2d(2, 1, 3, padding=1))
    folder = trained(tmp_path, network, (1, 16, 16))
    assert {path.name for path in folder.iterdir()} == {
        *(f"layers.{kind}" for kind in ("txt", "csv")),
        *(f"erf.{kind}" for kind in ("txt", "csv", "png", "svg")),
    }
    layers = {row["layer"]: row for row in rows(folder / "layers.csv")}
    assert int(layers["total"]["parameters"]) == sum(p.numel() for p in network.parameters())
    assert layers["2"]["field"] == "7 x 7"
    (field,) = rows(folder / "erf.csv")
    assert field["estimated field"] == "7 x 7"
    assert "erf" not in capsys.readouterr().out


def test_the_network_trains_as_without(tmp_path):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.BatchNorm2d(1))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    trained(tmp_path, network, (1, 8, 8))
    assert network.training
    assert network[1].num_batches_tracked == 4
    assert not torch.equal(network[0].weight, before["0.weight"])
    assert all(parameter.grad is None or parameter.grad.isfinite().all() for parameter in network.parameters())


def test_a_line_and_a_part(tmp_path):
    network = nn.Sequential(LPSConv1d(1, 1, 5, padding=2), nn.Conv1d(1, 1, 3, padding=1))
    folder = trained(tmp_path, network, (1, 20), layer="0")
    assert (folder / "erf_lines.png").exists()
    (field,) = rows(folder / "erf.csv")
    assert (field["layer"], field["estimated field"]) == ("0", "5")


def test_a_network_that_is_not_there_stops_the_training(tmp_path):
    with pytest.raises(ValueError, match="network must be a part of the task, such as 'network', got 'net'"):
        trained(tmp_path, nn.Conv2d(1, 1, 3), (1, 8, 8), network="net")


def test_an_input_that_does_not_fit_stops_the_training(tmp_path):
    callback = NetworkPictures([2, 8, 8])
    trainer = Trainer(default_root_dir=tmp_path, max_epochs=1, accelerator="cpu", callbacks=[callback], logger=False)
    data = DataLoader(TensorDataset(torch.randn(2, 1, 8, 8)))
    with pytest.raises(ValueError, match="network"):
        trainer.fit(Task(nn.Conv2d(1, 1, 3)), data)


@pytest.mark.parametrize(
    ("shape", "message"),
    [([3], r"input_shape must be channels and sizes, such as \[3, 32, 32\], got \[3\]"), ([3, 0], "at least 1, got 0")],
)
def test_bad_arguments(shape, message):
    with pytest.raises(ValueError, match=message):
        NetworkPictures(shape)
