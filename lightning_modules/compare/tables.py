"""The comparison as tables: a row per run, a row per network, and Markdown beside the paper's values."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from lightning_modules.compare.plan import Plan
from lightning_modules.compare.published import Row, published_scores
from lightning_modules.compare.records import Result
from lightning_modules.compare.reductions import Summary, is_loss, samples, summarize

_NONE = "-"


@dataclass(frozen=True)
class Line:
    """A network's line of the table.

    Args:
        name: the network's name.
        parameters: their number, None without a finished run.
        seconds: median time of a training epoch, None if it was not logged.
        runs: number of finished runs.
        summaries: metric -> mean and standard deviation.
        published: quantity -> the paper's value.
    """

    name: str
    parameters: int | None
    seconds: float | None
    runs: int
    summaries: Mapping[str, Summary]
    published: Row


def make_lines(plan: Plan, results: Sequence[Result]) -> list[Line]:
    """Return a line for each configuration of the plan, in its order.

    Raises:
        MetricError: a run has not logged one of the plan's metrics.
    """
    published = published_scores(plan.published, plan.names)
    lines = []
    for name in plan.names:
        own = [result for result in results if result.name == name]
        times = [epoch["train/seconds"] for result in own for epoch in result.epochs if "train/seconds" in epoch]
        lines.append(
            Line(
                name=name,
                parameters=own[0].parameters if own else None,
                seconds=median(times) if times else None,
                runs=len(own),
                summaries={metric: summarize(samples(metric, own, plan.reduce)) for metric in plan.metrics},
                published=published.get(name, {}),
            )
        )
    return lines


def run_rows(plan: Plan, results: Sequence[Result]) -> Iterator[dict[str, Any]]:
    """Return a row for each run: the mean over its epochs where the reduction takes several."""
    for result in results:
        times = [epoch["train/seconds"] for epoch in result.epochs if "train/seconds" in epoch]
        yield {
            "network": result.name,
            "seed": result.seed,
            "parameters": result.parameters,
            "epochs": len(result.epochs),
            "seconds per epoch": median(times) if times else "",
            **{metric: summarize(samples(metric, [result], plan.reduce)).mean for metric in plan.metrics},
        }


def line_rows(lines: Sequence[Line]) -> Iterator[dict[str, Any]]:
    """Return a row for each network."""
    for line in lines:
        row: dict[str, Any] = {
            "network": line.name,
            "parameters": line.parameters,
            "seconds per epoch": line.seconds,
            "runs": line.runs,
        }
        for metric, summary in line.summaries.items():
            row |= {f"{metric} mean": summary.mean, f"{metric} std": summary.std, f"{metric} n": summary.number}
            row[f"{metric} published"] = line.published.get(quantity_of(metric), "")
        yield row


def markdown(plan: Plan, lines: Sequence[Line], results: Sequence[Result]) -> str:
    """Return the table and what it shows as Markdown."""
    compared = {metric: any(quantity_of(metric) in line.published for line in lines) for metric in plan.metrics}
    heads = ["network", "parameters", "seconds per epoch", "runs"]
    for metric in plan.metrics:
        heads.append(f"{metric} (%)" if plan.percent and not is_loss(metric) else metric)
        heads += ["published"] * compared[metric]
    rows = [_cells(plan, line, compared) for line in lines]
    ruler = ["---"] + ["---:"] * (len(heads) - 1)
    table = "\n".join(f"| {' | '.join(row)} |" for row in [heads, ruler, *rows])
    return f"# {plan.title}\n\n{table}\n\n{_notes(plan, results)}\n"


def score_text(summary: Summary, *, percent: bool) -> str:
    """Return ``mean (std)``, the mean alone if there is no deviation, a dash for no values.

    >>> score_text(Summary(0.97154, 0.00262, 3), percent=True), score_text(Summary(0.97154, None, 1), percent=False)
    ('97.15 (0.26)', '0.9715')
    """
    if summary.mean is None:
        return _NONE
    scale, digits = (100, 2) if percent else (1, 4)
    mean = f"{scale * summary.mean:.{digits}f}"
    return mean if summary.std is None else f"{mean} ({scale * summary.std:.{digits}f})"


def quantity_of(metric: str) -> str:
    """Return a metric's name without its stage, by which the paper's values are found.

    >>> quantity_of("test/accuracy")
    'accuracy'
    """
    return metric.rpartition("/")[2]


def _cells(plan: Plan, line: Line, compared: Mapping[str, bool]) -> list[str]:
    cells = [
        line.name,
        _NONE if line.parameters is None else f"{line.parameters:,}",
        _NONE if line.seconds is None else f"{line.seconds:.2f}",
        str(line.runs),
    ]
    for metric, summary in line.summaries.items():
        cells.append(score_text(summary, percent=plan.percent and not is_loss(metric)))
        if compared[metric]:
            cells.append(str(line.published.get(quantity_of(metric), _NONE)))
    return cells


def _notes(plan: Plan, results: Sequence[Result]) -> str:
    notes = [f"Mean (sample standard deviation) over the runs; seeds {', '.join(map(str, plan.seeds))}."]
    if any(metric in result.scores for metric in plan.metrics for result in results):
        monitored = ", by what its configuration monitors" if plan.evaluate == "best" else ""
        notes.append(f"Tested: each run's {plan.evaluate} checkpoint{monitored}.")
    if any(metric in epoch for metric in plan.metrics for result in results for epoch in result.epochs):
        taken = {"best": "best epoch", "last": "last epoch", "last10": "last ten epochs"}
        notes.append(f"Of what is logged in every epoch: each run's {taken[plan.reduce]}.")
    if plan.published is not None:
        notes.append("\"Published\": Su and Wen, NeurIPS 2022, on the paper's data with the paper's recipe.")
    if plan.overrides:
        notes.append(f"All runs with `{' '.join(plan.overrides)}`.")
    made = {", ".join(f"{name} {version}" for name, version in result.versions.items()) for result in results}
    notes += [f"Made with {versions}." for versions in sorted(made)]
    return "\n".join(notes)
