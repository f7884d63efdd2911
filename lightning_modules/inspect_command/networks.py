"""Networks from configurations, checkpoints and the paper's list."""

from __future__ import annotations

import argparse
import inspect
import os
import pickle
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import torch
from jsonargparse import ArgumentError
from torch import nn

from lightning_modules.base import BaseTask
from lightning_modules.inspect_command.sources import Sources
from lpsc_nd import models

PUBLISHED = ("SimpleVGG", "AlexNet", "VGG19", "CifarResNet", "ImageNetResNet", "DeepLabV3Plus", "CENet")
_QUIET = ("accelerator=cpu", "devices=1", "logger=false", "enable_progress_bar=false", "deterministic=false")


class CheckpointError(ValueError):
    """A checkpoint that is damaged or does not fit; the message begins with its path."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")


def add_network_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--config`` and ``--model``, each for any number of networks."""
    parser.add_argument("--config", type=Path, nargs="+", default=[], help="configurations, as for lpsc fit")
    parser.add_argument(
        "--model",
        nargs="+",
        default=[],
        metavar="NAME[:VARIANT]",
        help=f"networks of the paper, e.g. SimpleVGG:lpsc: {', '.join(PUBLISHED)}",
    )


def chosen_networks(options: argparse.Namespace, sources: Sources) -> dict[str, nn.Module]:
    """Return the networks that the arguments name, configurations first.

    Raises:
        ValueError: none, one twice, or an unknown name or variant.
        FileNotFoundError: a configuration that is not there.
    """
    names = [path.stem for path in options.config] + list(options.model)
    if not names:
        raise ValueError("give at least one network: --config FILE or --model NAME[:VARIANT]")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"each network must have a name of its own, got twice: {', '.join(twice)}")
    built = [task_of(path, sources).network for path in options.config] + [published(name) for name in options.model]
    return dict(zip(names, built, strict=True))


def task_of(config: Path, sources: Sources) -> BaseTask:
    """Build the task of a configuration.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the network works on points, not on a grid.
        SystemExit: code 2, with the reason on stderr, for a wrong configuration.
    """
    if not config.is_file():
        raise FileNotFoundError(f"{config} does not exist; --config takes a YAML file such as configs/digits_lpsc.yaml")
    words = [f"--trainer.{word}" for word in _QUIET]
    task: BaseTask = sources.build(["--config", os.fspath(config), *words]).model
    if isinstance(task.network, (models.PointClassifier, models.PointSegmenter)):
        raise ValueError(f"{config}: its network is one on points, which has no windows on a grid to look at")
    return task


def published(name: str) -> nn.Module:
    """Build a network of the paper from ``NAME`` or ``NAME:VARIANT``.

    Raises:
        ValueError: no such network, or no such variant of it.
    """
    kind, _, variant = name.partition(":")
    if kind not in PUBLISHED:
        raise ValueError(f"--model must be one of {', '.join(PUBLISHED)}, got {kind!r}")
    network: nn.Module = getattr(models, kind)(**({"variant": variant} if variant else {}))
    return network


def load_task(checkpoint: Path, config: Path | None, sources: Sources) -> BaseTask:
    """Build the task of a checkpoint with its weights.

    Args:
        checkpoint: as ``lpsc fit`` writes it.
        config: the configuration, for checkpoints that do not hold one.
        sources: builds the task of ``config``.

    Raises:
        FileNotFoundError: no such file.
        CheckpointError: a file that is no checkpoint, one without a configuration, or one of another network.
    """
    content = _read(checkpoint)
    if config is None:
        return _task_in(checkpoint, content)
    task = task_of(config, sources)
    try:
        task.load_state_dict(content["state_dict"])
    except RuntimeError as error:
        raise CheckpointError(checkpoint, f"does not fit the network: {error}") from error
    return task


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} does not exist; --checkpoint takes a file such as checkpoints/best.ckpt of a run"
        )
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, OSError, EOFError, ValueError, KeyError) as error:
        raise CheckpointError(path, f"cannot be read as a checkpoint, is it complete? ({error})") from error
    if not isinstance(content, dict) or not isinstance(content.get("state_dict"), dict):
        raise CheckpointError(path, "is not a checkpoint of lpsc fit: it has no state_dict")
    return content


def _task_in(path: Path, content: dict[str, Any]) -> BaseTask:
    recorded = content.get("hyper_parameters", {})
    name = recorded.get("_class_path")
    if name is None or "network" not in recorded:
        raise CheckpointError(path, "does not hold its network's configuration; give --config as well")
    try:
        kind = resolve_name(name)
    except (ImportError, AttributeError, ValueError) as error:
        raise CheckpointError(path, f"names the task {name!r}, which cannot be imported ({error})") from error
    if not (inspect.isclass(kind) and issubclass(kind, BaseTask)):
        raise CheckpointError(path, f"names the task {name!r}, which is no BaseTask")
    try:
        return kind.load_from_checkpoint(path, map_location="cpu")
    except (RuntimeError, ValueError, TypeError, ArgumentError) as error:
        raise CheckpointError(path, f"does not fit the network: {error}") from error


@contextmanager
def refusing_input(name: str, shape: Sequence[int]) -> Iterator[None]:
    """Turn what torch's layers raise for an input of another shape into a ValueError that names the network."""
    try:
        yield
    except RuntimeError as error:
        raise ValueError(f"{name} does not take an input of shape {list(shape)}: {error}") from error


def first_convolution(network: nn.Module) -> tuple[int, int]:
    """Return the input channels and the number of axes of the first layer that has a window.

    Raises:
        ValueError: there is none.
    """
    for part in network.modules():
        channels, size = getattr(part, "in_channels", None), getattr(part, "kernel_size", None)
        if isinstance(channels, int) and isinstance(size, Sequence):
            return channels, len(size)
    raise ValueError(f"the {type(network).__name__} has no convolution that would tell the input's channels")
