"""What the command needs from above: networks of configurations, and images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

NamedImages = Iterator[tuple[str, NDArray[np.float64]]]


class Built(Protocol):
    """What :func:`lightning_modules.training_cli.build` returns."""

    @property
    def model(self) -> Any:
        """The task of the configuration."""
        ...


@dataclass(frozen=True)
class Sources:
    """Where networks and images come from; the command line, which alone sees tasks and data, hands them in.

    Args:
        build: builds a run from words such as ``--config X.yaml`` and runs nothing.
        images: sets of grey images by name, those of a folder, or the embedded ones without a folder. A set is a
            function that reads them anew: for each the name of its file and an array ``(..., H, W)``.
    """

    build: Callable[[Sequence[str]], Built]
    images: Callable[[Path | None], Mapping[str, Callable[[], NamedImages]]]
