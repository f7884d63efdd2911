"""Writes what was measured: CSV, Markdown and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from benchmarks import tables
from benchmarks.machine import Machine
from benchmarks.plots import draw_growth, draw_ratios
from benchmarks.rows import Row
from benchmarks.runner import Measurement
from lpsc_nd._files import write_csv, write_whole

READING = """\
Times are medians over repetitions in which every contender ran once, in a rotating order; ratios are taken within a
repetition, and the median is shown. "x other" is the other's time over ours: above 1 ours is faster. Every convolution
is taken in the memory format in which it is faster, ours as well ("cl": channels last). "fwd+bwd" is a forward pass and
the gradients of input and parameters.

*dense* is PyTorch's convolution with the same window, *3^N* that of three cells along every axis, *dilated* a dilated
one of about the same field and number of weights. The *GEMM floor* is one matrix product, (sites, weights x C) by
(weights x C, C'), and with backward three, by `torch.mm` and by `lpsc_nd.pooling.product`; its target is held against
the faster of both. *extra MB* is the peak resident memory of a fresh process's first call, beyond what every
implementation holds: padded input, output, parameters and, with backward, gradients. It is negative where an engine
does without the padded input. – means that it was not measured or does not apply.
"""


def write_tables(folder: Path, measured: Sequence[Measurement], machine: Machine) -> None:
    """Write ``table.csv``, ``targets.csv``, ``growth.csv``, ``timings.csv`` and ``report.md``, each whole or not.

    A table without rows has no file; one of an earlier run is removed, so that the folder tells of one run.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in _rows(measured).items():
        if rows:
            write_csv(folder / f"{name}.csv", rows)
        else:
            (folder / f"{name}.csv").unlink(missing_ok=True)
    write_whole(folder / "report.md", [markdown(measured, machine).encode()])


def write_pictures(folder: Path, measured: Sequence[Measurement]) -> None:
    """Write ``ratios.png`` and ``growth.png``, as far as there is something to draw."""
    rows = [measurement for measurement in measured if not measurement.case.is_growth]
    points = [measurement for measurement in measured if measurement.case.is_growth]
    for name, draw, drawn in (("ratios", draw_ratios, rows), ("growth", draw_growth, points)):
        path = folder / f"{name}.png"
        if drawn:
            picture = BytesIO()
            draw(drawn).savefig(picture, format="png", dpi=130)
            write_whole(path, [picture.getvalue()])
        else:
            path.unlink(missing_ok=True)


def markdown(measured: Sequence[Measurement], machine: Machine) -> str:
    """Return the report as text."""
    facts = [{"machine": name, "": value} for name, value in machine.facts.items()]
    rows = _rows(measured)
    parts = ["# Benchmarks", markdown_table(facts), READING.rstrip()]
    if rows["table"]:
        parts += ["## Cases", markdown_table(rows["table"]), "![Speed against the dense convolution](ratios.png)"]
    if rows["targets"]:
        parts += ["## Targets", markdown_table(rows["targets"])]
    if rows["growth"]:
        parts += ["## Time against kernel size", markdown_table(rows["growth"])]
        parts += ["![Time against kernel size](growth.png)"]
    return "\n\n".join(parts) + "\n"


def markdown_table(rows: Sequence[Row]) -> str:
    """Return rows as a Markdown table under the first one's keys."""
    head = list(rows[0])
    lines = [head, ["---"] * len(head), *(list(row.values()) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _rows(measured: Sequence[Measurement]) -> dict[str, list[Row]]:
    return {
        "table": tables.overview(measured),
        "targets": tables.targets(measured),
        "growth": tables.growth(measured),
        "timings": tables.timings(measured),
    }
