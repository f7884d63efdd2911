"""What the tests of the tasks and the command line share."""

from pathlib import Path

import pytest
import torch
from pytorch_lightning import LightningModule, Trainer
from torch.utils.data import DataLoader, TensorDataset

from lightning_modules.training_cli import run

CONFIGS = Path(__file__).parents[2] / "configs"

# Foreign: Lightning asks a question that newer torch answers otherwise; and it says that an evaluation writes elsewhere
# than the training whose checkpoint it reads.
_FOREIGN_WARNINGS = (
    "ignore:.isinstance.treespec, LeafSpec.. is deprecated",
    "ignore:The dirpath has changed from",
    "ignore:.*does not have many workers",
    "ignore::jsonargparse._deprecated.JsonargparseDeprecationWarning",
)


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            for message in _FOREIGN_WARNINGS:
                item.add_marker(pytest.mark.filterwarnings(message))


@pytest.fixture(autouse=True)
def _global_settings():
    """Leave torch's global determinism as it was: a trainer sets it for the whole process."""
    before = torch.are_deterministic_algorithms_enabled()
    yield
    torch.use_deterministic_algorithms(before)


@pytest.fixture(scope="session")
def lpsc():
    """Run ``lpsc`` on the CPU with a tiny version of the digits experiment."""

    def call(command, root, *words):
        shrink = ["--model.init_args.network.init_args.widths=[4,8]", "--trainer.default_root_dir", str(root)]
        quiet = ["--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false"]
        quiet.append("--trainer.accelerator=cpu")
        return run([command, "--config", str(CONFIGS / "digits_conv.yaml"), *shrink, *quiet, *words])

    return call


@pytest.fixture(scope="session")
def fitted(lpsc, tmp_path_factory):
    """The folder of a run of two epochs."""
    root = tmp_path_factory.mktemp("fitted")
    lpsc("fit", root, "--trainer.max_epochs=2")
    return root / "version_0"


class _Task(LightningModule):
    """Trains whatever it is given."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def training_step(self, batch, batch_idx):
        return self.network(batch[0]).square().mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.fixture
def fit_with(tmp_path):
    """Return a function that trains a network with a callback; it gives the folder of the callback's pictures."""

    def fit(callback, network, shape, epochs):
        trainer = Trainer(
            default_root_dir=tmp_path,
            max_epochs=epochs,
            accelerator="cpu",
            callbacks=[callback],
            enable_progress_bar=False,
            enable_model_summary=False,
            enable_checkpointing=False,
            logger=False,
        )
        trainer.fit(_Task(network), DataLoader(TensorDataset(torch.randn(2, *shape))))
        return tmp_path / "pictures"

    return fit
