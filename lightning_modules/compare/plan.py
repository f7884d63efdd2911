"""What a comparison consists of: configurations, seeds, and how its results are told."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from lightning_modules.compare.published import published_scores
from lightning_modules.compare.reductions import REDUCTIONS
from lightning_modules.compare.runs import OWN_SETTINGS, Run
from lpsc_nd import _checks

_SEQUENCES = ("configs", "seeds", "metrics", "overrides")


@dataclass(frozen=True)
class Plan:
    """A comparison: every configuration is trained once for every seed.

    Args:
        configs: configuration files; a file's name without ending is the network's name in the table.
        output: folder to write into.
        seeds: of all random numbers, one for each run of a configuration.
        metrics: what the table shows: logged names such as ``test/accuracy``, or ``val/accuracy``.
        reduce: what is taken of a value that was logged in every epoch: its ``best`` one, the ``last`` one, or the
            ``last10`` ones; values of the test are there once, and it does not matter for them.
        evaluate: test the ``best`` checkpoint, by the configuration's own monitor, or the ``last`` one.
        published: what of the paper stands beside: an experiment, such as ``table1/resnet20/cifar10``, whose row is
            found by the end of the network's name (``_conv``, ``_dilated``, ``_lpsc``, ``_lpsc_cc``), or for each
            network by its name an experiment and its row, such as ``table1/resnet20/cifar10/lpsc``.
        percent: show metrics, losses excepted, in percent.
        equal_parameters: warn if numbers of parameters differ by more than 2 %.
        overrides: words ``--key=value`` for every run.
        title: heading of table and figure.

    Raises:
        TypeError, ValueError: an argument is of a wrong type, out of range, or there twice.
        FileNotFoundError: a configuration does not exist.
    """

    configs: tuple[Path, ...]
    output: Path
    seeds: tuple[int, ...] = (0, 1, 2)
    metrics: tuple[str, ...] = ("test/accuracy",)
    reduce: str = "best"
    evaluate: str = "best"
    published: str | Mapping[str, str] | None = None
    percent: bool = False
    equal_parameters: bool = False
    overrides: tuple[str, ...] = ()
    title: str = "Comparison"

    def __post_init__(self) -> None:
        _check_lists(self)
        for path in self.configs:
            if not path.is_file():
                raise FileNotFoundError(f"configs must be files, and {path} does not exist")
        for seed in self.seeds:
            _checks.integer("seeds", seed, minimum=0)
        for name in ("percent", "equal_parameters"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"{name} must be true or false, got {getattr(self, name)!r}")
        _checks.choice("reduce", self.reduce, REDUCTIONS)
        _checks.choice("evaluate", self.evaluate, ("best", "last"))
        _check_overrides(self.overrides)
        published_scores(self.published, self.names)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the networks."""
        return tuple(path.stem for path in self.configs)

    def runs(self) -> list[Run]:
        """Return all runs, in the order in which they are made: a seed for every configuration, then the next."""
        return [
            Run(path, seed, self.output / path.stem / f"seed_{seed}", self.overrides, self.evaluate)
            for seed in self.seeds
            for path in self.configs
        ]


def make_plan(values: Mapping[str, Any]) -> Plan:
    """Build a plan from plain values, as a file or the command line gives them.

    Raises:
        TypeError: a value has a wrong type.
        ValueError: a value is missing, unknown or out of range.
        FileNotFoundError: a configuration does not exist.
    """
    known = [field.name for field in fields(Plan)]
    for key in values:
        _checks.choice("a plan's key", key, known)
    for key in ("configs", "output"):
        if values.get(key) is None:
            raise ValueError(f"{key} must be given, on the command line or in a plan")
    plain: dict[str, Any] = {key: _tuple(key, value) if key in _SEQUENCES else value for key, value in values.items()}
    plain["configs"] = tuple(Path(path) for path in plain["configs"])
    plain["output"] = Path(plain["output"])
    return Plan(**plain)


def read_plan(path: Path) -> dict[str, Any]:
    """Read the values of a plan's file; its configurations are looked for from the file's own folder.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: it does not hold YAML, or no mapping; the message begins with its path.
    """
    if not path.is_file():
        raise FileNotFoundError(f"plan must be a file, and {path} does not exist")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not YAML: {error}") from error
    if not isinstance(values, dict):
        raise ValueError(f"{path}: must hold a mapping of keys such as configs and output, got {values!r}")
    if "configs" in values:
        values["configs"] = [path.parent / str(config) for config in _tuple("configs", values["configs"])]
    return values


def _tuple(name: str, value: Any) -> tuple[Any, ...]:
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
        raise TypeError(f"{name} must be a list, got {value!r}")
    return tuple(value)


def _check_lists(plan: Plan) -> None:
    lists: dict[str, Sequence[Any]] = {"configs": plan.names, "seeds": plan.seeds, "metrics": plan.metrics}
    for name, entries in lists.items():
        if not entries:
            raise ValueError(f"{name} must have at least one entry, got none")
        twice = [entry for entry, count in Counter(entries).items() if count > 1]
        if twice:
            raise ValueError(f"{name} must differ from each other, got {twice[0]!r} twice")


def _check_overrides(words: Sequence[str]) -> None:
    for word in words:
        key, equals, _ = word.partition("=")
        if not key.startswith("--") or not equals:
            raise ValueError(f"overrides must be written as --key=value, such as --trainer.max_epochs=3, got {word!r}")
        if key in OWN_SETTINGS:
            raise ValueError(f"overrides cannot have {key}: a comparison sets it for each run")
