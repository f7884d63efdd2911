"""Neighbourhoods on disk: a header of fixed length, then plain integers; nothing that could be executed.

    bytes 0-7     b"LPSC_NBH"
    bytes 8-15    version and CRC-32 of all that follows, two little-endian uint32
    bytes 16-55   num_queries, num_sources, num_regions, num_cut, number of indices, five little-endian int64
    then          indptr, indices, centers, little-endian int64

The lengths follow from the header, so a file that was cut short is known before anything is read into memory.
"""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lpsc_nd._files import write_whole
from lpsc_nd.points import consistency

MAGIC = b"LPSC_NBH"
VERSION = 1
_START = struct.Struct("<8sII")
_NUMBERS = struct.Struct("<5q")
_HEADER = _START.size + _NUMBERS.size


def save(
    path: str | os.PathLike[str],
    indptr: Tensor,
    indices: Tensor,
    centers: Tensor,
    num_sources: int,
    num_regions: int,
    num_cut: int,
) -> None:
    """Write to a file beside ``path`` and then rename it, so that ``path`` is the old file or the whole new one."""
    arrays = [np.ascontiguousarray(t.cpu().numpy(), dtype="<i8") for t in (indptr, indices, centers)]
    numbers = _NUMBERS.pack(len(centers), num_sources, num_regions, num_cut, len(indices))
    checksum = zlib.crc32(numbers)
    for array in arrays:
        checksum = zlib.crc32(array.data, checksum)
    write_whole(path, [_START.pack(MAGIC, VERSION, checksum), numbers, *(array.data for array in arrays)])


def load(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the arguments of the neighbourhood in a file.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not such a file, of a newer version, cut short, damaged, or inconsistent.
    """
    with Path(path).open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        start, packed = file.read(_START.size), file.read(_NUMBERS.size)
        if start[: len(MAGIC)] != MAGIC[: len(start)] or not start:
            raise ValueError(f"{path} is not a saved neighborhood: it does not begin with {MAGIC!r}")
        if len(start) + len(packed) < _HEADER:
            raise ValueError(f"{path} is cut short: {size} bytes are less than the header of {_HEADER}")
        _, version, checksum = _START.unpack(start)
        if version != VERSION:
            raise ValueError(f"{path} has version {version}, and this program reads version {VERSION}")
        lengths = _lengths(path, packed, size)
        body = np.fromfile(file, dtype="<i8", count=sum(lengths))
    if zlib.crc32(body.data, zlib.crc32(packed)) != checksum:
        raise ValueError(f"{path} is damaged: its checksum does not agree with its contents")
    return _parts(path, packed, body.astype(np.int64, copy=False), lengths)


def _lengths(path: str | os.PathLike[str], packed: bytes, size: int) -> tuple[int, int, int]:
    num_queries, num_sources, num_regions, num_cut, num_indices = _NUMBERS.unpack(packed)
    if min(num_queries, num_sources, num_regions, num_cut, num_indices) < 0:
        raise ValueError(f"{path} is damaged: a size in its header is negative")
    lengths = num_queries * num_regions + 1, num_indices, num_queries
    expected = _HEADER + 8 * sum(lengths)
    if size != expected:
        what = "cut short" if size < expected else "damaged"
        raise ValueError(f"{path} is {what}: it should have {expected} bytes and has {size}")
    return lengths


def _parts(
    path: str | os.PathLike[str], packed: bytes, body: np.ndarray[Any, Any], lengths: tuple[int, int, int]
) -> dict[str, Any]:
    _, num_sources, num_regions, num_cut, _ = _NUMBERS.unpack(packed)
    indptr, indices, centers = torch.from_numpy(body).split(list(lengths))
    try:
        consistency.check_contents(indptr, indices, centers, num_sources)
    except ValueError as error:
        raise ValueError(f"{path} is inconsistent: {error}") from error
    tensors = {"indptr": indptr.clone(), "indices": indices.clone(), "centers": centers.clone()}
    return {**tensors, "num_sources": num_sources, "num_regions": num_regions, "num_cut": num_cut}
