"""Argument checks, one wording for each: the name, what was expected, the value got.

Every public door turns "an integer or a tuple" into a tuple here, once, so that nothing behind it has to ask again.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def integer(name: str, value: Any, *, minimum: int) -> int:
    """Return ``value`` as an int of at least ``minimum``; TypeError for 3.0, '3' and True, ValueError if too small."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} must be an integer, got {value!r} of type {type(value).__name__}")
    number = operator.index(value)
    if number < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {number}")
    return number


def integers(name: str, value: Any, length: int, *, minimum: int) -> tuple[int, ...]:
    """Return one integer per axis, a single one repeated; a tuple of another length is a ValueError."""
    if length == 0:
        raise ValueError(f"{name} must have at least one axis, got {value!r}")
    if not _is_sequence(value):
        return (integer(name, value, minimum=minimum),) * length
    if len(value) != length:
        raise ValueError(f"{name} must be one integer or a tuple of {length}, got {tuple(value)!r}")
    return tuple(integer(f"{name}[{axis}]", entry, minimum=minimum) for axis, entry in enumerate(value))


def number(name: str, value: Any, *, above: float = -math.inf, minimum: float = -math.inf) -> float:
    """Return ``value`` as a finite float that is > ``above`` and >= ``minimum``."""
    if isinstance(value, (bool, str, bytes)) or not hasattr(value, "__float__") or _is_sequence(value):
        raise TypeError(f"{name} must be a number, got {value!r} of type {type(value).__name__}")
    try:
        result = float(value)
    except OverflowError as error:
        raise ValueError(f"{name} must be finite, got an integer too large for a float") from error
    if not math.isfinite(result):
        raise ValueError(f"{name} must be finite, got {result}")
    if result <= above:
        raise ValueError(f"{name} must be greater than {above:g}, got {result:g}")
    if result < minimum:
        raise ValueError(f"{name} must be at least {minimum:g}, got {result:g}")
    return result


def numbers(name: str, value: Any, length: int, *, above: float = -math.inf) -> tuple[float, ...]:
    """Return one float per axis, a single one repeated; a tuple of another length is a ValueError."""
    if not _is_sequence(value):
        return (number(name, value, above=above),) * length
    if len(value) != length:
        raise ValueError(f"{name} must be one number or a sequence of {length}, got {tuple(value)!r}")
    return tuple(number(f"{name}[{axis}]", entry, above=above) for axis, entry in enumerate(value))


def table(name: str, value: Any) -> NDArray[np.float64]:
    """Return ``value`` as a float64 array; a TypeError or ValueError that names it if it is ragged or not numbers."""
    try:
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name} must be an array of numbers with rows of equal length, got {value!r}") from error


def choice(name: str, value: Any, allowed: Collection[str]) -> str:
    """Return ``value`` if it is one of ``allowed``; else a ValueError that lists them."""
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name} must be one of {_quoted(allowed)}, got {value!r}")
    return value


def shape_text(shape: Iterable[Any]) -> str:
    """Write a shape the way PyTorch's messages do: ``[2, 3, 32, 32]``."""
    return "[" + ", ".join(str(extent) for extent in shape) + "]"


def _is_sequence(value: Any) -> bool:
    """Tell a per-axis argument from a single one; zero-dimensional arrays and tensors count as single."""
    if isinstance(value, (str, bytes)):
        return False
    return isinstance(value, Sequence) or (hasattr(value, "__len__") and getattr(value, "ndim", 1) > 0)


def _quoted(words: Iterable[str]) -> str:
    return ", ".join(repr(word) for word in words)
