"""Reads pickled tables of numbers and names, and nothing else: a pickle cannot run code here."""

from __future__ import annotations

import io
import pickle
import pickletools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.data_files import DataFileError

_BYTE = (b"u1", "u1", b"uint8", "uint8")

# What a pickle that does not hold what it should makes the unpickler raise.
_DAMAGED = (
    pickle.UnpicklingError,
    EOFError,
    AttributeError,
    ImportError,
    IndexError,
    KeyError,
    TypeError,
    ValueError,
    OverflowError,
    MemoryError,
    RecursionError,
)


def read_pickle(path: Path) -> dict[str, Any]:
    """Read a pickled dict of numbers, strings, lists, dicts, and NumPy arrays of uint8; byte keys become strings.

    No class is imported. The few names that a pickled array needs stand for recorders of this module, from which the
    array is made; any other name is refused.

    Raises:
        DataFileError: the file is damaged, holds something else, or names anything that is not allowed.
    """
    content = path.read_bytes()
    try:
        _check_memo(content)
        table = _Unpickler(io.BytesIO(content), encoding="bytes").load()
        if not isinstance(table, dict):
            raise ValueError(f"must hold a dict, got {type(table).__name__}")
        return {_text(key): value.array() if isinstance(value, _Array) else value for key, value in table.items()}
    except _DAMAGED as error:
        raise DataFileError(path, f"cannot be read as a pickled table, is it complete? ({error})") from error


@dataclass
class _Dtype:
    """Stands for numpy.dtype."""

    code: Any
    align: Any = None
    copy: Any = None

    def __setstate__(self, state: Any) -> None:
        """Ignore byte order and fields: bytes have none."""


class _NdArray:
    """Stands for numpy.ndarray, which a pickle only names."""


class _Array:
    """Stands for a pickled array, made by numpy's ``_reconstruct`` or ``_frombuffer``."""

    def __init__(self, *arguments: Any) -> None:
        # These are _frombuffer's; _reconstruct has three that say nothing, and the state follows.
        self.state: tuple[Any, ...] = ()
        if len(arguments) == 4:
            content, dtype, shape, order = arguments
            self.state = (1, shape, dtype, order in ("F", b"F"), content)

    def __setstate__(self, state: Any) -> None:
        self.state = tuple(state)

    def array(self) -> NDArray[np.uint8]:
        """Return the array."""
        _, shape, dtype, is_fortran, content = self.state
        if not isinstance(dtype, _Dtype) or dtype.code not in _BYTE:
            raise ValueError(f"arrays must be of uint8, got {dtype}")
        flat = np.frombuffer(bytes(memoryview(content)), dtype=np.uint8)
        return flat.reshape(shape, order="F" if is_fortran else "C").copy()


def _encode(text: str, encoding: Any) -> bytes:
    """Stand for ``_codecs.encode``, by which Python 3 writes bytes for Python 2."""
    if encoding not in (b"latin1", "latin1"):
        raise ValueError(f"bytes must be written as latin1, got {encoding!r}")
    return text.encode("latin1")


def _no_bytes() -> bytes:
    """Stand for ``bytes``, by which Python 3 writes empty bytes for Python 2."""
    return b""


_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _NdArray,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _encode,
    ("__builtin__", "bytes"): _no_bytes,
    **{
        (f"numpy.{core}.{name}", function): _Array
        for core in ("core", "_core")
        for name, function in (("multiarray", "_reconstruct"), ("numeric", "_frombuffer"))
    },
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Return the recorder that stands for an allowed name."""
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which a table does not need")
        return _ALLOWED[module, name]

    def persistent_load(self, identifier: Any) -> Any:
        """Refuse references to objects outside the file."""
        raise pickle.UnpicklingError("it refers to objects outside the file")


def _check_memo(content: bytes) -> None:
    # The unpickler allocates as many entries as the largest memo index says, so a damaged one could ask for gigabytes.
    for opcode, argument, _ in pickletools.genops(content):
        if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and int(argument or 0) > len(content):
            raise ValueError(f"memo index {argument} in a file of {len(content)} bytes")


def _text(key: Any) -> str:
    return key.decode("latin1") if isinstance(key, bytes) else str(key)
