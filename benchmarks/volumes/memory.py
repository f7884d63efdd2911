"""Peak memory of a training step beyond what is there before it: activations, gradients and scratch.

It is measured as for single layers (:mod:`benchmarks.memory`): in a fresh process, by its resident memory, after a step
on a small input has loaded the code and made the optimizer's state.
"""

from __future__ import annotations

import argparse
import json
from typing import get_args

import torch

from benchmarks.apart import run_apart
from benchmarks.memory import ALLOCATOR, MEGABYTE, RESET, STATUS, resident, start_of_peak
from benchmarks.references import Layout
from benchmarks.volumes.calls import arrange, arranged_input, training
from benchmarks.volumes.cases import VOLUME_CASES, VolumeCase

SMALL = 16  # cells along an axis of the input that loads the code


def peak_megabytes(case: VolumeCase, name: str, layout: Layout, threads: int) -> float | None:
    """Return the peak extra memory in MB, measured in a process of its own; None where it cannot be told."""
    if not (STATUS.exists() and RESET.exists()):
        return None
    printed = run_apart("benchmarks.volumes.memory", case.name, name, layout, threads, environment=ALLOCATOR)
    return float(json.loads(printed or "null"))


def measure_here(case: VolumeCase, name: str, layout: Layout) -> float:
    """Return the peak extra memory of the first step on the case's input in this process, in MB of 2^20 bytes."""
    module = arrange(case.build(name), layout)
    small = torch.randn(case.input_shape[:2] + tuple(min(n, SMALL) for n in case.input_shape[2:]))
    training(module, arranged_input(small, layout))()
    call = training(module, arranged_input(torch.randn(case.input_shape), layout))
    before = start_of_peak()
    results = call()
    peak = resident("VmHWM")
    del results
    return (peak - before) / MEGABYTE


def main() -> None:
    """Print the peak extra memory of one training step in MB."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.volumes.memory", description=main.__doc__)
    parser.add_argument("case", choices=VOLUME_CASES)
    parser.add_argument("name", help="ours, or a rival")
    parser.add_argument("layout", choices=get_args(Layout))
    parser.add_argument("threads", type=int)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(json.dumps(measure_here(VOLUME_CASES[options.case], options.name, options.layout)))


if __name__ == "__main__":
    main()
