"""Both ways of transposing, against a loop."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lpsc_nd.pooling.transpose import by_counting, by_sorting, transpose


@given(
    rows=st.lists(st.lists(st.integers(0, 4), max_size=6), max_size=6),
    valued=st.booleans(),
    kind=st.sampled_from([torch.int32, torch.int64]),
)
@pytest.mark.parametrize("way", [by_counting, by_sorting, transpose])
def test_every_entry_is_in_its_column_in_order(way, rows, valued, kind):
    starts = torch.tensor([0, *np.cumsum([len(row) for row in rows])], dtype=kind)
    columns = torch.tensor([column for row in rows for column in row], dtype=kind)
    values = torch.arange(len(columns), dtype=torch.float64) if valued else None
    indptr, found, moved = way(starts, columns, values, 5)
    entries = [(column, row, 0) for row, entry in enumerate(rows) for column in entry]
    numbered = [(column, row, number) for number, (column, row, _) in enumerate(entries)]
    expected = sorted(numbered, key=lambda entry: entry[0])
    assert indptr.diff().tolist() == [sum(column == c for column, *_ in entries) for c in range(5)]
    assert found.tolist() == [row for _, row, _ in expected]
    assert indptr.dtype == found.dtype == kind
    if valued:
        assert moved.tolist() == [number for *_, number in expected]
    else:
        assert moved is None
