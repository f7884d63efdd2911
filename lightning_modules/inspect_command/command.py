"""The words after ``lpsc inspect``."""

from __future__ import annotations

import argparse
import pickle
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from lightning_modules.inspect_command import correlation, erf, kernels, mask, model
from lightning_modules.inspect_command.output import Output
from lightning_modules.inspect_command.sources import Sources

_COMMANDS: dict[str, ModuleType] = {
    "mask": mask,
    "kernels": kernels,
    "erf": erf,
    "model": model,
    "correlation": correlation,
}
# What a wrong argument, file or configuration raises, with the reason; anything else is a fault of the program.
_REFUSED = (ValueError, TypeError, OSError, ModuleNotFoundError, pickle.UnpicklingError)


def main(words: Sequence[str], sources: Sources) -> None:
    """Run ``lpsc inspect``; ``words`` follow it.

    Raises:
        SystemExit: code 0 after ``--help``; code 2, with the reason on stderr, for wrong words, files or values.
    """
    parser, parts = _parsers()
    options = parser.parse_args(list(words))
    try:
        _COMMANDS[options.command].run(options, sources, Output(options.output))
    except _REFUSED as error:
        parts[options.command].error(str(error))


def _parsers() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    parser = argparse.ArgumentParser(prog="lpsc inspect", description="Look at layers, networks and images.")
    commands = parser.add_subparsers(dest="command", required=True, metavar=" | ".join(_COMMANDS))
    parts = {}
    for name, module in _COMMANDS.items():
        summary = (module.__doc__ or "").strip().splitlines()[0]
        parts[name] = commands.add_parser(name, help=summary, description=summary)
        module.add_arguments(parts[name])
        parts[name].add_argument(
            "--output", type=Path, default=Path("runs", "inspect"), help="folder to write into (default: runs/inspect)"
        )
    return parser, parts
