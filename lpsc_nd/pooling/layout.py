"""How inputs and outputs lie in memory."""

from __future__ import annotations

import torch
from torch import Tensor

from lpsc_nd.pooling.plain import is_transformed
from lpsc_nd.pooling.processor import is_intel
from lpsc_nd.pooling.threads import transposes_in_blocks

CHANNELS_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}

IN_BLOCKS = 4096
"""Elements of a matrix from which PyTorch transposes it in blocks."""

LONG_ROW, SHARED_ELEMENTS = 1024, 2**19 if is_intel() else 2**17
"""Elements of a row, and of a whole matrix, from which transposing into such rows element by element takes several
times as long: for each row the matrix is read across, and the second-level cache must hold it until the next."""

PAGE = 2048
"""Strides of a multiple of so many bytes make reading across them slow, as they fall into the same cache lines."""


def memory_format(x: Tensor) -> torch.memory_format:
    """Return the format that a batched input's output is to have: channels last if it is, and not also contiguous.

    Within ``torch.func`` it is the default, as ``vmap`` knows of no other.
    """
    layout = None if is_transformed() else CHANNELS_LAST.get(x.ndim)
    if layout is not None and x.is_contiguous(memory_format=layout) and not x.is_contiguous():
        return layout
    return torch.contiguous_format


def empty_sites(like: Tensor, channels: int, size: tuple[int, ...]) -> Tensor:
    """Allocate (B, channels, *size) in the type and the memory format of ``like``."""
    shape = (like.shape[0], channels, *size)
    return torch.empty(shape, dtype=like.dtype, device=like.device, memory_format=memory_format(like))


def transpose_into(target: Tensor, matrix: Tensor) -> None:
    """Write a matrix (m, n) transposed into ``target`` (n, m)."""
    if _fills_rows_in_blocks(target.shape[1], matrix.numel()):
        target.copy_(matrix.T)
    else:
        target.unsqueeze(0).copy_(matrix.T.unsqueeze(0))  # no matrix any more, whose elements the threads share


def transposed(matrix: Tensor) -> Tensor:
    """Return a matrix transposed, contiguous."""
    target = matrix.new_empty(matrix.shape[1], matrix.shape[0])
    transpose_into(target, matrix)
    return target


def write_by_site(table: Tensor, x: Tensor) -> None:
    """Write (images, C, *size) into (images * sites, C)."""
    if _transposes(x, table) and reads_in_blocks(x):
        for image, rows in zip(x.flatten(2), table.view(len(x), -1, x.shape[1]), strict=True):
            rows.copy_(image.T)
    else:
        table.view(by_site(x).shape).copy_(by_site(x))


def read_by_site(y: Tensor, table: Tensor) -> None:
    """Write (images * sites, C) into (images, C, *size)."""
    if _transposes(y, table) and _fills_rows_in_blocks(y[0, 0].numel(), y[0].numel()):
        for image, rows in zip(y.flatten(2), table.view(len(y), -1, y.shape[1]), strict=True):
            image.copy_(rows.T)
    else:
        by_site(y).copy_(table.view(by_site(y).shape))


def write_sites_first(table: Tensor, x: Tensor) -> None:
    """Write (images, C, *size) into (sites, images * C)."""
    if x.is_contiguous():
        transpose_into(table, x.view(table.shape[1], -1))
    else:
        table.view(len(table), len(x), -1).copy_(by_site(x).flatten(1, -2).transpose(0, 1))


def read_sites_first(y: Tensor, table: Tensor) -> None:
    """Write (sites, images * C) into (images, C, *size)."""
    if y.is_contiguous():
        transpose_into(y.view(table.shape[1], -1), table)
    else:
        by_site(y).flatten(1, -2).copy_(table.view(len(table), len(y), -1).transpose(0, 1))


def by_site(y: Tensor) -> Tensor:
    """Return (B, C, *size) as (B, *size, C), a view."""
    return y.movedim(1, -1)


def reads_in_blocks(x: Tensor) -> bool:
    """Tell whether a contiguous input is read across its channels sooner in blocks, as these lie whole pages apart."""
    is_paged = x.is_contiguous() and x.numel() > 0 and x[0, 0].numel() * x.element_size() % PAGE == 0
    return is_paged and transposes_in_blocks()


def _transposes(x: Tensor, table: Tensor) -> bool:
    """Tell whether a copy between them transposes a matrix for each image, which PyTorch can do in blocks."""
    return x.is_contiguous() and x.dtype == table.dtype and x[0].numel() >= IN_BLOCKS


def _fills_rows_in_blocks(length: int, elements: int) -> bool:
    """Tell whether a matrix of so many elements is transposed into rows of so many sooner in blocks."""
    return transposes_in_blocks() or (length >= LONG_ROW and elements >= SHARED_ELEMENTS)
