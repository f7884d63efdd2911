"""Rows of the tables of volumes and series, as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.machine import Machine
from benchmarks.references import Pass
from benchmarks.report import markdown_table
from benchmarks.rows import Row
from benchmarks.samples import Samples
from benchmarks.tables import MARKS, NOT_MEASURED, number
from benchmarks.volumes.cases import Quantity, Rival, Target, VolumeCase

READING = """\
Times are medians over repetitions in which ours and the other ran once in each memory format, in a rotating order;
ratios are taken within a repetition, and the median is shown, with the quartiles. Each is taken in the memory format in
which it is faster ("cl": channels last; dense 7^3 kernels in the default format alone, as their gradients take minutes
in the other). "forward + backward" of a network is a training step: forward, cross entropy, backward and an update by
SGD with momentum. *memory* is the peak of a fresh process's resident memory during a training step beyond what it held
before: activations, gradients and scratch, in MB of 2^20 bytes. "x theirs" is their time over ours.
"""


@dataclass(frozen=True)
class Duel:
    """What was measured of ours and one rival.

    Args:
        rival: the rival.
        samples: times of both, by pass.
        memory: peak extra memory in MB of "ours" and of the rival; empty where it was not measured.
    """

    rival: Rival
    samples: Mapping[Pass, Samples]
    memory: Mapping[str, float | None] = field(default_factory=dict)

    def ratio(self, part: Pass) -> float | None:
        """Return our time over theirs."""
        return self.samples[part].ratio("ours", self.rival.name)

    def value(self, quantity: Quantity) -> float | None:
        """Return what a target is about, in forward and backward."""
        if quantity == "time / theirs":
            return self.ratio("forward + backward")
        if quantity == "x theirs":
            return self.samples["forward + backward"].ratio(self.rival.name, "ours")
        ours, theirs = self.memory.get("ours"), self.memory.get(self.rival.name)
        return None if ours is None or not theirs else ours / theirs


@dataclass(frozen=True)
class VolumeMeasurement:
    """What was measured of a case."""

    case: VolumeCase
    duels: Sequence[Duel]


def times(measured: Sequence[VolumeMeasurement]) -> list[Row]:
    """Return one row for each case, rival and pass."""
    return [
        {
            "case": measurement.case.title,
            "beside": duel.rival.name,
            "pass": part,
            "ours ms": _milliseconds(samples, "ours"),
            "theirs ms": _milliseconds(samples, duel.rival.name),
            "time / theirs": number(duel.ratio(part)),
            "quartiles": _quartiles(samples, duel.rival.name),
            "repetitions": str(samples.repetitions),
            "memory MB: ours, theirs": _memory(duel, part),
        }
        for measurement in measured
        for duel in measurement.duels
        for part, samples in duel.samples.items()
    ]


def targets(measured: Sequence[VolumeMeasurement]) -> list[Row]:
    """Return one row for each target."""
    return [
        {
            "case": measurement.case.title,
            "beside": duel.rival.name,
            "quantity": target.quantity,
            "measured": number(duel.value(target.quantity)),
            "target": target.text,
            "result": target.verdict(duel.value(target.quantity)),
        }
        for measurement in measured
        for duel in measurement.duels
        for target in duel.rival.targets
    ]


def brief(measured: Sequence[VolumeMeasurement]) -> list[Row]:
    """Return a short table for a terminal, with the targets beside what was measured."""
    return [
        {
            "case": measurement.case.name,
            "beside": duel.rival.name,
            "pass": part,
            "ours\nms": _milliseconds(samples, "ours"),
            "theirs\nms": _milliseconds(samples, duel.rival.name),
            "time\n/ theirs": number(duel.ratio(part)),
            "targets": "\n".join(_told(duel, target) for target in duel.rival.targets) if part != "forward" else "",
        }
        for measurement in measured
        for duel in measurement.duels
        for part, samples in duel.samples.items()
    ]


def markdown(measured: Sequence[VolumeMeasurement], machine: Machine) -> str:
    """Return the report as text."""
    facts = [{"machine": name, "": value} for name, value in machine.facts.items()]
    tables = [markdown_table(times(measured)), markdown_table(targets(measured))]
    return "\n\n".join(["# Volumes and series", markdown_table(facts), READING.rstrip(), *tables]) + "\n"


def _told(duel: Duel, target: Target) -> str:
    value = duel.value(target.quantity)
    return f"{target.quantity} {number(value)} {target.text} {MARKS[target.verdict(value)]}"


def _milliseconds(samples: Samples, operator: str) -> str:
    best = samples.best(operator)
    if best is None:
        return NOT_MEASURED
    return number(samples.median(best) * 1e3) + (" cl" if best.endswith("channels last") else "")


def _quartiles(samples: Samples, rival: str) -> str:
    first, second = samples.best("ours"), samples.best(rival)
    if first is None or second is None:
        return NOT_MEASURED
    return " to ".join(f"{quartile:.3f}" for quartile in samples.quartiles(first, second))


def _memory(duel: Duel, part: Pass) -> str:
    if part == "forward" or not duel.memory:
        return NOT_MEASURED
    return ", ".join(number(duel.memory.get(name)) for name in ("ours", duel.rival.name))
