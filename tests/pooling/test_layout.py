"""Values are brought from one order into another, in blocks and element by element."""

import pytest
import torch

from lpsc_nd import LPSConv2d
from lpsc_nd.pooling import expand, layout
from lpsc_nd.pooling.table import fill_table


@pytest.mark.parametrize("shape", [(2, 5, 32, 32), (2, 5, 31, 33), (3, 2, 4), (1, 16, 512)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("in_blocks", [True, False])
def test_sites_are_written_and_read_in_blocks_and_otherwise(monkeypatch, shape, dtype, in_blocks):
    monkeypatch.setattr(layout, "transposes_in_blocks", lambda: in_blocks)
    x = torch.randn(shape, dtype=dtype)
    for given_x in (x, x.movedim(1, -1).contiguous().movedim(-1, 1)):
        table = torch.full((shape[0] * x[0, 0].numel(), shape[1]), torch.nan)
        layout.write_by_site(table, given_x)
        assert torch.equal(table, x.movedim(1, -1).flatten(0, -2).float())
        back = torch.full_like(given_x, torch.nan)
        layout.read_by_site(back, table)
        assert torch.equal(back, x)
        first = torch.full((x[0, 0].numel(), shape[0] * shape[1]), torch.nan)
        layout.write_sites_first(first, given_x)
        assert torch.equal(first, table.view(shape[0], -1, shape[1]).transpose(0, 1).flatten(1))
        back.fill_(torch.nan)
        layout.read_sites_first(back, first)
        assert torch.equal(back, x)


@pytest.mark.parametrize("in_blocks", [True, False])
@pytest.mark.parametrize("shape", [(1, 1), (3, 70), (70, 80), (80, 70)])
def test_matrices_are_transposed(monkeypatch, in_blocks, shape):
    monkeypatch.setattr(layout, "transposes_in_blocks", lambda: in_blocks)
    monkeypatch.setattr(layout, "LONG_ROW", 75)
    monkeypatch.setattr(layout, "SHARED_ELEMENTS", 80 * 70)
    assert layout._fills_rows_in_blocks(shape[0], shape[0] * shape[1]) == (in_blocks or shape == (80, 70))
    matrix = torch.randn(shape)
    turned = layout.transposed(matrix)
    assert turned.is_contiguous()
    assert torch.equal(turned.T, matrix)


@pytest.mark.parametrize("in_blocks", [True, False])
def test_a_table_is_filled_from_channels_whole_pages_apart(monkeypatch, in_blocks):
    monkeypatch.setattr(layout, "transposes_in_blocks", lambda: in_blocks)
    x = torch.randn(2, 3, 1024)
    assert layout.reads_in_blocks(x) == in_blocks
    assert not layout.reads_in_blocks(x[..., :-1].contiguous())
    table = torch.full((2, 1030, 3), torch.nan)
    fill_table(table, x, [4], [1])
    expected = torch.zeros(2, 1030, 3)
    expected[:, 4:1028] = x.movedim(1, -1)
    assert torch.equal(table, expected)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_dense_kernel_is_brought_to_the_format_of_the_input_once(monkeypatch, layout):
    kernels = []

    def watched(x, kernel, *arguments):
        kernels.append(kernel)
        return torch.nn.functional.conv2d(x, kernel, *arguments)

    monkeypatch.setitem(expand.CONVOLUTIONS, 2, watched)
    layer = LPSConv2d(3, 4, 5, padding=2, num_levels=1, engine="expand")
    x = torch.randn(2, 3, 9, 9).contiguous(memory_format=layout)
    layer(x).sum().backward()
    assert kernels[0].is_contiguous(memory_format=layout)
