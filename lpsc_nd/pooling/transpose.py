"""Transposing a sparse matrix of compressed rows: the rows in each column, ascending."""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor

Columns = tuple[Tensor, Tensor, Tensor | None]
"""Where each column begins (columns + 1,), the row of each entry, and its value, if entries have values."""


def transpose(starts: Tensor, columns: Tensor, values: Tensor | None, num_columns: int) -> Columns:
    """Transpose; entries of equal row and column stay in their order.

    Args:
        starts: where each row begins, (rows + 1,).
        columns: column of each entry.
        values: value of each entry, or None.
        num_columns: how many columns there are.
    """
    by = by_counting if columns.device.type == "cpu" else by_sorting
    return by(starts, columns, values, num_columns)


def by_counting(starts: Tensor, columns: Tensor, values: Tensor | None, num_columns: int) -> Columns:
    """Transpose on the CPU in linear time, a quarter of that of a sort."""
    data = np.zeros(len(columns), dtype=np.int8) if values is None else values.numpy()
    shape = (len(starts) - 1, num_columns)
    matrix = csr_array((data, columns.numpy(), starts.numpy()), shape=shape).tocsc()
    indptr, rows = (torch.from_numpy(part).to(columns.dtype) for part in (matrix.indptr, matrix.indices))
    return indptr, rows, None if values is None else torch.from_numpy(matrix.data)


def by_sorting(starts: Tensor, columns: Tensor, values: Tensor | None, num_columns: int) -> Columns:
    """Transpose on any device by one stable sort."""
    _, order = torch.sort(columns, stable=True)
    rows = torch.arange(len(starts) - 1, dtype=columns.dtype, device=columns.device)
    rows = rows.repeat_interleave(starts.diff(), output_size=len(columns))
    indptr = columns.new_zeros(num_columns + 1)
    torch.cumsum(torch.bincount(columns, minlength=num_columns), 0, dtype=columns.dtype, out=indptr[1:])
    return indptr, rows[order], None if values is None else values[order]
