"""The command line: ``lpsc fit | validate | test | predict``, which is Lightning's, and ``lpsc compare | inspect``."""

import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from signal import SIGTERM
from typing import NoReturn

from pytorch_lightning.cli import LightningCLI
from pytorch_lightning.utilities.exceptions import SIGTERMException

from lightning_modules.training_cli import build, run


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line; ``args`` are the words after ``lpsc``, by default those of the process.

    Raises:
        SystemExit: code 0 after ``--help``; code 2, with the reason on stderr, for a wrong configuration or when
            nothing but the command's name is given; code 143 when a SIGTERM ended the run; the checkpoint of the
            last whole epoch is kept.
    """
    words = list(sys.argv[1:] if args is None else args)
    if words[:1] in (["inspect"], ["compare"]):
        return _other_command(words)
    if not words or words in [[name] for name in LightningCLI.subcommands()]:
        _show_help(words)
    try:
        run(words)
    except SIGTERMException:
        sys.exit(128 + SIGTERM)


def _other_command(words: list[str]) -> None:
    """Run a command that is not Lightning's; imported when it is called, as it brings its own libraries."""
    if words[0] == "inspect":
        from datamodules.images.sample_images import image_sets
        from lightning_modules.inspect_command import Sources
        from lightning_modules.inspect_command import main as inspect

        return inspect(words[1:], Sources(build=build, images=image_sets))
    from lightning_modules.compare.command import main as compare

    return compare(words[1:])


def _show_help(words: list[str]) -> NoReturn:
    command = " ".join(["lpsc", *words])
    with redirect_stdout(sys.stderr):
        try:
            run([*words, "--help"])
        except SystemExit:
            print(f"\n{command}: no configuration given; for example: lpsc fit --config configs/digits_lpsc.yaml")
    sys.exit(2)


if __name__ == "__main__":
    main()
