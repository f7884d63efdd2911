"""The libraries of the extra ``volumes``, imported where they are first used."""

from __future__ import annotations

from typing import Any

from torch import Tensor

_MONAI = "volumes are varied, cut and resampled by MONAI"
_INSTALL = "which is not installed: pip install 'lpsc-nd[volumes]'"


def monai_transforms() -> Any:
    """Return ``monai.transforms``, which takes seconds to import.

    Raises:
        ModuleNotFoundError: MONAI is not installed.
    """
    try:
        import monai.transforms
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"volumes are varied, cut and resampled by MONAI, {_INSTALL}", name=error.name
        ) from error
    return monai.transforms


def monai_data() -> Any:
    """Return ``monai.data``.

    Raises:
        ModuleNotFoundError: MONAI is not installed.
    """
    try:
        import monai.data
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"volumes are varied, cut and resampled by MONAI, {_INSTALL}", name=error.name
        ) from error
    return monai.data


def nibabel() -> Any:
    """Return ``nibabel``.

    Raises:
        ModuleNotFoundError: nibabel is not installed.
    """
    try:
        import nibabel
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"NIfTI files are read by nibabel, {_INSTALL}", name=error.name) from error
    return nibabel


def plain(values: Tensor) -> Tensor:
    """Return a tensor without the notes that MONAI keeps beside it."""
    return values.as_tensor() if hasattr(values, "as_tensor") else values
