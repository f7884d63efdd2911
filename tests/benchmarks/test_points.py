"""The benchmark of point sets, on the tiniest case, and its reference. Nothing here judges a time."""

import sys

import pytest
import torch

from benchmarks import memory, point_memory
from benchmarks.apart import run_apart
from benchmarks.point_cases import POINT_CASES, PointCase
from benchmarks.point_references import KernelPointConv, kernel_point_conv, kernel_points, neighbor_table
from benchmarks.points import PASSES, PointMeasurement, main, measure, table
from benchmarks.samples import Samples
from lpsc_nd import Neighborhood

SMOKE = POINT_CASES["points-smoke"]


def test_a_kernel_point_convolution_by_hand():
    index = torch.tensor([[0, 2], [1, 1]])  # source 2 is not there
    influence = torch.zeros(2, 2, 15)
    influence[0, 0, 3], influence[0, 1, 3], influence[1, :, 4] = 0.5, 1.0, 0.25
    layer = KernelPointConv(2, index, influence)
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    expected = torch.stack([0.5 * x[0] @ layer.weight[3], 0.5 * x[1] @ layer.weight[4]])
    torch.testing.assert_close(layer(x), expected)


def test_kernel_points_are_a_centre_and_a_sphere():
    points = kernel_points(2.0)
    assert points.shape == (15, 3)
    assert not points[0].any()
    torch.testing.assert_close(points[1:].norm(dim=1), torch.full((14,), 2.0, dtype=torch.float64))
    assert torch.pdist(points).min() > 1.0


def test_the_reference_has_the_neighbours_of_the_layer():
    indptr, indices = torch.tensor([0, 1, 3, 3, 3]), torch.tensor([2, 0, 1])
    neighborhood = Neighborhood(indptr, indices, torch.tensor([1, -1]), num_sources=4, num_regions=2)
    assert neighbor_table(neighborhood).tolist() == [[1, 2, 0, 1], [4, 4, 4, 4]]


def test_cases_keep_the_neighbours_that_they_name():
    neighborhood = SMOKE.neighborhood()
    per_query = neighborhood.counts.sum(1)
    assert per_query.max() == SMOKE.num_neighbors
    assert per_query.float().mean() > 0.8 * SMOKE.num_neighbors
    influence = kernel_point_conv(SMOKE, neighborhood).influence
    assert influence.shape == (SMOKE.num_queries, 15, SMOKE.num_neighbors + 1)
    assert influence.isfinite().all()
    assert (influence.sum(1)[:, 0] > 0).all()


def test_titles_tell_sets_neighbours_field_and_channels():
    case = PointCase("x", 100, 50, 27, 64, 3, (2, 8))
    assert case.title == "100 points to 50 in 3-D, 27 neighbours, (3, 16), 64 → 64"


def test_a_measurement_has_every_contender():
    measured = measure(SMOKE, 1, 0.01, memory=False)
    operators = {"ours", "ours, new points", "reference engine", "kernel points", "product"}
    for part in PASSES:
        assert {name.rpartition(", ")[0] for name in measured.samples[part].seconds} == operators
        assert measured.ratio("kernel points", part) > 0
    assert set(measured.extra.values()) == {None}


@pytest.mark.parametrize(("theirs", "verdict"), [(4.0, "≥ 2, met"), (1.0, "≥ 2, not met")])
def test_a_row_holds_the_target_against_the_ratio(theirs, verdict):
    times = {"ours, default": [1.0], "kernel points, default": [theirs], "ours, new points, default": [2.0]}
    samples = Samples({**times, "reference engine, default": [3.0], "product, default": [0.5]})
    case = PointCase("x", 100, 100, 27, 64, 2, (2, 4), target=2.0)
    forward, training = table([PointMeasurement(case, dict.fromkeys(PASSES, samples))])
    assert (forward["target"], training["target"]) == ("", verdict)
    assert training["x kernel points, new points"] == f"{theirs / 2:.2f}"


def test_the_command_line_measures_and_writes(tmp_path, capsys):
    arguments = ["--case", "points-smoke", "--seconds-per-pass", "0.01", "--no-memory", "--output", str(tmp_path)]
    assert main(arguments) == 0
    assert SMOKE.title in capsys.readouterr().out
    assert len((tmp_path / "points.csv").read_text().splitlines()) == 3
    assert "| x kernel points |" in (tmp_path / "points.md").read_text()
    with pytest.raises(SystemExit, match="2"):
        main(["--case", "unknown"])


def test_memory_is_left_out_where_the_system_does_not_tell_it(monkeypatch, tmp_path):
    monkeypatch.setattr(point_memory, "RESET", tmp_path / "missing")
    assert point_memory.extra_megabytes(SMOKE, "ours", "forward", 1) is None


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the peak")
def test_extra_memory_is_that_of_blocks_not_of_the_pooled_map():
    case = POINT_CASES["points3d-16k-64"]
    pooled_map = case.num_queries * (case.partition.num_regions + 1) * case.channels * 4 / memory.MEGABYTE
    assert pooled_map > 60
    command = ("benchmarks.point_memory", case.name, "ours", "forward + backward", 1)
    assert -1 < float(run_apart(*command, environment=memory.ALLOCATOR)) < 32
