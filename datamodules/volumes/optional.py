"""The libraries of the extra ``volumes``, imported where they are first used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from torch import Tensor

_MONAI = "volumes are varied, cut and resampled by MONAI"


def monai_transforms() -> Any:
    """Return ``monai.transforms``, which takes seconds to import.

    Raises:
        ModuleNotFoundError: MONAI is not installed.
    """
    return _imported("monai.transforms", _MONAI)


def monai_data() -> Any:
    """Return ``monai.data``.

    Raises:
        ModuleNotFoundError: MONAI is not installed.
    """
    return _imported("monai.data", _MONAI)


def nibabel() -> Any:
    """Return ``nibabel``.

    Raises:
        ModuleNotFoundError: nibabel is not installed.
    """
    return _imported("nibabel", "NIfTI files are read by nibabel")


def _imported(name: str, purpose: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{purpose}, which is not installed: pip install 'lpsc-nd[volumes]'", name=error.name
        ) from error


def plain(values: Tensor) -> Tensor:
    """Return a tensor without the notes that MONAI keeps beside it."""
    return values.as_tensor() if hasattr(values, "as_tensor") else values
