"""Small comparisons on digits."""

from pathlib import Path

import pytest

CONFIGS = Path(__file__).parents[3] / "configs"

TINY = (
    "--model.init_args.network.init_args.widths=[2,3]",
    "--trainer.max_epochs=3",
    "--trainer.log_every_n_steps=1",
    "--trainer.limit_train_batches=2",
    "--trainer.limit_val_batches=1",
    "--trainer.limit_test_batches=1",
    "--trainer.accelerator=cpu",
    "--trainer.enable_progress_bar=false",
    "--data.init_args.batch_size=10",
)


@pytest.fixture(scope="session")
def configs():
    """The folder of the configurations."""
    return CONFIGS


@pytest.fixture(scope="session")
def tiny():
    """Words that make a run of the digits' configurations tiny: 3 epochs of 20 samples."""
    return TINY


@pytest.fixture
def config_file(tmp_path):
    """An empty file with the name of a configuration."""

    def make(name):
        path = tmp_path / f"{name}.yaml"
        path.touch()
        return path

    return make
