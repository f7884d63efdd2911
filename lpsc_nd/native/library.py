"""The compiled kernels: found beside this file, one library for each width of vectors, and loaded with ctypes."""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from functools import lru_cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any, Literal, get_args

import torch

from lpsc_nd.native.structures import VERSION, Pass, Weights

SWITCH = "LPSC_ND_COMPILED"
"""Environment variable that switches the kernels off where it is one of ``OFF``, before the package is imported."""

OFF = ("0", "false", "no", "off")

VECTOR_BYTES = {"AVX512": 64, "AVX2": 32}
"""Bytes of a vector, for the instructions that PyTorch says it uses."""

NAMES = {torch.float32: "float32", torch.float64: "float64"}
"""Types that the kernels compute in."""

PassKind = Literal["mixed", "depthwise"]
"""All channels of the input for each of the output, or one for one."""

PASSES: tuple[PassKind, ...] = get_args(PassKind)

MoveKind = Literal["lay", "take"]
"""A layer's weights into the order of a pass, or their gradients back."""

MOVES: tuple[MoveKind, ...] = get_args(MoveKind)


@dataclass(frozen=True)
class Kernels:
    """Compiled kernels for this processor.

    Args:
        passes: the functions that run passes, by kind and type.
        moves: those that move weights, by kind and type.
        vector_bytes: bytes of a vector.
        parallel: address of what runs a function on PyTorch's OpenMP threads, if there is one.
    """

    passes: dict[tuple[PassKind, torch.dtype], Any]
    moves: dict[tuple[MoveKind, torch.dtype], Any]
    vector_bytes: int
    parallel: int | None

    def lanes(self, dtype: torch.dtype) -> int:
        """Return how many values a vector has."""
        return self.vector_bytes // dtype.itemsize

    def run(self, kind: PassKind, dtype: torch.dtype, job: Pass) -> None:
        """Run a pass."""
        self.passes[kind, dtype](ctypes.byref(job), self.parallel)

    def move(self, kind: MoveKind, dtype: torch.dtype, job: Weights) -> None:
        """Move weights."""
        self.moves[kind, dtype](ctypes.byref(job), self.parallel)


@lru_cache(maxsize=1)
def kernels() -> Kernels | None:
    """Load the kernels for the instructions that PyTorch uses here; None if there are none."""
    capability = torch.backends.cpu.get_cpu_capability()
    path = _find(f"_{capability.lower()}") if capability in VECTOR_BYTES else None
    if path is None or os.environ.get(SWITCH, "").lower() in OFF:
        return None
    try:
        loaded = ctypes.CDLL(str(path))
        if loaded.lpsc_version() != VERSION:  # compiled before the last change; ``make setup`` compiles it again
            return None
        passes = {(kind, dtype): _declared(loaded, kind, dtype, Pass) for kind in PASSES for dtype in NAMES}
        moves = {(kind, dtype): _declared(loaded, kind, dtype, Weights) for kind in MOVES for dtype in NAMES}
    except (OSError, AttributeError):  # made for another system, or of other sources
        return None
    return Kernels(passes, moves, VECTOR_BYTES[capability], _parallel())


def _find(name: str) -> Path | None:
    paths = (Path(__file__).with_name(name + suffix) for suffix in EXTENSION_SUFFIXES)
    return next((path for path in paths if path.exists()), None)


def _declared(loaded: ctypes.CDLL, kind: str, dtype: torch.dtype, job: type[ctypes.Structure]) -> Any:
    function = getattr(loaded, f"lpsc_{kind}_{NAMES[dtype]}")
    function.argtypes, function.restype = (ctypes.POINTER(job), ctypes.c_void_p), None
    return function


def _parallel() -> int | None:
    """Return the address of ``GOMP_parallel`` of the OpenMP that PyTorch has loaded for all, or None."""
    found = getattr(ctypes.CDLL(None), "GOMP_parallel", None) if os.name == "posix" else None
    return None if found is None else ctypes.cast(found, ctypes.c_void_p).value
