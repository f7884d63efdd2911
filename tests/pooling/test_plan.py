"""The parts of the bag engine's plan: runs cover each bag once, slabs and tiles cover each site once."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lpsc_nd import LogPolarPartition, LPSConv2d, LPSConv3d, LPSConvNd, Stencil
from lpsc_nd.pooling import plan as plan_module
from lpsc_nd.pooling import scratch as scratch_module
from lpsc_nd.pooling import slabs as slabs_module
from lpsc_nd.pooling.plan import plan, transposed_plan
from lpsc_nd.pooling.run_tables import slab_elements
from lpsc_nd.pooling.runs import runs
from lpsc_nd.pooling.scratch import KEPT_BYTES, scratch
from lpsc_nd.pooling.slabs import cuts, slabs
from lpsc_nd.pooling.table import double, fill_table
from lpsc_nd.pooling.tiles import Grid, tiles
from lpsc_nd.testing import layer_cases


@given(case=layer_cases(ndim=st.integers(1, 4)), most=st.integers(0, 5))
def test_runs_hold_each_cell_of_a_bag_once(case, most):
    stencil = case.layer().stencil
    found = runs(stencil, True, most)
    indptr, cells = stencil.bags(center=True)
    for bag in range(len(indptr) - 1):
        entries = slice(found.indptr[bag], found.indptr[bag + 1])
        read = [
            cell + step
            for cell, doublings in zip(found.cells[entries], found.doublings[entries], strict=True)
            for step in range(2**doublings)
        ]
        assert sorted(read) == list(cells[indptr[bag] : indptr[bag + 1]])


@given(case=layer_cases(ndim=st.integers(1, 4)))
def test_no_run_leaves_its_row(case):
    stencil = case.layer().stencil
    found = runs(stencil, True, 5)
    width = stencil.kernel_size[-1]
    assert np.all(found.cells % width + 2**found.doublings <= width)


def test_runs_spare_most_of_a_large_window():
    stencil = Stencil.build(LogPolarPartition.for_grid((31, 31), 3, 8, 2.0), (31, 31))
    assert len(runs(stencil, True, 0).cells) == stencil.counts.sum() + 1
    assert len(runs(stencil, True, 5).cells) < len(runs(stencil, True, 0).cells) / 3


@given(
    batch=st.integers(1, 5),
    sites=st.lists(st.integers(1, 6), min_size=1, max_size=3).map(tuple),
    target=st.integers(1, 200),
)
def test_tiles_cover_each_site_once(batch, sites, target):
    grid = Grid(batch, sites, tuple(n + 3 for n in sites), (1,) * len(sites))
    seen = np.zeros((batch, *sites), dtype=int)
    shapes = set()
    for tile in tiles(grid, target):
        place = tuple(slice(start, start + count) for start, count in zip(tile.corner, tile.shape, strict=True))
        assert seen[place].shape == tile.shape
        seen[place] += 1
        shapes.add(tile.shape)
        assert tile.first_row == sum(c * step for c, step in zip(tile.corner, grid.site_steps, strict=True))
    assert np.all(seen == 1)
    assert len(shapes) <= 2


@given(case=layer_cases(ndim=st.integers(1, 3)), cells=st.integers(1, 400))
def test_slabs_cover_each_site_once_and_hold_what_it_reads(case, cells):
    layer, batch = case.layer(), 3
    size = case.input_shape[-layer.ndim :]
    padded, sites = layer.window.padded_size(size), layer.window.output_size(size)
    seen = np.zeros((batch, *sites), dtype=int)
    for slab in slabs(layer.window, batch, padded, sites, cells):
        grid, (image, *corner) = slab.grid, slab.corner
        boxes = tuple(slice(start, start + count) for start, count in zip(corner, grid.sites, strict=True))
        assert seen[(slice(image, image + grid.batch), *boxes)].shape == (grid.batch, *grid.sites)
        seen[(slice(image, image + grid.batch), *boxes)] += 1
        for axis in range(layer.ndim):
            assert slab.first_cells[axis] == corner[axis] * layer.stride[axis]
            assert grid.padded[axis] >= (grid.sites[axis] - 1) * layer.stride[axis] + layer.window.extent[axis]
    assert np.all(seen == 1)


@given(case=layer_cases(ndim=st.integers(1, 3)), cells=st.integers(1, 400))
def test_tables_are_as_small_as_asked_unless_one_site_reads_more(case, cells):
    layer = case.layer()
    size = case.input_shape[-layer.ndim :]
    padded, sites = layer.window.padded_size(size), layer.window.output_size(size)
    for slab in slabs(layer.window, 2, padded, sites, cells):
        one_site = slab.grid.sites == (1,) * layer.ndim
        assert slab.grid.table_rows <= cells or one_site


def test_boxes_of_volumes_overlap_less_than_slices():
    window = LPSConv3d(8, 8, 11, padding=5, num_directions=(2, 4)).window
    padded, sites, cells = (42, 42, 42), (32, 32, 32), 12 * 42**2
    cut = cuts(window, padded, sites, cells)
    assert sum(parts > 1 for parts in cut.parts) >= 2
    slices_of_two = 12 * 42**2 * 32 / 2
    assert cut.total_cells < 0.5 * slices_of_two


@given(
    size=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    starts=st.tuples(st.integers(-4, 4), st.integers(-4, 4)),
    steps=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    rows=st.tuples(st.integers(1, 9), st.integers(1, 9)),
)
def test_table_holds_each_cell_where_it_belongs(size, starts, steps, rows):
    x = torch.arange(1.0, 2 * 3 * math.prod(size) + 1).view(2, 3, *size)
    table = torch.full((2, *rows, 3), torch.nan)
    fill_table(table, x, starts, steps)
    for image, row, column in itertools.product(range(2), range(rows[0]), range(rows[1])):
        y, x_ = (row - starts[0]) / steps[0], (column - starts[1]) / steps[1]
        inside = y in range(size[0]) and x_ in range(size[1])
        expected = x[image, :, int(y), int(x_)] if inside else torch.zeros(3)
        assert torch.equal(table[image, row, column], expected)


@pytest.mark.parametrize("pixels", [(32, 32), (31, 30), (512,), (500,), (8, 8, 8)])
@pytest.mark.parametrize("kinds", [(torch.float32, torch.float32), (torch.bfloat16, torch.float32)])
@pytest.mark.parametrize(("start", "beyond"), [(0, 0), (-3, -4), (2, 1)], ids=["whole", "part", "padded"])
@pytest.mark.parametrize("step", [1, 2])
def test_table_of_whole_pages_is_the_same(pixels, kinds, start, beyond, step):
    x = torch.randn(2, 5, *pixels).to(kinds[0])
    extents = [start + (n - 1) * step + 1 + beyond for n in pixels]
    table = torch.full((2, *extents, 5), torch.nan, dtype=kinds[1])
    fill_table(table, x, [start] * len(pixels), [step] * len(pixels))
    spread = torch.zeros(2, 5, *((n - 1) * step + 1 for n in pixels))
    spread[(..., *(slice(None, None, step) for _ in pixels))] = x.float()
    margins = [count for _ in pixels for count in (start, beyond)]
    assert torch.equal(table, torch.nn.functional.pad(spread, margins).movedim(1, -1))


def test_doubled_tables_hold_sums_of_neighbours():
    tables = torch.zeros(3 * 10, 1)
    tables[:10, 0] = torch.arange(10.0)
    double(tables, 10, 2, distance=2)
    assert tables[10:18, 0].tolist() == [i + i + 2 for i in range(8)]
    assert tables[20:24, 0].tolist() == [4 * i + 12 for i in range(4)]


def test_equal_calls_share_one_plan():
    window = LPSConv2d(4, 4, 9, padding=4).window
    first = plan(window, 2, (16, 16), (8, 8), 4, "cpu")
    assert plan(LPSConv2d(4, 4, 9, padding=4).window, 2, (16, 16), (8, 8), 4, "cpu") is first


def test_tiles_and_tables_are_larger_on_other_devices():
    window = LPSConv2d(4, 4, 9, padding=4).window
    sizes = (window, 64, (40, 40), (32, 32), 64)
    tables = {device: slab_elements(window, torch.device(device)) for device in ("cpu", "meta")}
    plans = {device: plan(*sizes, device, elements) for device, elements in tables.items()}
    transposed = {device: transposed_plan(*sizes, device) for device in tables}
    for found in (plans, transposed):
        assert len(found["meta"].slabs) < len(found["cpu"].slabs) / 4
        assert tiles_of(found["meta"]) < tiles_of(found["cpu"]) / 4
        assert found["meta"].slabs[0][1][0].indices.is_meta


def tiles_of(planned):
    return sum(len(steps) for _, steps in planned.slabs)


def test_scratch_is_lent_to_one_at_a_time_and_kept():
    device = torch.device("cpu")
    with scratch((4, 5), torch.float32, device) as first, scratch((4, 5), torch.float32, device) as second:
        assert first.data_ptr() != second.data_ptr()
    with scratch((2, 2), torch.float64, device) as third:
        assert third.data_ptr() in (first.data_ptr(), second.data_ptr())
        assert third.shape == (2, 2)
    with scratch((KEPT_BYTES + 1, 1), torch.uint8, device):
        pass
    with scratch((1, 1), torch.uint8, device) as small:
        assert small.untyped_storage().nbytes() <= KEPT_BYTES


def test_scratch_of_other_devices_is_pytorch_s_to_keep():
    scratch_module._kept.buffer = None
    with scratch((2, 3), torch.float32, torch.device("meta")) as lent:
        assert lent.is_meta
        assert lent.shape == (2, 3)
    assert scratch_module._kept.buffer is None


def test_scratch_of_inference_serves_training():
    layer = LPSConv2d(4, 4, 9, padding=4, engine="bags")
    x = torch.randn(1, 4, 12, 12)
    scratch_module._kept.buffer = None
    with torch.inference_mode():
        expected = layer(x)
    y = layer(x)
    y.sum().backward()
    assert torch.equal(y, expected)


def test_large_offsets_do_not_cancel():
    # sums of runs subtract nothing: an offset of 1e4 leaves float32's own error, and no more
    layer = LPSConv2d(4, 4, 31, padding=15, num_levels=3, num_directions=8, engine="bags", bias=False)
    x = torch.randn(1, 4, 40, 40) + 1e4
    error = (layer(x).double() - layer.double()(x.double())).abs().max()
    scale = 1e4 * layer.weight.abs().sum(dim=(1, 2)).max()
    assert error < 4 * torch.finfo(torch.float32).eps * scale


@given(
    batch=st.integers(1, 3),
    size=st.lists(st.integers(1, 7), min_size=1, max_size=3),
    elements=st.integers(1, 300),
    sites=st.integers(1, 40),
)
def test_steps_cover_all_sites_and_the_last_of_an_image_come_last(batch, size, elements, sites):
    layer = LPSConvNd(len(size), 1, 1, 3, padding=1, num_levels=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slabs_module, "FEWEST_WINDOWS", 0)
        patch.setattr(plan_module, "TILE_SITES", (1, sites))
        padded = layer.window.padded_size(size)
        made = plan.__wrapped__(layer.window, batch, padded, tuple(size), 1, "cpu", elements)
    count = torch.zeros(batch, *size)
    for _, steps in made.slabs:
        for step in steps:
            count[step.place.box] += 1
            images = step.place.box[0]
            if step.place.is_last:
                assert count[images].all()
            if step.place.rows is not None:
                assert step.place.rows.stop - step.place.rows.start == count[step.place.box].numel()
                assert count.view(-1)[step.place.rows].all()
    assert torch.equal(count, torch.ones_like(count))
