"""Trials, memory and the command line, on the tiniest case. Nothing here judges a time."""

import sys

import pytest

from benchmarks import memory, runner, trial
from benchmarks.__main__ import default_folder, main
from benchmarks.apart import run_apart
from benchmarks.cases import SMOKE
from benchmarks.machine import Machine
from benchmarks.references import Contender
from benchmarks.runner import Settings, measure

PNG = b"\x89PNG"


def contender(operator, layout):
    return Contender(operator, layout, lambda: None, lambda: None)


def choose(monkeypatch, default, channels_last, apart=None):
    """Choose between two layouts whose trials take these times."""
    times = iter((default, channels_last))
    monkeypatch.setattr(trial, "try_out", lambda call: next(times))
    monkeypatch.setattr(trial, "try_apart", lambda *arguments: apart)
    everyone = [contender("dense", "default"), contender("dense", "channels last")]
    return trial.choose_field(SMOKE, everyone, "forward", 1)


def test_layouts_of_like_speed_take_part(monkeypatch):
    field = choose(monkeypatch, 1e-3, 1.4e-3)
    assert [one.layout for one in field.takes_part] == ["default", "channels last"]
    assert field.calls_per_sample == {"dense, default": 2, "dense, channels last": 1}
    assert field.left_out == {}


def test_a_far_slower_channels_last_does_not_take_part(monkeypatch):
    field = choose(monkeypatch, 1e-3, 1.6e-3)
    assert [one.layout for one in field.takes_part] == ["default"]
    assert field.left_out == {"dense, channels last": 1.6e-3}


def test_a_slower_default_layout_stays(monkeypatch):
    assert len(choose(monkeypatch, 1e-1, 1e-3).takes_part) == 2


@pytest.mark.parametrize(("apart", "number"), [(None, 1), (2.0, 1), (1.0, 2)])
def test_what_could_take_long_is_tried_apart(monkeypatch, apart, number):
    field = choose(monkeypatch, 1.0, 0.0, apart)
    assert len(field.takes_part) == number
    assert field.left_out == ({} if number == 2 else {"dense, channels last": apart})


def test_a_process_can_be_stopped_and_its_failure_is_told():
    assert run_apart("timeit", "-n1", "-r1", "import time; time.sleep(60)", seconds=0.5) is None
    with pytest.raises(RuntimeError, match=r"timeit .* failed: (.|\n)*ZeroDivisionError"):
        run_apart("timeit", "-n1", "-r1", "1 / 0")


def test_a_trial_apart_gives_a_time():
    found = trial.try_apart(SMOKE, contender("dense", "channels last"), "forward + backward", 1, 60.0)
    assert found is not None
    assert found > 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the peak")
def test_the_peak_sees_memory_that_is_given_back():
    before = memory.start_of_peak()
    block = bytearray(b"x" * (40 * memory.MEGABYTE))
    del block
    assert memory.resident("VmHWM") - before >= 39 * memory.MEGABYTE
    memory.start_of_peak()
    assert memory.resident("VmHWM") - memory.resident("VmRSS") < 10 * memory.MEGABYTE
    with pytest.raises(RuntimeError, match="the system tells no Nothing"):
        memory.resident("Nothing")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the peak")
def test_the_extra_memory_of_a_tiny_case_is_small():
    printed = run_apart("benchmarks.memory", "smoke", "forward + backward", 1, environment=memory.ALLOCATOR)
    assert -1 < float(printed) < 30


def test_memory_is_left_out_where_the_system_does_not_tell_it(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "RESET", tmp_path / "missing")
    assert memory.extra_megabytes(SMOKE, 1) == {}


def test_a_measurement_has_every_contender():
    stages = []
    measured = measure(SMOKE, Settings(seconds=0.01, memory=False), stages.append)
    assert stages == ["building", "forward", "forward + backward"]
    operators = {"ours", "dense", "small", "dilated", "mm", "product"}
    for samples in (measured.forward, measured.training):
        assert {name.rpartition(", ")[0] for name in samples.seconds} == operators
        assert samples.repetitions >= 5
        assert all(len(times) == samples.repetitions and min(times) > 0 for times in samples.seconds.values())
    assert measured.value("x dense, forward") > 0
    assert measured.value("extra MB, forward") is None


def test_the_command_line_measures_and_writes(tmp_path, capsys):
    assert (
        main(["--case", "smoke", "--seconds-per-case", "0.01", "--engines", "--no-memory", "--output", str(tmp_path)])
        == 0
    )
    printed = capsys.readouterr().out
    assert "smoke: " in printed
    assert "written to" in printed
    assert "smoke,forward,engine bags,default," in (tmp_path / "timings.csv").read_text()
    assert (tmp_path / "ratios.png").read_bytes().startswith(PNG)
    assert not list(tmp_path.glob(".*"))


def test_finished_cases_are_kept_when_interrupted(tmp_path, monkeypatch, capsys):
    finished = measure(SMOKE, Settings(seconds=0.01, memory=False))
    answers = iter([finished])

    def interrupted(*arguments):
        for answer in answers:
            return answer
        raise KeyboardInterrupt

    monkeypatch.setattr("benchmarks.__main__.measure", interrupted)
    assert main(["--case", "smoke", "smoke", "--output", str(tmp_path)]) == 130
    assert "1 of 2 cases are kept" in capsys.readouterr().out
    assert len((tmp_path / "table.csv").read_text().splitlines()) == 2


def test_the_command_line_lists_and_refuses(capsys):
    assert main(["--list"]) == 0
    assert "depthwise2d-31x31-64" in capsys.readouterr().out
    for arguments in (["--case", "unknown"], ["--threads", "0"]):
        with pytest.raises(SystemExit, match="2"):
            main(arguments)
    assert "no case is called unknown" in capsys.readouterr().err


def test_only_the_full_set_goes_where_results_are_kept():
    machine = Machine({}, "abacus")
    folders = [default_folder(machine, *chosen) for chosen in ((True, []), (False, []), (True, ["smoke"]))]
    assert [folder.name for folder in folders] == ["abacus", "short", "chosen"]


def test_the_number_of_threads_is_restored():
    import torch

    before = torch.get_num_threads()
    with runner.thread_count(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
