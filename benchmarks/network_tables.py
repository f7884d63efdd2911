"""Rows of the tables of whole networks, as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.machine import Machine
from benchmarks.network_cases import NetworkCase, Variant
from benchmarks.references import Pass
from benchmarks.report import markdown_table
from benchmarks.rows import Row
from benchmarks.samples import Samples
from benchmarks.tables import MARKS, NOT_MEASURED, number

TITLES: dict[Pass, str] = {"forward": "inference", "forward + backward": "training step"}
"""What a network's passes are called."""

READING = """\
Times are medians over repetitions in which every network ran once in each memory format, in a rotating order; ratios
are taken within a repetition, and the median is shown, with the quartiles: below 1 the variant is faster than the
conventional network. Every network is taken in the memory format in which it is faster ("cl": channels last).
*Inference* is a forward pass in evaluation mode without a graph; a *training step* is forward, cross entropy, backward
and an update by SGD with momentum. *paper* is the ratio of the inference times in the paper's Table 2, which does not
say which reading of LPSC-CC was timed: `lpsc_cc_text` is the text's, `lpsc_cc` the authors' program's.
"""


@dataclass(frozen=True)
class NetworkMeasurement:
    """What was measured of a network: times by pass."""

    case: NetworkCase
    samples: Mapping[Pass, Samples]

    def ratio(self, variant: str, part: Pass) -> float | None:
        """Return the median ratio of a variant's time to the reference's."""
        return self.samples[part].ratio(variant, self.case.reference)


def verdict(bound: float, ratio: float | None) -> str:
    """Say whether a ratio keeps its bound."""
    if ratio is None:
        return "not measured"
    return "met" if ratio <= bound else "not met"


def table(measured: Sequence[NetworkMeasurement]) -> list[Row]:
    """Return one row for each network, pass and variant."""
    return [_row(*line) for line in _lines(measured)]


def brief(measured: Sequence[NetworkMeasurement]) -> list[Row]:
    """Return the same for a terminal, with the target below each ratio."""
    rows = []
    for measurement, part, variant in _lines(measured):
        row, ratio = _row(measurement, part, variant), measurement.ratio(variant.name, part)
        mark = "" if variant.bound is None else f"\n≤ {variant.bound:g} {MARKS[verdict(variant.bound, ratio)]}"
        rows.append(
            {
                "network": measurement.case.name,
                "pass": row["pass"],
                "variant": variant.name,
                "conv\nms": row["conventional ms"],
                "ms": row["ms"],
                "time\n/ conv": row["time / conventional"] + mark,
                "paper": row["paper"],
            }
        )
    return rows


def markdown(measured: Sequence[NetworkMeasurement], machine: Machine) -> str:
    """Return the report as text."""
    facts = [{"machine": name, "": value} for name, value in machine.facts.items()]
    parts = ["# Whole networks", markdown_table(facts), READING.rstrip(), markdown_table(table(measured))]
    return "\n\n".join(parts) + "\n"


def _lines(measured: Sequence[NetworkMeasurement]) -> list[tuple[NetworkMeasurement, Pass, Variant]]:
    return [
        (measurement, part, variant)
        for measurement in measured
        for part in measurement.samples
        for variant in measurement.case.variants
    ]


def _row(measurement: NetworkMeasurement, part: Pass, variant: Variant) -> Row:
    case, samples = measurement.case, measurement.samples[part]
    ratio = measurement.ratio(variant.name, part)
    target = NOT_MEASURED if variant.bound is None else f"≤ {variant.bound:g}, {verdict(variant.bound, ratio)}"
    return {
        "network": case.title,
        "pass": TITLES[part],
        "images": _images(case.inference_shape if part == "forward" else case.training_shape),
        "variant": variant.name,
        "conventional ms": _milliseconds(samples, case.reference),
        "ms": _milliseconds(samples, variant.name),
        "time / conventional": NOT_MEASURED if ratio is None else f"{ratio:.3f}",
        "quartiles": _quartiles(samples, variant.name, case.reference),
        "target": target,
        "paper": number(variant.paper if part == "forward" else None),
        "repetitions": str(samples.repetitions),
    }


def _images(shape: tuple[int, ...]) -> str:
    return f"{shape[0]} of {' x '.join(map(str, shape[2:]))}"


def _milliseconds(samples: Samples, operator: str) -> str:
    best = samples.best(operator)
    if best is None:
        return NOT_MEASURED
    return number(samples.median(best) * 1e3) + (" cl" if best.endswith("channels last") else "")


def _quartiles(samples: Samples, operator: str, reference: str) -> str:
    first, second = samples.best(operator), samples.best(reference)
    if first is None or second is None:
        return NOT_MEASURED
    return " to ".join(f"{quartile:.3f}" for quartile in samples.quartiles(first, second))
