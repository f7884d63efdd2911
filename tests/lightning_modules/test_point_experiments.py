"""The experiments on points, in runs of seconds; and the parts of them that decide what is measured."""

import csv

import numpy as np
import pytest
import torch
from torch import nn

from lightning_modules.point_experiments import pictures, robustness, scattered
from lightning_modules.point_experiments.common import markdown_table, save_figure
from lightning_modules.point_experiments.grid_to_points import grid_network, inside, on_points, relative_error
from lightning_modules.point_experiments.waves import WAVE_TASKS, Waves, lattice, scatter


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def assert_written(folder, *names):
    assert {path.name for path in folder.iterdir()} == {*names}
    for path in folder.glob("*.png"):
        assert path.read_bytes().startswith(b"\x89PNG")


@pytest.fixture
def waves():
    return Waves(torch.Generator().manual_seed(3))


def test_slope_is_the_length_of_the_gradient(waves):
    points = torch.rand(20, 2, dtype=torch.float64) * 30
    waves.number, waves.phase = waves.number.double(), waves.phase.double()
    points.requires_grad_()
    (gradient,) = torch.autograd.grad(waves.value(points).sum(), points)
    torch.testing.assert_close(waves.slope(points.detach()), gradient.norm(dim=1))


def test_wavelengths_are_in_their_range_and_the_variance_is_one():
    generator = torch.Generator().manual_seed(0)
    images = [Waves(generator, shortest=5.0, longest=9.0) for _ in range(50)]
    lengths = 2 * torch.pi / torch.cat([one.number.norm(dim=1) for one in images])
    assert 5 <= float(lengths.min()) < 5.5
    assert 8.5 < float(lengths.max()) <= 9.0001
    assert float(torch.stack([one.value(lattice(40)) for one in images]).var()) == pytest.approx(1.0, abs=0.05)


def test_tasks_differ_in_noise_and_target(waves):
    points, generator = lattice(20), torch.Generator().manual_seed(0)
    seen, target = WAVE_TASKS["denoise"].draw(waves, points, generator)
    assert torch.equal(target, waves.value(points))
    assert float((seen - target).std()) == pytest.approx(1.0, abs=0.1)
    seen, target = WAVE_TASKS["slope"].draw(waves, points, generator)
    assert torch.equal(seen, waves.value(points))
    assert torch.equal(target, waves.slope(points))


@pytest.mark.parametrize("normalize", ["present", "grid"])
def test_on_a_lattice_the_point_network_is_the_grid_network(normalize, waves):
    torch.manual_seed(0)
    network, points = grid_network(4), lattice(24)
    image = waves.value(points)
    found = on_points(network, image.reshape(-1, 1), points.reshape(-1, 2), normalize)
    chosen = inside(points.reshape(-1, 2), 24)
    assert int(chosen.sum()) == 8 * 8
    expected = network(image[None, None]).detach().reshape(-1, 1)
    torch.testing.assert_close(found[chosen], expected[chosen], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(found, expected * 1.01)


def test_layers_without_a_twin_are_refused():
    with pytest.raises(TypeError, match=r"layer must be an LPSConv2d, .* or nn\.ReLU, got Conv2d"):
        on_points([nn.Conv2d(1, 1, 3)], torch.zeros(4, 1), torch.rand(4, 2), "present")


def test_scattered_points_cover_the_image():
    points = scatter(10, 3.0, torch.Generator().manual_seed(0))
    assert points.shape == (300, 2)
    assert float(points.min()) >= -0.5
    assert float(points.max()) <= 9.5
    counts = np.histogram2d(*points.T.numpy(), bins=2, range=[[-0.5, 9.5]] * 2)[0]
    assert (abs(counts - 75) < 30).all()


def test_relative_error_is_in_standard_deviations():
    target = torch.randn(1000, generator=torch.Generator().manual_seed(0)) * 7
    assert relative_error(target, target) == 0
    assert relative_error(target.mean().expand(1000), target) == pytest.approx(1.0, rel=1e-3)


def test_scattered(tmp_path, capsys):
    scattered.main(["--quick", "--output", str(tmp_path)])
    assert_written(tmp_path, "scattered.csv", "scattered.md", "scattered.png")
    rows = rows_of(tmp_path / "scattered.csv")
    assert len(rows) == len(WAVE_TASKS) * len(scattered.DENSITIES) * 2
    table = (tmp_path / "scattered.md").read_text()
    assert all(f"{float(row['error']):.3f}" in table for row in rows)
    assert str(tmp_path / "scattered.png") in capsys.readouterr().out


@pytest.mark.slow
def test_scattered_is_seeded(tmp_path, monkeypatch):
    monkeypatch.setattr(scattered, "DENSITIES", (0.5,))
    for name, seed in (("a", "0"), ("b", "0"), ("c", "1")):
        scattered.main(["--quick", "--output", str(tmp_path / name), "--seed", seed])
    tables = [rows_of(tmp_path / name / "scattered.csv") for name in "abc"]
    assert tables[0] == tables[1]
    assert tables[0] != tables[2]


@pytest.mark.slow
def test_robustness(tmp_path, monkeypatch):
    monkeypatch.setattr(robustness, "FACTORS", {"num_points": (32, 64), "missing": (0, 0.5)})
    robustness.main(["--quick", "--output", str(tmp_path)])
    assert_written(tmp_path, "robustness.csv", "robustness.md", "robustness.png", "runs")
    rows = rows_of(tmp_path / "robustness.csv")
    assert [(row["factor"], row["value"], row["method"]) for row in rows] == [
        (factor, value, method)
        for factor, values in (("num_points", ("32", "64")), ("missing", ("0", "0.5")))
        for value in values
        for method in ("mean", "sum")
    ]
    table = (tmp_path / "robustness.md").read_text()
    assert all(f"{float(row['accuracy']):.3f}" in table for row in rows)


@pytest.mark.slow
def test_robustness_trains_both_reductions_and_changes_the_test_alone(tmp_path):
    options = robustness.Options(tmp_path, quick=True)
    for method in robustness.METHODS:
        assert robustness.train(method, options).model.network.encoder.stem.conv.reduction == method
    usual, noisy = (robustness.test_batches("noise", value, options) for value in (0, 0.1))
    assert [len(one.labels) for one in usual] == [20]
    assert not torch.equal(usual[0].pyramid.positions[0], noisy[0].pyramid.positions[0])


def test_pictures(tmp_path):
    pictures.main(["--quick", "--output", str(tmp_path)])
    assert_written(tmp_path, "parts.md", "parts.png", "regions.png", "runs")
    assert "| instance_mIoU | 0." in (tmp_path / "parts.md").read_text()


def test_a_figure_is_written_whole_or_not_at_all(tmp_path):
    class Broken:
        def savefig(self, file, **options):
            file.write(b"half")
            raise RuntimeError("no more")

    path = tmp_path / "a.png"
    path.write_bytes(b"before")
    with pytest.raises(RuntimeError, match="no more"):
        save_figure(Broken(), path)
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_markdown():
    assert markdown_table(["a"], [["1"], ["2"]]) == "| a |\n| --- |\n| 1 |\n| 2 |"


@pytest.mark.parametrize("experiment", [scattered, robustness, pictures])
def test_unknown_options_are_refused(experiment, capsys):
    with pytest.raises(SystemExit) as caught:
        experiment.main(["--fast"])
    assert caught.value.code == 2
    assert "--fast" in capsys.readouterr().err
