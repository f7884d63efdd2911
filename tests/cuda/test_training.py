"""Short training runs of the configurations on a GPU, in full and in mixed precision."""

from pathlib import Path

import pytest
import torch

from lightning_modules.training_cli import run

CONFIGS = Path(__file__).parents[2] / "configs"
pytestmark = pytest.mark.filterwarnings(
    "ignore:.isinstance.treespec, LeafSpec.. is deprecated",  # Lightning asks what newer torch answers otherwise
    "ignore::jsonargparse._deprecated.JsonargparseDeprecationWarning",  # Lightning uses an older name
    "ignore:.*does not have many workers",
    "ignore:.*deterministic",  # interpolation has no deterministic derivative on a GPU, and warns
)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize(
    "name", ["digits_lpsc", "digits_lpsc_cc", "vessels_lpsc", "volumes_solids", "points_shapes", "points_parts",
             "series_cbf", "series_forecast"],
)  # fmt: skip
def test_configurations_train(name, precision, tmp_path, monkeypatch):
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    words = [
        "--config", str(CONFIGS / f"{name}.yaml"), "--trainer.accelerator=gpu", "--trainer.devices=1",
        f"--trainer.precision={precision}", "--trainer.fast_dev_run=2", f"--trainer.default_root_dir={tmp_path}",
        "--data.init_args.num_workers=0", "--trainer.enable_model_summary=false",
    ]  # fmt: skip
    try:
        cli = run(["fit", *words])
    finally:
        torch.use_deterministic_algorithms(False)
    assert cli.trainer.global_step == 2
    assert cli.trainer.strategy.root_device.type == "cuda"
