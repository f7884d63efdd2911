"""Tables and pictures of measurements that nobody made."""

import csv
import re

import pytest

from benchmarks import machine as machine_module
from benchmarks import tables
from benchmarks.cases import CASES, GROWTH
from benchmarks.machine import Machine, caches, describe, processor_info, slugify
from benchmarks.report import markdown, markdown_table, write_pictures, write_tables
from benchmarks.runner import Measurement
from benchmarks.samples import Samples

MACHINE = Machine({"processor": "Abacus"}, "abacus")
EXTRA = {"forward": 5.0, "forward + backward": 40.0}
PNG = b"\x89PNG"


def measurement(name, *, dense=4.0, ours=1.0, left_out=None, extra=None):
    """Make a measurement with these times in milliseconds: three repetitions, backward three times as long."""
    case = CASES[name]
    times = {
        "ours, default": ours,
        "dense, default": 2 * dense,
        "dense, channels last": dense,
        "small, default": 0.5,
        "dilated, default": 0.7,
        "mm, default": 0.8,
        "product, default": 0.5,
    }
    if case.groups > 1 or case.is_growth:
        del times["mm, default"], times["product, default"]
    forward = {contender: [ms * 1e-3] * 3 for contender, ms in times.items()}
    training = {contender: [3 * ms * 1e-3] * 3 for contender, ms in times.items() if contender not in (left_out or {})}
    return Measurement(case, "bags", Samples(forward), Samples(training, left_out or {}), extra or {})


def read(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_overview_has_the_targets_beside_the_measurements():
    (row,) = tables.overview([measurement("conv2d-9x9-64", dense=6.0, extra=EXTRA)])
    assert list(row.values()) == [
        "2-D 9x9 (2, 6), 64 → 64, 8 of 32 x 32",
        "6.00 cl",
        "1.00",
        "6.00",
        "≥ 5.5, met",
        "6.00",
        "≥ 5.5, met",
        "1.25, 2.00",
        "1.25, 2.00",
        "0.50",
        "0.70",
        "bags",
        "5.00, 40.0",
    ]


def test_targets_are_met_or_not_or_not_measured():
    rows = tables.targets([measurement("conv2d-9x9-64", dense=5.4, extra=EXTRA), measurement("conv2d-9x9-16")])
    found = {(row["case"], row["quantity"]): (row["measured"], row["result"]) for row in rows}
    assert found["conv2d-9x9-64", "x dense, forward"] == ("5.40", "not met")
    assert found["conv2d-9x9-64", "floors, forward"] == ("2.00", "not met")  # against the faster product
    assert found["conv2d-9x9-64", "extra MB, forward"] == ("5.00", "met")
    assert found["conv2d-9x9-64", "extra MB, forward + backward"] == ("40.0", "not met")
    assert found["conv2d-9x9-16", "x dense, forward"] == ("4.00", "met")
    assert found["conv2d-9x9-16", "extra MB, forward"] == ("–", "not measured")


def test_the_default_layout_has_a_target_of_its_own():
    depthwise = measurement("depthwise2d-31x31-64", dense=11.0)
    assert depthwise.value("x dense, forward") == pytest.approx(11.0)
    assert depthwise.value("x dense in the default layout, forward") == pytest.approx(22.0)
    assert depthwise.value("floors, forward") is None


def test_timings_tell_who_was_left_out():
    left_out = {"dense, channels last": None, "small, default": 0.25}
    rows = tables.timings([measurement("conv2d-9x9-64", left_out=left_out)])
    found = {(row["pass"], row["contender"], row["layout"]): row for row in rows}
    stopped = found["forward + backward", "dense", "channels last"]
    assert (stopped["ms"], stopped["note"]) == ("", "stopped in its first trial")
    tried = found["forward + backward", "small", "default"]
    assert (tried["ms"], tried["note"], tried["over ours"]) == ("250", "first trial only", "")
    timed = found["forward", "dense", "channels last"]
    assert (timed["ms"], timed["repetitions"], timed["over ours"], timed["note"]) == ("4", "3", "4", "")
    assert timed["quartiles"] == "4 to 4"


def test_numbers_have_about_three_digits():
    values = (None, 0.123, 1.234, 12.34, 123.4, 1234.0, -2.5)
    assert [tables.number(value) for value in values] == ["–", "0.12", "1.23", "12.3", "123", "1234", "-2.50"]


def test_all_files_are_written(tmp_path):
    measured = [measurement("conv2d-9x9-64", extra=EXTRA), *(measurement(case.name) for case in GROWTH)]
    write_tables(tmp_path, measured, MACHINE)
    write_pictures(tmp_path, measured)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "growth.csv",
        "growth.png",
        "ratios.png",
        "report.md",
        "table.csv",
        "targets.csv",
        "timings.csv",
    ]
    assert all(path.read_bytes().startswith(PNG) for path in tmp_path.glob("*.png"))
    assert read(tmp_path / "table.csv") == tables.overview(measured)
    assert [row["kernel"] for row in read(tmp_path / "growth.csv")][:2] == ["3x3", "5x5"]
    write_tables(tmp_path, measured[:1], MACHINE)
    write_pictures(tmp_path, measured[:1])
    assert not list(tmp_path.glob("growth.*"))


def test_the_report_is_markdown():
    text = markdown([measurement("conv2d-9x9-64"), measurement("growth2d-9")], MACHINE)
    assert "| processor | Abacus |" in text
    assert re.findall(r"^## .*", text, re.MULTILINE) == ["## Cases", "## Targets", "## Time against kernel size"]
    assert "| 9x9 | 16 |" in text
    assert markdown_table([{"a": "1", "b": "2"}]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"


def test_processors_of_one_name_have_folders_of_their_own(monkeypatch, tmp_path):
    slugs = []
    for model in (1, 22):
        (tmp_path / "cpuinfo").write_text(f"model name\t: Abacus\ncpu family\t: 3\nmodel\t\t: {model}\n")
        monkeypatch.setattr(machine_module, "CPUINFO", tmp_path / "cpuinfo")
        slugs.append(describe(1).slug)
    assert [slug.partition("-cores")[0].rpartition("-")[0] for slug in slugs] == ["abacus-3-1", "abacus-3-22"]


def test_the_machine_is_described_without_its_name(tmp_path):
    machine = describe(2)
    assert machine.facts["threads"] == "2"
    assert machine.slug.endswith("2-threads")
    assert not any("/" in value for value in machine.facts.values())
    assert processor_info("model name\t: Abacus 9\ncpu family : 3\n\nmodel name: Other") == {
        "model name": "Abacus 9",
        "cpu family": "3",
    }
    assert slugify("Intel(R) Xeon(R) CPU @ 2.2GHz, 2 cores") == "intel-xeon-cpu-2-2ghz-2-cores"
    assert caches(tmp_path) == "unknown"
    (tmp_path / "index0").mkdir()
    for name, text in {"level": "1\n", "type": "Data\n", "size": "48K\n"}.items():
        (tmp_path / "index0" / name).write_text(text)
    assert caches(tmp_path) == "L1 data 48K"
