"""The structures of ``c/plan.h``, ``c/bench.h``, ``c/depthwise.h`` and ``c/weights.h``, as ctypes has them."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, c_int32, c_int64, c_void_p
from functools import lru_cache

from torch import Tensor

MOST_AXES = 8
"""Axes of a map: images and space; as all of these constants, the same in C."""

VERSION = 4
"""That of these structures; a library that was compiled for another is not used."""

MOST_DOUBLINGS = 5
"""Tables of blocks beside that of cells."""

MOST_ROWS = 144
"""Sites that a mixed pass works on at a time."""

SUMS_BYTES = 49152
"""Bytes of their sums, for some bags."""

TOGETHER = 4
"""Sites that are summed at a time beside a product: of the last ones, all but one may lie behind a pass's rows."""

LINES = 4
"""Lines of sites that a depthwise pass works on at a time."""

Numbers = c_int64 * MOST_AXES
"""A number for each axis."""

Doublings = c_int64 * MOST_DOUBLINGS
"""A number for each doubling."""


class Map(ctypes.Structure):
    """A tensor (images, channels, *space) of any strides, in elements."""

    _fields_ = (("data", c_void_p), ("channels", c_int64), ("channel_stride", c_int64), ("strides", Numbers))

    @classmethod
    def of(cls, tensor: Tensor) -> Map:
        """Describe a tensor, which has to outlive the description."""
        images, channels, *space = tensor.stride()
        return cls(address(tensor), tensor.shape[1], channels, numbers((images, *space)))


class Plan(ctypes.Structure):
    """Boxes of sites, and what each site reads of a box's table."""

    _fields_ = (
        ("axes", c_int64),
        ("size", Numbers),
        ("steps", Numbers),
        ("stride", Numbers),
        ("reach", Numbers),
        ("table_steps", Numbers),
        ("table_cells", c_int64),
        ("doublings", c_int64),
        ("doubled", Doublings),
        ("apart", Doublings),
        ("bags", c_int64),
        ("bag_first", POINTER(c_int64)),
        ("bag_last", POINTER(c_int64)),
        ("boxes", c_int64),
        ("longest_line", c_int64),
        ("corners", POINTER(c_int64)),
        ("counts", POINTER(c_int64)),
        ("starts", POINTER(c_int64)),
        ("bag_starts", POINTER(c_int32)),
        ("taps", POINTER(c_int32)),
        ("row_starts", POINTER(c_int32)),
        ("row_taps", POINTER(c_int32)),
        ("row_bags", POINTER(c_int32)),
        ("visits", c_int64),
        ("visit_lines", POINTER(c_int32)),
        ("visit_rows", POINTER(c_int32)),
    )


class Pass(ctypes.Structure):
    """What a pass reads and writes; the C structures ``Mixed`` and ``Depthwise`` alike."""

    _fields_ = (
        ("plan", POINTER(Plan)),
        ("source", POINTER(Map)),
        ("weights", c_void_p),
        ("bias", c_void_p),
        ("output", POINTER(Map)),
        ("factors", POINTER(Map)),
        ("gradients", c_void_p),
        ("scratch", c_void_p),
        ("scratch_size", c_int64),
        ("parts", c_int64),
    )


class Weights(ctypes.Structure):
    """A layer's weights or their gradients, and the same as a pass has them."""

    _fields_ = (
        ("outputs", c_int64),
        ("inputs", c_int64),
        ("regions", c_int64),
        ("turned", c_int64),
        ("parts", c_int64),
        ("weight", c_void_p),
        ("center", c_void_p),
        ("divisors", c_void_p),
        ("laid", c_void_p),
    )


def address(tensor: Tensor) -> int:
    """Return where a tensor's values are.

    Raises:
        RuntimeError: a tensor without memory on the CPU, as one whose storage was freed.
    """
    found = tensor.data_ptr()
    if not tensor.is_cpu or (found == 0 and tensor.numel() > 0):
        raise RuntimeError(f"a tensor of shape {tuple(tensor.shape)} has no memory on the CPU; it may have been freed")
    return found


@lru_cache(maxsize=256)
def numbers(values: tuple[int, ...]) -> ctypes.Array[c_int64]:
    """Return a number for each axis."""
    return Numbers(*values)
