"""What the experiments share: their options, training from a configuration, and writing results."""

import argparse
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pytorch_lightning import LightningModule, Trainer
from torch.utils.data import DataLoader, Dataset

from lightning_modules.training_cli import LpscCLI, run
from lpsc_nd._files import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CONFIGS = Path(__file__).parents[2] / "configs"
_QUICK = (
    "--trainer.max_epochs=1",
    "--data.init_args.num_train=40",
    "--data.init_args.num_val=20",
    "--data.init_args.num_test=20",
    "--data.init_args.num_workers=0",
    "--trainer.log_every_n_steps=1",
    "--data.init_args.surface.num_points=64",
    "--model.init_args.network.init_args.widths=[4,8,8]",
)


@dataclass(frozen=True)
class Options:
    """Options of an experiment.

    Args:
        output: folder to write into.
        quick: a run of seconds, on little data, to see that everything works.
        seed: of the training.
    """

    output: Path
    quick: bool = False
    seed: int = 0


def parse(name: str, description: str | None, args: Sequence[str] | None) -> Options:
    """Read an experiment's options from the words of its command line."""
    parser = argparse.ArgumentParser(
        prog=f"python -m lightning_modules.point_experiments.{name}", description=description
    )
    parser.add_argument("--output", type=Path, default=Path("runs", name), help=f"folder (default: runs/{name})")
    parser.add_argument("--quick", action="store_true", help="a run of seconds, to see that everything works")
    parser.add_argument("--seed", type=int, default=0, help="of the training (default: 0)")
    return Options(**vars(parser.parse_args(args)))


def words_of(config: str, options: Options, *extra: str) -> list[str]:
    """Return the command line's words for a configuration on surfaces, shortened if the options say so."""
    quick = _QUICK if options.quick else ()
    seed = f"--seed_everything={options.seed}"
    return ["--config", str(CONFIGS / f"{config}.yaml"), seed, *quick, *extra]


def fit(config: str, options: Options, run_name: str, *extra: str) -> LpscCLI:
    """Train a configuration as ``lpsc fit`` does, and load the network with the lowest validation loss."""
    root = f"--trainer.default_root_dir={options.output / 'runs' / run_name}"
    cli = run(["fit", *words_of(config, options, root, "--trainer.enable_model_summary=false", *extra)])
    best = getattr(cli.trainer.checkpoint_callback, "best_model_path", "")
    cli.model = type(cli.model).load_from_checkpoint(best, map_location="cpu").eval()
    return cli


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Lightning from describing the machine each time that something is built."""
    names = [name for name in logging.root.manager.loggerDict if name.startswith(("pytorch_lightning", "lightning"))]
    before = {name: logging.getLogger(name).level for name in names}
    try:
        for name in names:
            logging.getLogger(name).setLevel(logging.ERROR)
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


def quiet_trainer() -> Trainer:
    """Return a trainer on the CPU that only tests."""
    return Trainer(
        accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False, barebones=False
    )


def evaluate(trainer: Trainer, model: LightningModule, batches: list[Any]) -> Mapping[str, float]:
    """Return what a test on some batches logs."""
    dataset = cast(Dataset[Any], batches)
    loader = DataLoader(dataset=dataset, batch_size=None)  # a bare list would be taken for several loaders
    with quiet():
        (scores,) = trainer.test(model, dataloaders=loader, verbose=False)
    return scores


def save_figure(figure: "Figure", path: Path, dpi: int = 100) -> None:
    """Write a figure as PNG, whole or not at all, and print where."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, [buffer.getvalue()])
    print(path)


def markdown_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a table the way Markdown has it.

    >>> print(markdown_table(["a", "b"], [["1", "2"]]))
    | a | b |
    | --- | --- |
    | 1 | 2 |
    """
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def save_text(text: str, path: Path) -> None:
    """Write a text, whole or not at all, and print where."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, [(text + "\n").encode()])
    print(path)
