"""The benchmark of whole networks, on the tiniest one. Nothing here judges a time."""

import csv

import pytest
import torch

from benchmarks import networks
from benchmarks.machine import Machine
from benchmarks.network_calls import contender, contenders, inference, training_step
from benchmarks.network_cases import NETWORK_CASES, NETWORKS, SMOKE, NetworkCase, Variant, chosen
from benchmarks.network_tables import NetworkMeasurement, brief, markdown, table, verdict
from benchmarks.networks import LEAST, PASSES, choose_formats, main, measure
from benchmarks.references import Contender
from benchmarks.samples import Samples
from lpsc_nd.models import CifarResNet

CASE = NetworkCase(
    "abacus", "Abacus-3", CifarResNet, (4, 3, 8, 8), (2, 3, 8, 16), (Variant("lpsc", 1.05, 1.44), Variant("dilated"))
)


def made_up(lpsc, *, training=None):
    """Make a measurement: conventional 2 ms (1 ms channels last), dilated 3 ms, lpsc as given."""

    def samples(ours):
        times = {"conv, default": 2.0, "conv, channels last": 1.0, "dilated, default": 3.0, "lpsc, default": ours}
        return Samples({name: [ms * 1e-3] * 5 for name, ms in times.items() if ms is not None})

    return NetworkMeasurement(CASE, dict(zip(PASSES, (samples(lpsc), samples(training or lpsc)), strict=True)))


def state(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


def changed(network, before):
    return {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}


@pytest.mark.parametrize("case", NETWORK_CASES.values(), ids=list(NETWORK_CASES))
def test_cases_build_their_variants(case):
    built = case.networks()
    assert list(built) == [case.reference, *(variant.name for variant in case.variants)]
    sizes = [sum(parameter.numel() for parameter in network.parameters()) for network in built.values()]
    assert len(set(sizes)) == len(sizes)  # no variant is another one under a second name


def test_every_promised_network_has_a_bound():
    assert all(any(variant.bound for variant in case.variants) for case in NETWORKS)
    assert chosen([]) == NETWORKS
    assert chosen(["network-smoke"]) == (SMOKE,)


def test_inference_leaves_the_network_as_it_is():
    network = CifarResNet(8)
    before = state(network)
    scores = inference(network, torch.randn(2, 3, 8, 8))()
    assert scores.shape == (2, 10)
    assert not scores.requires_grad
    assert not network.training
    assert changed(network, before) == set()


def test_a_training_step_has_every_gradient_and_keeps_the_weights():
    network = CifarResNet(8, variant="lpsc")
    weights = {name for name, _ in network.named_parameters()}
    before = state(network)
    step = training_step(network, torch.randn(2, 3, 8, 8))
    first, second = step(), step()
    assert network.training
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert any(parameter.grad.any() for parameter in network.parameters())
    assert changed(network, before)  # the running statistics
    assert not changed(network, before) & weights
    assert first == second


def test_a_training_step_takes_a_label_for_every_pixel():
    network = torch.nn.Conv2d(3, 4, 1)
    batch = torch.randn(2, 3, 5, 6)
    loss = training_step(network, batch)()
    scores = network(batch).detach()
    expected = (scores.exp().sum(1).log() - scores[:, 0]).mean()  # cross entropy of label 0
    torch.testing.assert_close(loss, expected)


def test_contenders_are_the_same_network_in_both_formats():
    built = contenders(SMOKE)
    assert [one.name for one in built] == [
        f"{name}, {layout}" for name in ("conv", "lpsc") for layout in ("default", "channels last")
    ]
    for default, last in (built[:2], built[2:]):
        torch.testing.assert_close(default.forward(), last.forward(), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(default.training(), last.training(), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(built[0].forward(), built[2].forward())


def test_formats_reach_the_network():
    seen = []

    class Spy(torch.nn.Conv2d):
        def forward(self, x):
            seen.extend(tensor.is_contiguous(memory_format=torch.channels_last) for tensor in (x, self.weight))
            return super().forward(x)

    network = Spy(3, 4, 3)
    images, batch = torch.randn(1, 3, 5, 5), torch.randn(2, 3, 6, 6)
    for layout, expected in (("default", False), ("channels last", True)):
        seen.clear()
        built = contender("spy", network, images, batch, layout)
        assert built.forward().shape == (1, 4, 3, 3)
        built.training()
        assert seen == [expected] * 4
    assert network.weight.is_contiguous()


@pytest.mark.parametrize(
    ("default", "last", "kept"),
    [(1e-3, 1.4e-3, {"default", "channels last"}), (1e-3, 1.6e-3, {"default"}), (1.6e-3, 1e-3, {"channels last"})],
)
def test_a_far_slower_format_is_left_out(monkeypatch, default, last, kept):
    times = {"default": default, "channels last": last}
    monkeypatch.setattr(networks, "try_out", lambda call: call())
    built = [Contender("conv", layout, lambda s=seconds: s, lambda: None) for layout, seconds in times.items()]
    field = choose_formats(built, "forward")
    assert {one.layout for one in field.takes_part} == kept
    assert field.left_out == {f"conv, {layout}": seconds for layout, seconds in times.items() if layout not in kept}
    assert field.calls_per_sample == {one.name: round(2e-3 / times[one.layout]) for one in field.takes_part}


@pytest.mark.parametrize(("ratio", "answer"), [(1.05, "met"), (1.051, "not met"), (None, "not measured")])
def test_bounds_hold_from_above(ratio, answer):
    assert verdict(1.05, ratio) == answer


def test_a_row_holds_the_ratio_to_the_faster_reference_against_its_bound():
    rows = table([made_up(1.04, training=1.2)])
    assert [(row["pass"], row["variant"]) for row in rows] == [
        ("inference", "lpsc"), ("inference", "dilated"), ("training step", "lpsc"), ("training step", "dilated"),
    ]  # fmt: skip
    assert list(rows[0].values()) == [
        "Abacus-3", "inference", "4 of 8 x 8", "lpsc", "1.00 cl", "1.04", "1.040", "1.040 to 1.040", "≤ 1.05, met",
        "1.44", "5",
    ]  # fmt: skip
    assert (rows[2]["images"], rows[2]["target"], rows[2]["paper"]) == ("2 of 8 x 16", "≤ 1.05, not met", "–")
    assert (rows[1]["time / conventional"], rows[1]["target"], rows[1]["paper"]) == ("3.000", "–", "–")


def test_what_was_not_measured_is_said():
    row, *_ = table([made_up(None, training=1.0)])
    assert (row["ms"], row["time / conventional"], row["quartiles"]) == ("–", "–", "–")
    assert row["target"] == "≤ 1.05, not measured"


def test_a_terminal_shows_the_target_below_the_ratio():
    rows = brief([made_up(1.04, training=1.2)])
    assert [row["time\n/ conv"] for row in rows] == ["1.040\n≤ 1.05 ✓", "3.000", "1.200\n≤ 1.05 ✗", "3.000"]


def test_the_report_is_markdown():
    text = markdown([made_up(1.04)], Machine({"processor": "Abacus"}, "abacus"))
    assert text.startswith("# Whole networks\n\n| machine |  |\n| --- | --- |\n| processor | Abacus |\n")
    assert "| Abacus-3 | inference | 4 of 8 x 8 | lpsc | 1.00 cl | 1.04 |" in text


def test_a_measurement_has_every_network_and_pass():
    stages = []
    measured = measure(SMOKE, 1, 0.01, stages.append)
    assert stages == ["building", "inference", "training step"]
    for part in PASSES:
        samples = measured.samples[part]
        assert {name.rpartition(", ")[0] for name in (*samples.seconds, *samples.left_out)} == {"conv", "lpsc"}
        assert samples.repetitions >= LEAST
        assert measured.ratio("lpsc", part) > 0


def test_the_command_line_measures_and_writes(tmp_path, capsys):
    assert main(["--case", "network-smoke", "--seconds", "0.01", "--output", str(tmp_path)]) == 0
    assert "network-smoke" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["networks.csv", "networks.md"]
    with (tmp_path / "networks.csv").open(newline="", encoding="utf-8") as file:
        assert [row["pass"] for row in csv.DictReader(file)] == ["inference", "training step"]


def test_finished_networks_are_kept_when_interrupted(tmp_path, monkeypatch, capsys):
    answers = iter([made_up(1.0)])

    def interrupted(*arguments):
        for answer in answers:
            return answer
        raise KeyboardInterrupt

    monkeypatch.setattr(networks, "measure", interrupted)
    assert main(["--case", "network-smoke", "network-smoke", "--output", str(tmp_path)]) == 130
    assert "1 of 2 networks are kept" in capsys.readouterr().out
    assert len((tmp_path / "networks.csv").read_text().splitlines()) == 5


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--case", "unknown"], "no network is called unknown; there are resnet110, "),
        (["--threads", "0"], "argument --threads: invalid positive value: '0'"),
        (["--seconds", "long"], "argument --seconds: invalid float value: 'long'"),
    ],
)
def test_the_command_line_refuses(arguments, words, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert words in capsys.readouterr().err
