"""Reductions, tables and the figure, against values computed by hand."""

import csv

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_modules.compare.plan import make_plan
from lightning_modules.compare.plots import draw_scores
from lightning_modules.compare.records import Result
from lightning_modules.compare.reductions import MetricError, samples, summarize
from lightning_modules.compare.tables import line_rows, make_lines, markdown, run_rows, score_text
from lpsc_nd._files import write_csv

NUMBERS = st.floats(-1e3, 1e3)


def result(name, seed, test, epochs=(), parameters=1234):
    rows = [{"epoch": i, "train/seconds": 1.0 + i, **values} for i, values in enumerate(epochs)]
    return Result(name, seed, parameters, {"test/accuracy": test}, rows, "d", {"torch": "2.0"})


@pytest.fixture
def plan(config_file):
    def make(names=("net_conv", "net_lpsc"), **values):
        return make_plan({"configs": [config_file(name) for name in names], "output": "out", "seeds": [0, 1]} | values)

    return make


@given(st.lists(NUMBERS, min_size=2, max_size=12))
def test_mean_and_sample_deviation(values):
    summary = summarize(values)
    assert summary.mean == pytest.approx(np.mean(values), rel=1e-9, abs=1e-9)
    assert summary.std == pytest.approx(np.std(values, ddof=1), rel=1e-6, abs=1e-6)
    assert summary.number == len(values)


def test_too_few_values_have_no_deviation():
    assert summarize([0.5]) == (0.5, None, 1)
    assert summarize([]) == (None, None, 0)


@given(st.lists(NUMBERS, min_size=1, max_size=25))
def test_reductions_over_epochs(values):
    run = result("a", 0, 0.5, [{"val/accuracy": value, "val/loss": value} for value in values])
    assert samples("val/accuracy", [run], "best") == [max(values)]
    assert samples("val/loss", [run], "best") == [min(values)]
    assert samples("val/accuracy", [run], "last") == values[-1:]
    assert samples("val/accuracy", [run, run], "last10") == 2 * values[-10:]


@pytest.mark.parametrize("reduce", ["best", "last", "last10"])
def test_a_value_of_the_test_counts_once(reduce):
    runs = [result("a", 0, 0.5, [{"val/accuracy": 1.0}] * 3), result("a", 1, 0.25)]
    assert samples("test/accuracy", runs, reduce) == [0.5, 0.25]


def test_epochs_without_validation_do_not_count():
    run = result("a", 0, 0.5, [{"val/accuracy": 0.1}, {}, {"val/accuracy": 0.3}, {}])
    assert samples("val/accuracy", [run], "last") == [0.3]
    assert samples("val/accuracy", [run], "last10") == [0.1, 0.3]


def test_a_metric_that_was_not_logged_is_named_with_those_that_were():
    message = r"a has \['test/accuracy', 'train/seconds', 'val/loss'\], got 'test/acuracy'"
    with pytest.raises(MetricError, match=message):
        samples("test/acuracy", [result("a", 0, 0.5, [{"val/loss": 1.0}])], "best")


@pytest.mark.parametrize(
    ("values", "percent", "text"),
    [
        ([0.9166, 0.9179, 0.9153], True, "91.66 (0.13)"),
        ([0.9166, 0.9179, 0.9153], False, "0.9166 (0.0013)"),
        ([0.5], True, "50.00"),
        ([0.5], False, "0.5000"),
        ([0.25, 0.25], False, "0.2500 (0.0000)"),
        ([], True, "-"),
        ([float("nan")], False, "nan"),
    ],
)
def test_text_of_a_score(values, percent, text):
    assert score_text(summarize(values), percent=percent) == text


def test_the_table_beside_the_paper(plan):
    results = [
        result("net_conv", 0, 0.91, [{}, {}]),
        result("net_conv", 1, 0.93, [{}, {}, {}]),
        result("net_lpsc", 0, 0.95, parameters=1200),
    ]
    chosen = plan(published="table1/resnet20/cifar10", percent=True, title="T", overrides=["--trainer.max_epochs=3"])
    assert markdown(chosen, make_lines(chosen, results), results).splitlines() == [
        "# T",
        "",
        "| network | parameters | seconds per epoch | runs | test/accuracy (%) | published |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        "| net_conv | 1,234 | 2.00 | 2 | 92.00 (1.41) | 91.66 (0.13) % |",
        "| net_lpsc | 1,200 | - | 1 | 95.00 | 91.81 (0.21) % |",
        "",
        "Mean (sample standard deviation) over the runs; seeds 0, 1.",
        "Tested: each run's best checkpoint, by what its configuration monitors.",
        "\"Published\": Su and Wen, NeurIPS 2022, on the paper's data with the paper's recipe.",
        "All runs with `--trainer.max_epochs=3`.",
        "Made with torch 2.0.",
    ]


def test_the_table_of_the_last_ten_epochs(plan):
    chosen = plan(names=("a", "b"), metrics=["val/accuracy", "val/loss"], reduce="last10", percent=True)
    epochs = [{"val/accuracy": i / 100, "val/loss": 1.0} for i in range(12)]
    results = [result("a", 0, 0.5, epochs)]
    text = markdown(chosen, make_lines(chosen, results), results)
    # 2 to 11 in percent: mean 6.5, sample deviation sqrt(82.5 / 9)
    assert "| network | parameters | seconds per epoch | runs | val/accuracy (%) | val/loss |" in text
    assert "| a | 1,234 | 6.50 | 1 | 6.50 (3.03) | 1.0000 (0.0000) |" in text
    assert "| b | - | - | 0 | - | - |" in text
    assert "Of what is logged in every epoch: each run's last ten epochs." in text
    assert "Tested" not in text
    assert "published" not in text


def test_runs_of_different_versions_are_told(plan):
    chosen = plan(names=("a",))
    results = [result("a", seed, 0.5) for seed in (0, 1)]
    results[1].versions["torch"] = "3.0"
    text = markdown(chosen, make_lines(chosen, results), results)
    assert "Made with torch 2.0.\nMade with torch 3.0." in text


def test_the_tables_on_disk(plan, tmp_path):
    chosen = plan(published={"net_lpsc": "table1/resnet20/cifar10/lpsc"}, metrics=["test/accuracy"])
    results = [result("net_lpsc", 0, 0.91, [{}, {}]), result("net_lpsc", 1, 0.93)]
    write_csv(tmp_path / "runs.csv", run_rows(chosen, results))
    write_csv(tmp_path / "table.csv", line_rows(make_lines(chosen, results)))
    runs, lines = (
        list(csv.DictReader((tmp_path / name).read_text().splitlines())) for name in ("runs.csv", "table.csv")
    )
    assert [(row["network"], row["seed"], row["epochs"], row["test/accuracy"]) for row in runs] == [
        ("net_lpsc", "0", "2", "0.91"),
        ("net_lpsc", "1", "0", "0.93"),
    ]
    assert [row["seconds per epoch"] for row in runs] == ["1.5", ""]
    assert [row["runs"] for row in lines] == ["0", "2"]
    assert float(lines[1]["test/accuracy mean"]) == pytest.approx(0.92)
    assert float(lines[1]["test/accuracy std"]) == pytest.approx(0.02 / 2**0.5)
    assert [row["test/accuracy published"] for row in lines] == ["", "91.81 (0.21) %"]


def test_the_figure_holds_every_value_and_mean():
    figure = draw_scores({"m": {"a": [1.0, 2.0, 6.0], "b": [4.0]}, "n": {"a": [0.5], "b": []}}, title="T")
    left, right = figure.axes
    dots = [line for line in left.lines if line.get_marker() == "o"]
    assert [list(line.get_xdata()) for line in dots] == [[1.0, 2.0, 6.0], [4.0]]
    means = [line.get_xdata()[0] for line in left.lines if line.get_marker() == "|" and len(line.get_xdata()) == 1]
    assert 3.0 in means
    assert [text.get_text() for text in left.get_yticklabels()] == ["a", "b"]
    assert len([line for line in right.lines if line.get_marker() == "o"]) == 1
    assert figure.get_suptitle() == "T"


@pytest.mark.parametrize("panels", [{}, {"m": {}}])
def test_an_empty_figure_is_refused(panels):
    with pytest.raises(ValueError, match="needs at least one metric"):
        draw_scores(panels)
