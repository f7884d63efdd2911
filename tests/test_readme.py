"""The README's example runs as written, and the links of all documentation lead somewhere."""

import csv
import re
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def python_blocks(page: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", page.read_text(), flags=re.DOTALL)


@pytest.mark.parametrize("page", [page for page in PAGES if python_blocks(page)], ids=lambda page: page.name)
def test_examples_run_as_written(page, capsys):
    torch.manual_seed(0)
    names = {}
    for block in python_blocks(page):
        exec(compile(block, str(page), "exec"), names)


def test_the_readme_example_says_what_it_prints(capsys):
    block, *_ = python_blocks(ROOT / "README.md")
    exec(compile(block, "README.md", "exec"), {})
    shape, region, *explanation = capsys.readouterr().out.splitlines()
    assert "(64, 64, 24)" in block
    assert shape == "torch.Size([64, 64, 24])"
    assert region == "1"
    assert explanation[0].startswith("engine: bags")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_table_of_speeds_is_the_measured_one():
    readme = (ROOT / "README.md").read_text()
    folders = dict(re.findall(r"\[(Xeon|EPYC|EPYC with AVX2)\]\((benchmarks/results/[^/]*)/report.md\)", readme))
    epyc, avx2, xeon = (measured_in(folders[name]) for name in ("EPYC", "EPYC with AVX2", "Xeon"))
    shown = [line.strip("| ").split(" | ") for line in readme.splitlines() if re.match(r"\| [123]-D ", line)]
    assert len(shown) > 5
    columns = ("dense ms", "ours ms", "x dense (fwd)", "x dense (fwd+bwd)", "extra MB (fwd, fwd+bwd)")
    for case, *figures in shown:
        expected = [epyc[case][column] for column in columns]
        expected += [measured[case][column] for measured in (avx2, xeon) for column in columns[2:4]]
        assert figures == expected


def measured_in(folder):
    """Return the rows of a report's table, by case."""
    with (ROOT / folder / "table.csv").open(newline="") as file:
        return {row["case"]: row for row in csv.DictReader(file)}
