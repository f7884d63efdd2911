"""Rows of the tables, as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks.cases import Case, Quantity, Target
from benchmarks.rows import Row
from benchmarks.runner import Measurement
from benchmarks.samples import Samples

NOT_MEASURED = "–"

MARKS = {"met": "✓", "not met": "✗", "not measured": "?"}
"""What a terminal shows for a verdict."""

BRIEF: dict[str, Quantity] = {
    "x dense\nfwd": "x dense, forward",
    "x dense\nfwd+bwd": "x dense, forward + backward",
    "floors\nfwd": "floors, forward",
    "floors\nfwd+bwd": "floors, forward + backward",
    "extra MB\nfwd+bwd": "extra MB, forward + backward",
}
"""What a terminal's table shows, by heading."""


def overview(measured: Sequence[Measurement]) -> list[Row]:
    """Return one row for each case that is not a point of a growth curve."""
    return [_overview_row(measurement) for measurement in measured if not measurement.case.is_growth]


def _overview_row(measurement: Measurement) -> Row:
    forward, training, case = measurement.forward, measurement.training, measurement.case
    return {
        "case": case.title,
        "dense ms": _milliseconds(forward, "dense"),
        "ours ms": _milliseconds(forward, "ours"),
        "x dense (fwd)": number(measurement.value("x dense, forward")),
        "target (fwd)": _against(measurement, "x dense, forward"),
        "x dense (fwd+bwd)": number(measurement.value("x dense, forward + backward")),
        "target (fwd+bwd)": _against(measurement, "x dense, forward + backward"),
        "ours / GEMM floor (fwd): mm, product": _floors(forward),
        "ours / 3 floors (fwd+bwd): mm, product": _floors(training),
        "x 3^N (fwd)": number(forward.ratio("small", "ours")),
        "x dilated (fwd)": number(forward.ratio("dilated", "ours")),
        "engine": measurement.engine,
        "extra MB (fwd, fwd+bwd)": f"{_extra(measurement, 'extra MB, forward')}, "
        f"{_extra(measurement, 'extra MB, forward + backward')}",
    }


def brief(measured: Sequence[Measurement]) -> list[Row]:
    """Return the overview for a terminal, with short names and the target below each measurement."""
    return [
        {
            "case": measurement.case.name,
            "dense\nms": _milliseconds(measurement.forward, "dense"),
            "ours\nms": _milliseconds(measurement.forward, "ours"),
            **{heading: _beside(measurement, quantity) for heading, quantity in BRIEF.items()},
            "engine": measurement.engine,
        }
        for measurement in measured
        if not measurement.case.is_growth
    ]


def brief_growth(measured: Sequence[Measurement]) -> list[Row]:
    """Return the growth curves for a terminal."""
    shown = ("kernel", "regions", "dense ms (fwd)", "ours ms (fwd)", "x dense (fwd)", "x dense (fwd+bwd)", "engine")
    return [{name.replace(" (", "\n("): row[name] for name in shown} for row in growth(measured)]


def targets(measured: Sequence[Measurement]) -> list[Row]:
    """Return one row for each target."""
    return [
        {
            "case": measurement.case.name,
            "quantity": target.quantity,
            "target": str(target),
            "measured": number(measurement.value(target.quantity)),
            "result": verdict(target, measurement.value(target.quantity)),
        }
        for measurement in measured
        for target in measurement.case.targets
    ]


def verdict(target: Target, value: float | None) -> str:
    """Say whether a target is met."""
    if value is None:
        return "not measured"
    return "met" if target.met(value) else "not met"


def growth(measured: Sequence[Measurement]) -> list[Row]:
    """Return one row for each point of a growth curve."""
    return [
        {
            "kernel": "x".join([str(measurement.case.kernel_size)] * measurement.case.ndim),
            "regions": str(_regions(measurement.case)),
            **{
                f"{name} ms ({part})": _milliseconds(samples, operator)
                for part, samples in (("fwd", measurement.forward), ("fwd+bwd", measurement.training))
                for name, operator in (("dense", "dense"), ("ours", "ours"), ("3^N", "small"))
            },
            "x dense (fwd)": number(measurement.value("x dense, forward")),
            "x dense (fwd+bwd)": number(measurement.value("x dense, forward + backward")),
            "engine": measurement.engine,
        }
        for measurement in measured
        if measurement.case.is_growth
    ]


def timings(measured: Sequence[Measurement]) -> list[Row]:
    """Return one row for each case, pass and contender."""
    return [
        row
        for measurement in measured
        for part, samples in (("forward", measurement.forward), ("forward + backward", measurement.training))
        for row in _timing_rows(measurement, part, samples)
    ]


def _timing_rows(measurement: Measurement, part: str, samples: Samples) -> Iterator[Row]:
    ours = samples.best("ours")
    for name in (*samples.seconds, *samples.left_out):
        operator, _, layout = name.rpartition(", ")
        row = {"case": measurement.case.name, "pass": part, "contender": operator, "layout": layout}
        if name in samples.left_out:
            trial = samples.left_out[name]
            note = "stopped in its first trial" if trial is None else "first trial only"
            ms = "" if trial is None else f"{trial * 1e3:.6g}"
            yield row | {"ms": ms, "repetitions": "", "over ours": "", "quartiles": "", "note": note}
        else:
            low, high = samples.quartiles(name, ours) if ours else (0.0, 0.0)
            yield row | {
                "ms": f"{samples.median(name) * 1e3:.6g}",
                "repetitions": str(samples.repetitions),
                "over ours": f"{samples.median_ratio(name, ours):.4g}" if ours else "",
                "quartiles": f"{low:.4g} to {high:.4g}" if ours else "",
                "note": "",
            }


def number(value: float | None) -> str:
    """Write a value with about three digits."""
    if value is None:
        return NOT_MEASURED
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:.{digits}f}"


def _milliseconds(samples: Samples, operator: str) -> str:
    best = samples.best(operator)
    if best is None:
        return NOT_MEASURED
    return number(samples.median(best) * 1e3) + (" cl" if best.endswith("channels last") else "")


def _against(measurement: Measurement, quantity: Quantity) -> str:
    found = [target for target in measurement.case.targets if target.quantity == quantity]
    return ", ".join(f"{target}, {verdict(target, measurement.value(quantity))}" for target in found) or NOT_MEASURED


def _beside(measurement: Measurement, quantity: Quantity) -> str:
    lines = [number(measurement.value(quantity))]
    for target in measurement.case.targets:
        if target.quantity == quantity:
            lines.append(f"{target} {MARKS[verdict(target, measurement.value(quantity))]}")
    return "\n".join(lines)


def _floors(samples: Samples) -> str:
    ratios = [samples.ratio("ours", operator) for operator in ("mm", "product")]
    return NOT_MEASURED if None in ratios else ", ".join(map(number, ratios))


def _extra(measurement: Measurement, quantity: Quantity) -> str:
    return number(measurement.value(quantity))


def _regions(case: Case) -> int:
    return case.layer().stencil.num_regions
