"""What a run leaves on disk for the comparison: its settings, and its result or its failure."""

import hashlib
import json
import platform
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

import lpsc_nd
from lpsc_nd._files import write_whole

SETTINGS, RESULT, FAILURE = "settings.json", "result.json", "failure.txt"

# These differ between a run and the same run elsewhere, and change nothing that is compared.
_IRRELEVANT = (
    "trainer.default_root_dir",
    "trainer.enable_progress_bar",
    "trainer.enable_model_summary",
    "trainer.logger",
    "checkpoint.dirpath",
    "epoch_checkpoint.path",
    "predictions.path",
)

Settings = dict[str, Any]  # dotted key -> plain value


class RecordError(ValueError):
    """A file of a run that is damaged, or of another configuration; the message names it."""


@dataclass(frozen=True)
class Result:
    """What came out of a run.

    Args:
        name: the network's name.
        seed: of the run.
        parameters: number of the network's parameters.
        scores: values of the test.
        epochs: values logged in each epoch, with its number under ``epoch``.
        digest: of the run's settings.
        versions: of what computed it.
    """

    name: str
    seed: int
    parameters: int
    scores: dict[str, float]
    epochs: list[dict[str, float]]
    digest: str
    versions: dict[str, str]

    def write(self, folder: Path) -> None:
        """Write the result into a run's folder, whole or not at all."""
        _write(folder / RESULT, asdict(self))


def read_result(folder: Path, digest: str) -> Result | None:
    """Return the result in a run's folder, or None if there is none.

    Raises:
        RecordError: the file is damaged, or belongs to other settings.
    """
    path = folder / RESULT
    if not path.exists():
        return None
    values = _read(path)
    names = {field.name for field in fields(Result)}
    if set(values) != names:
        raise RecordError(f"{path}: must have the keys {sorted(names)}, got {sorted(values)}; remove it to run anew")
    if values["digest"] != digest:
        raise RecordError(f"{path}: the result of another configuration; give another output, or remove {folder}")
    return Result(**values)


def settings_of(text: str, seed: int, evaluate: str) -> Settings:
    """Return the settings that decide a run's result, from its whole configuration as JSON."""
    settings = dict(_flatten("", json.loads(text)))
    settings |= {"seed_everything": seed, "evaluate": evaluate}
    return {key: value for key, value in sorted(settings.items()) if key not in _IRRELEVANT}


def digest_of(settings: Mapping[str, Any]) -> str:
    """Return 16 hexadecimal digits that differ where settings do."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


def claim(folder: Path, settings: Settings) -> None:
    """Write the settings into a run's folder, unless they are there.

    Raises:
        RecordError: the folder holds a run with other settings, or settings that cannot be read.
    """
    check_claim(folder, settings)
    if not (folder / SETTINGS).exists():
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / SETTINGS, settings)


def check_claim(folder: Path, settings: Settings) -> None:
    """Raise a :class:`RecordError` that names the differences, if the folder holds a run with other settings."""
    path = folder / SETTINGS
    if not path.exists():
        return
    before = _read(path)
    missing = object()
    different = [
        f"{key} was {_shown(before, key)} and is {_shown(settings, key)}"
        for key in sorted({*before, *settings})
        if before.get(key, missing) != settings.get(key, missing)
    ]
    if different:
        raise RecordError(
            f"{path}: a run of another configuration ({'; '.join(different[:5])}); give another output, or remove "
            f"{folder} to run it anew"
        )


def record_failure(folder: Path, report: str) -> None:
    """Write why a run failed into its folder."""
    write_whole(folder / FAILURE, [report.encode()])


def versions() -> dict[str, str]:
    """Return the versions of what computes."""
    return {
        "lpsc_nd": lpsc_nd.__version__,
        "torch": torch.__version__,
        "pytorch_lightning": version("pytorch-lightning"),
        "python": platform.python_version(),
    }


def _shown(settings: Mapping[str, Any], key: str) -> str:
    return json.dumps(settings[key]) if key in settings else "not there"


def _flatten(prefix: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _flatten(f"{prefix}.{key}" if prefix else key, item)
    else:
        yield prefix, value


def _write(path: Path, values: Mapping[str, Any]) -> None:
    write_whole(path, [json.dumps(values, indent=1).encode()])


def _read(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RecordError(f"{path}: not JSON: {error}; remove it to run anew") from error
    if not isinstance(values, dict):
        raise RecordError(f"{path}: must hold a mapping, got {values!r}; remove it to run anew")
    return values
