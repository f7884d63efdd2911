"""Peak memory of a layer on points beyond what every implementation needs; see :mod:`benchmarks.memory`.

Reported is the peak during the first call on a neighbourhood, less the memory before it (input, parameters, the
neighbourhood and the output's gradient), less the output and, with backward, the gradients.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import cast, get_args

import torch
from torch import Tensor

from benchmarks.apart import run_apart
from benchmarks.memory import ALLOCATOR, MEGABYTE, RESET, STATUS, resident, start_of_peak
from benchmarks.point_cases import POINT_CASES, PointCase
from benchmarks.point_references import kernel_point_conv
from benchmarks.references import Pass

SMALL = POINT_CASES["points-smoke"]
MEASURED = ("ours", "kernel points")


def extra_megabytes(case: PointCase, contender: str, part: Pass, threads: int) -> float | None:
    """Return the peak extra memory in MB, measured in a process of its own; None where it cannot be told."""
    if not (STATUS.exists() and RESET.exists()):
        return None
    printed = run_apart("benchmarks.point_memory", case.name, contender, part, threads, environment=ALLOCATOR)
    return float(json.loads(printed or "null"))


def measure_here(case: PointCase, contender: str, part: Pass) -> float:
    """Return the peak extra memory, in MB of 2^20 bytes, of the first such call in this process."""
    call(SMALL, contender, part)()  # loads the code
    measured = call(case, contender, part)
    before = start_of_peak()
    results = measured()
    return (resident("VmHWM") - before - sum(tensor.nbytes for tensor in results)) / MEGABYTE


def call(case: PointCase, contender: str, part: Pass) -> Callable[[], tuple[Tensor, ...]]:
    """Return the call whose results are the output and, with backward, all gradients."""
    neighborhood = case.neighborhood()
    ours, theirs = case.layer(), kernel_point_conv(case, neighborhood)
    x = torch.randn(case.num_sources, case.channels, requires_grad=True)
    gy = torch.randn(case.num_queries, case.channels)
    inputs = [x, *(ours if contender == "ours" else theirs).parameters()]

    def run() -> Tensor:
        return ours(x, neighborhood) if contender == "ours" else theirs(x)

    def forward() -> tuple[Tensor, ...]:
        with torch.no_grad():
            return (run(),)

    def training() -> tuple[Tensor, ...]:
        y = run()
        return y, *torch.autograd.grad(y, inputs, gy)

    return forward if part == "forward" else training


def main() -> None:
    """Print the peak extra memory of one pass in MB."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.point_memory", description=main.__doc__)
    parser.add_argument("case", choices=POINT_CASES)
    parser.add_argument("contender", choices=MEASURED)
    parser.add_argument("part", choices=get_args(Pass))
    parser.add_argument("threads", type=int)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(json.dumps(measure_here(POINT_CASES[options.case], options.contender, cast(Pass, options.part))))


if __name__ == "__main__":
    main()
