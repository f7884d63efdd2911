"""First trials, which find the memory formats that are worth timing.

The default layout always takes part. Channels last does unless its trial takes over 1.5 times as long. The backward
pass of a large dense kernel can take thirty times as long in channels last as in the default layout, over a minute:
where that could be long, the trial runs in a process of its own and is stopped.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast, get_args

import torch

from benchmarks.apart import run_apart
from benchmarks.cases import CASES, Case
from benchmarks.references import Contender, Pass, contenders
from benchmarks.samples import time_calls

FAR_SLOWER = 1.5
"""A channels-last contender this many times slower than in the default layout does not take part."""
WORST, BEARABLE = 50.0, 8.0
"""Where this many times the default layout's time could exceed this many seconds, channels last is tried apart."""
START_SECONDS = 8.0
"""Time allowed for a process to start and to build the case, beside its timing."""
SAMPLE_SECONDS = 2e-3
"""Shorter calls are repeated until a sample is as long as this."""


@dataclass(frozen=True)
class Field:
    """Who takes part in the timing of a pass.

    Args:
        takes_part: the contenders that do.
        calls_per_sample: for each, calls in a row that make one sample.
        left_out: the times of the others' trials, None where it was stopped.
    """

    takes_part: tuple[Contender, ...]
    calls_per_sample: dict[str, int]
    left_out: dict[str, float | None]


def choose_field(case: Case, everyone: Sequence[Contender], part: Pass, threads: int) -> Field:
    """Warm every contender up, time it once or a few times, and leave the slow memory formats out."""
    times: dict[str, float | None] = {}
    defaults: dict[str, float] = {}
    for contender in everyone:
        default = defaults.get(contender.operator)
        if contender.layout == "default":
            defaults[contender.operator] = times[contender.name] = try_out(contender.call(part))
        elif default is not None and default * WORST > BEARABLE:
            times[contender.name] = try_apart(case, contender, part, threads, default)
        else:
            times[contender.name] = try_out(contender.call(part))
    takes_part, calls, left_out = [], {}, {}
    for contender in everyone:
        seconds = times[contender.name]
        if seconds is None or seconds > FAR_SLOWER * defaults.get(contender.operator, math.inf):
            left_out[contender.name] = seconds
        else:
            takes_part.append(contender)
            calls[contender.name] = max(1, round(SAMPLE_SECONDS / seconds))
    return Field(tuple(takes_part), calls, left_out)


def try_out(call: Callable[[], object]) -> float:
    """Return the time of a call: the less of two after a first one, or the first if that takes over a second."""
    first = time_calls(call)
    return first if first > 1.0 else min(time_calls(call) for _ in range(2))


def try_apart(case: Case, contender: Contender, part: Pass, threads: int, default: float) -> float | None:
    """Return the time of a call in a process of its own, or None if it had to be stopped as far too slow."""
    limit = START_SECONDS + 5 * FAR_SLOWER * default
    printed = run_apart("benchmarks.trial", case.name, contender.name, part, threads, seconds=limit)
    return None if printed is None else float(printed)


def main() -> None:
    """Print the time of one contender's trial."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trial", description=main.__doc__)
    parser.add_argument("case", choices=CASES)
    parser.add_argument("contender", help="operator and layout")
    parser.add_argument("part", choices=get_args(Pass))
    parser.add_argument("threads", type=int)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    named = {contender.name: contender for contender in contenders(CASES[options.case])}
    print(try_out(named[options.contender].call(cast(Pass, options.part))))


if __name__ == "__main__":
    main()
