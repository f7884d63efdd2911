"""The benchmark of volumes and series, on the tiniest ones. Nothing here judges a time."""

import csv

import pytest
import torch
from torch import nn

from benchmarks.machine import Machine
from benchmarks.samples import Samples
from benchmarks.volumes import __main__ as command
from benchmarks.volumes import memory
from benchmarks.volumes.__main__ import faster, main, measure, take_turns
from benchmarks.volumes.calls import arrange, arranged_input, contender, training
from benchmarks.volumes.cases import SMOKE, VOLUME_CASES, VOLUMES, Rival, Target, VolumeCase, chosen
from benchmarks.volumes.tables import Duel, VolumeMeasurement, brief, markdown, targets, times
from lpsc_nd import LPSConvNd

TIME, SPEED, MEMORY = Target("time / theirs", 2.0), Target("x theirs", 5.0), Target("memory / theirs", 1.3)
needs_peak = pytest.mark.skipif(not memory.RESET.exists(), reason="the system does not tell the peak of its memory")
RIVAL = Rival("abacus", nn.Identity, (TIME, SPEED, MEMORY))
CASE = VolumeCase("case", "Case", nn.Identity, (RIVAL,), (1, 1, 4, 4, 4), ("forward", "forward + backward"))


def made_up(ours, theirs, extra):
    """Make a measurement of milliseconds; ours is twice as slow in channels last."""
    seconds = {"ours, default": [ours * 1e-3] * 5, "ours, channels last": [ours * 2e-3] * 5}
    samples = Samples(seconds if theirs is None else {**seconds, "abacus, default": [theirs * 1e-3] * 5})
    duel = Duel(RIVAL, dict.fromkeys(CASE.passes, samples), extra)
    return VolumeMeasurement(CASE, [duel])


def windows(module):
    kinds = (nn.Conv1d, nn.Conv3d, LPSConvNd)
    return {tuple(m.kernel_size) for m in module.modules() if isinstance(m, kinds) and max(m.kernel_size) > 1}


def size(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("unet", VOLUMES[:-1], ids=[case.name for case in VOLUMES[:-1]])
def test_the_networks_differ_in_their_convolutions_alone(unet):
    with torch.device("meta"):
        built = {name: unet.build(name) for name in ("ours", "3^3", "dense 7^3")}
    assert {name: windows(network) for name, network in built.items()} == {
        "ours": {(7, 7, 7)}, "3^3": {(3, 3, 3)}, "dense 7^3": {(7, 7, 7)},
    }  # fmt: skip
    assert len({network.widths for network in built.values()}) == 1
    assert size(built["ours"]) < size(built["3^3"]) < size(built["dense 7^3"])
    assert unet.input_shape == (1, 1, 64, 64, 64)


def test_the_layer_on_series_has_a_field_of_1025_and_as_many_weights():
    series = VOLUMES[-1]
    with torch.device("meta"):
        ours, theirs = series.build("ours"), series.build("width 9")
    assert (windows(ours), windows(theirs)) == ({(1025,)}, {(9,)})
    assert size(ours) == size(theirs)
    assert ours.stencil.counts.sum() == 1024


@pytest.mark.parametrize("case", SMOKE, ids=[case.name for case in SMOKE])
def test_a_pass_of_each_has_an_output_and_gradients(case):
    x = torch.randn(case.input_shape)
    for name in ("ours", *(rival.name for rival in case.rivals)):
        for layout in case.layouts:
            one = contender(case, name, layout, x)
            assert one.forward().shape[2:] == case.input_shape[2:]
            one.training()


def test_both_formats_compute_the_same():
    case = SMOKE[0]
    x = torch.randn(case.input_shape)
    default, last = (contender(case, "ours", layout, x) for layout in case.layouts)
    torch.testing.assert_close(default.forward(), last.forward(), rtol=1e-4, atol=1e-5)


def test_formats_reach_module_and_input():
    module = arrange(nn.Conv3d(3, 4, 3), "channels last")
    x = arranged_input(torch.randn(1, 3, 5, 5, 5), "channels last")
    assert all(t.is_contiguous(memory_format=torch.channels_last_3d) for t in (module.weight, x))
    assert arrange(nn.Conv3d(3, 4, 3), "default").weight.is_contiguous()


def test_the_gradients_of_a_layer_are_those_of_its_input_and_parameters():
    layer = nn.Conv1d(2, 3, 3)
    gradients = training(layer, torch.randn(2, 2, 9))()
    assert [gradient.shape for gradient in gradients] == [(2, 2, 9), (3, 2, 3), (3,)]


@pytest.mark.parametrize(
    ("target", "value", "answer"),
    [
        (TIME, 2.0, "met"),
        (TIME, 2.01, "not met"),
        (SPEED, 5.0, "met"),
        (SPEED, 4.99, "not met"),
        (MEMORY, None, "not measured"),
    ],
)
def test_verdicts(target, value, answer):
    assert target.verdict(value) == answer


def test_rows_hold_ratios_of_the_faster_formats_against_their_targets():
    measured = [made_up(3.0, 12.0, {"ours": 13.0, "abacus": 10.0})]
    rows = times(measured)
    assert [row["pass"] for row in rows] == list(CASE.passes)
    assert (rows[1]["ours ms"], rows[1]["theirs ms"], rows[1]["time / theirs"]) == ("3.00", "12.0", "0.25")
    assert [row["memory MB: ours, theirs"] for row in rows] == ["–", "13.0, 10.0"]
    assert [(row["quantity"], row["measured"], row["target"], row["result"]) for row in targets(measured)] == [
        ("time / theirs", "0.25", "≤ 2", "met"),
        ("x theirs", "4.00", "≥ 5", "not met"),
        ("memory / theirs", "1.30", "≤ 1.3", "met"),
    ]


def test_what_was_not_measured_is_said():
    measured = [made_up(3.0, None, {})]
    assert {row["result"] for row in targets(measured)} == {"not measured"}
    assert times(measured)[0]["theirs ms"] == "–"


def test_a_terminal_shows_the_targets_beside_what_was_measured():
    first, second = brief([made_up(3.0, 12.0, {"ours": 20.0, "abacus": 10.0})])
    assert first["targets"] == ""
    assert second["targets"].splitlines() == [
        "time / theirs 0.25 ≤ 2 ✓", "x theirs 4.00 ≥ 5 ✗", "memory / theirs 2.00 ≤ 1.3 ✗",
    ]  # fmt: skip


def test_the_report_is_markdown():
    text = markdown([made_up(3.0, 12.0, {})], Machine({"processor": "Abacus"}, "abacus"))
    assert text.startswith("# Volumes and series\n\n| machine |  |\n")
    assert "| Case | abacus | forward + backward | 3.00 | 12.0 | 0.25 |" in text


def test_memory_is_asked_of_the_faster_format(monkeypatch):
    asked = []
    monkeypatch.setattr(command, "peak_megabytes", lambda *words: asked.append(words[1:]) or 7.0)
    samples = Samples({"ours, default": [2.0], "ours, channels last": [1.0], "3^3, default": [1.0]})
    case = SMOKE[0]
    assert command.memory(case, case.rivals[0], samples, 1) == {"ours": 7.0, "3^3": 7.0}
    assert asked == [("ours", "channels last", 1), ("3^3", "default", 1)]
    assert command.memory(case, case.rivals[1], samples, 1) == {}  # no target is about memory
    assert faster(samples, "ours") == "channels last"


@needs_peak
def test_a_step_that_keeps_more_has_a_higher_peak():
    class Keeper(nn.Module):
        """Keep as many copies of its input for backward as it is told."""

        def __init__(self, copies):
            super().__init__()
            self.copies = copies
            self.scale = nn.Parameter(torch.ones(()))

        def forward(self, x):
            return sum((x + i).exp() for i in range(self.copies)) * self.scale

    def peak(copies):
        case = VolumeCase("keeper", "", lambda: Keeper(copies), (), (1, 1, 2**21))
        return memory.measure_here(case, "ours", "default")

    assert peak(24) > peak(4) + 8 * 16  # 16 of the 20 copies of eight MiB, at least


def test_turns_are_as_many_as_asked_for():
    case = SMOKE[1]
    x = torch.randn(case.input_shape)
    everyone = [contender(case, name, "default", x) for name in ("ours", "width 9")]
    assert take_turns(everyone, "forward", 0.0, 4).repetitions == 4


def test_a_measurement_has_every_rival_and_pass(monkeypatch):
    monkeypatch.setattr(command, "peak_megabytes", lambda *words: 1.0)
    stages = []
    measured = measure(SMOKE[0], 1, 0.0, stages.append)
    assert [duel.rival.name for duel in measured.duels] == ["3^3", "dense 7^3"]
    assert stages[0] == "forward + backward beside 3^3"
    assert all(duel.ratio("forward + backward") > 0 for duel in measured.duels)
    assert measured.duels[0].value("memory / theirs") == 1.0


def test_the_command_line_measures_and_writes(tmp_path, capsys):
    assert main(["--case", "series-smoke", "--seconds", "0.01", "--output", str(tmp_path)]) == 0
    assert "width 9" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["volumes.csv", "volumes.md", "volumes_targets.csv"]
    with (tmp_path / "volumes_targets.csv").open(newline="", encoding="utf-8") as file:
        assert [row["target"] for row in csv.DictReader(file)] == ["≤ 2"]


def test_finished_cases_are_kept_when_interrupted(tmp_path, monkeypatch, capsys):
    answers = iter([made_up(1.0, 2.0, {})])

    def interrupted(*arguments):
        for answer in answers:
            return answer
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "measure", interrupted)
    assert main(["--case", "volume-smoke", "series-smoke", "--output", str(tmp_path)]) == 130
    assert "1 of 2 cases are kept" in capsys.readouterr().out
    assert len((tmp_path / "volumes.csv").read_text().splitlines()) == 3


@pytest.mark.slow
@needs_peak
def test_the_memory_of_a_pass_is_measured_apart():
    assert memory.peak_megabytes(VOLUME_CASES["volume-smoke"], "ours", "default", 1) is not None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--case", "unknown"], "no case is called unknown; there are unet3d-16, "),
        (["--threads", "0"], "argument --threads: invalid positive value: '0'"),
        (["--seconds", "long"], "argument --seconds: invalid float value: 'long'"),
    ],
)
def test_the_command_line_refuses(arguments, words, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert words in capsys.readouterr().err


def test_promised_cases_have_targets():
    assert chosen([]) == VOLUMES
    assert all(rival.targets for case in VOLUMES for rival in case.rivals)
