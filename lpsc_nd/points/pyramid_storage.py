"""Pyramids on disk: plain numbers, nothing that could be executed.

    bytes 0-7     b"LPSC_PYR"
    bytes 8-15    version and CRC-32 of all that follows, two little-endian uint32
    then          depth, ndim, num_clouds, length of cluster, bytes per integer (4 or 8) and per coordinate (4 or 8),
                  six little-endian int64
    then          points of each level; num_queries, num_sources, num_regions, num_cut, number of indices of each
                  neighbourhood, those within the levels before those between: little-endian int64
    then          cluster, batches, up, indptr, indices and centers of each neighbourhood, little-endian integers
    then          positions of each level, little-endian floats

Integers take four bytes where all of them fit, which halves the file.
"""

from __future__ import annotations

import os
import struct
import zlib
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lpsc_nd._files import write_whole
from lpsc_nd.points.pyramid_layout import Layout, NeighborhoodSizes, Packed

MAGIC = b"LPSC_PYR"
VERSION = 1
DEEPEST = 64
"""A header that claims more levels is not believed."""
_START = struct.Struct("<8sII")
_NUMBERS = struct.Struct("<6q")
_INT32 = np.iinfo(np.int32)


def save(path: str | os.PathLike[str], packed: Packed) -> None:
    """Write a packed pyramid, whole or not at all.

    Raises:
        TypeError: positions that are neither float32 nor float64.
    """
    layout = packed.layout
    if packed.coordinates.dtype not in (torch.float32, torch.float64):
        raise TypeError(f"positions must be float32 or float64 to be saved, got {packed.coordinates.dtype}")
    integers, coordinates = packed.integers.cpu().numpy(), packed.coordinates.cpu().numpy()
    short = not integers.size or (integers.min() >= _INT32.min and integers.max() <= _INT32.max)
    body = [integers.astype("<i4" if short else "<i8"), np.ascontiguousarray(coordinates)]
    body[1] = body[1].astype(body[1].dtype.newbyteorder("<"), copy=False)
    widths = [array.dtype.itemsize for array in body]
    numbers = _NUMBERS.pack(layout.depth, layout.ndim, layout.num_clouds, layout.num_points, *widths)
    sizes = [*layout.sizes, *(number for one in layout.neighborhoods for number in astuple(one))]
    pieces: list[Any] = [numbers, np.array(sizes, dtype="<i8").data, *(array.data for array in body)]
    checksum = 0
    for piece in pieces:
        checksum = zlib.crc32(piece, checksum)
    write_whole(path, [_START.pack(MAGIC, VERSION, checksum), *pieces])


def load(path: str | os.PathLike[str]) -> Packed:
    """Read a packed pyramid, whose contents are not checked yet.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not such a file, of another version, cut short or damaged.
    """
    content = Path(path).read_bytes()
    if content[: len(MAGIC)] != MAGIC[: len(content)] or not content:
        raise ValueError(f"{path} is not a saved pyramid: it does not begin with {MAGIC!r}")
    if len(content) < _START.size + _NUMBERS.size:
        raise ValueError(f"{path} is cut short: {len(content)} bytes are less than the header")
    _, version, checksum = _START.unpack_from(content)
    if version != VERSION:
        raise ValueError(f"{path} has version {version}, and this program reads version {VERSION}")
    layout, widths, place = _layout(path, content)
    lengths = sum(layout.integer_lengths), sum(layout.coordinate_lengths)
    expected = place + sum(width * length for width, length in zip(widths, lengths, strict=True))
    if len(content) != expected:
        what = "cut short" if len(content) < expected else "damaged"
        raise ValueError(f"{path} is {what}: it should have {expected} bytes and has {len(content)}")
    if zlib.crc32(memoryview(content)[_START.size :]) != checksum:
        raise ValueError(f"{path} is damaged: its checksum does not agree with its contents")
    integers = np.frombuffer(content, f"<i{widths[0]}", lengths[0], place)
    coordinates = np.frombuffer(content, f"<f{widths[1]}", lengths[1], place + widths[0] * lengths[0])
    return Packed(layout, _tensor(integers, np.int64), _tensor(coordinates, np.dtype(f"f{widths[1]}")))


def _layout(path: str | os.PathLike[str], content: bytes) -> tuple[Layout, tuple[int, int], int]:
    """Return the layout, the bytes of an integer and of a coordinate, and where the body begins."""
    place = _START.size + _NUMBERS.size
    depth, ndim, num_clouds, num_points, *widths = _NUMBERS.unpack_from(content, _START.size)
    if not 1 <= depth <= DEEPEST or min(ndim - 1, num_clouds, num_points) < 0 or not {4, 8}.issuperset(widths):
        raise ValueError(f"{path} is damaged: a number in its header is out of range")
    count = depth + 5 * (2 * depth - 1)
    if len(content) < place + 8 * count:
        raise ValueError(f"{path} is cut short: {len(content)} bytes are less than the header")
    numbers = np.frombuffer(content, "<i8", count, place).tolist()
    if min(numbers) < 0:
        raise ValueError(f"{path} is damaged: a size in its header is negative")
    rows = [NeighborhoodSizes(*numbers[at : at + 5]) for at in range(depth, count, 5)]
    layout = Layout(num_clouds, ndim, num_points, tuple(numbers[:depth]), tuple(rows))
    return layout, (widths[0], widths[1]), place + 8 * count


def _tensor(array: NDArray[Any], dtype: Any) -> torch.Tensor:
    """Return a tensor with memory of its own."""
    return torch.from_numpy(array.astype(dtype))
