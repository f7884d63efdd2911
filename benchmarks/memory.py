"""Peak memory of a layer's call beyond what every implementation needs.

Each pass runs in a fresh process, whose resident memory is what counts: it holds PyTorch's buffers, the scratch of
the libraries below it, and the engine's index alike, and the first call makes that index. Before the measured call a
small input has gone through the same engine, so that code is loaded, and free memory has gone back to the system.
Reported is the peak during the call, less the memory before it (which holds input, parameters and the output's
gradient), less the padded input, the output and, with backward, the gradients of input and parameters; it is negative
where an engine does without the padded input. The allocator is told to give large blocks back when they are freed.
Only Linux resets and tells the peak (``VmHWM``).
"""

from __future__ import annotations

import argparse
import ctypes
import json
import math
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast, get_args

import torch
from torch import Tensor

from benchmarks.apart import run_apart
from benchmarks.cases import CASES, Case
from benchmarks.references import DERIVATIVES, Pass
from lpsc_nd import LPSConvNd
from lpsc_nd.pooling.dispatch import Engine

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "0"}
"""Settings of the C library: blocks from 64 KiB on are mapped, and unmapped when freed."""
MEGABYTE = 2**20
SMALL = 8  # cells along an axis of the input that loads the code


def extra_megabytes(case: Case, threads: int) -> dict[Pass, float]:
    """Return the peak extra memory of both passes, each in a process of its own; empty where it cannot be told."""
    if not (STATUS.exists() and RESET.exists()):
        return {}
    parts: tuple[Pass, ...] = get_args(Pass)

    def measure(part: Pass) -> float:
        printed = run_apart("benchmarks.memory", case.name, part, threads, environment=ALLOCATOR)
        return float(json.loads(printed or "null"))

    with ThreadPoolExecutor(len(parts)) as pool:
        return dict(zip(parts, pool.map(measure, parts), strict=True))


def measure_here(case: Case, part: Pass) -> float:
    """Return the peak extra memory, in MB of 2^20 bytes, of the first such call in this process."""
    layer, x = case.layer(), torch.randn(case.input_shape, requires_grad=True)
    explanation = layer.explain(case.input_shape, DERIVATIVES[part])
    forced = case.layer(cast(Engine, explanation.engine))
    small = torch.randn((1, case.in_channels, *(min(n, SMALL) for n in case.input_shape[2:])), requires_grad=True)
    gy = torch.randn(explanation.output_shape)
    call(forced, small, torch.ones_like(forced(small)), part)()
    measured = call(layer, x, gy, part)
    before = start_of_peak()
    results = measured()
    peak = resident("VmHWM")
    due = [*results, x.new_empty(layer.window.padded_size(x.shape[2:]) + x.shape[:2], device="meta")]
    return (peak - before - sum(tensor.nbytes for tensor in due)) / MEGABYTE


def call(layer: LPSConvNd, x: Tensor, gy: Tensor, part: Pass) -> Callable[[], tuple[Tensor, ...]]:
    """Return the call whose results are the output and, with backward, all gradients."""

    def forward() -> tuple[Tensor, ...]:
        with torch.no_grad():
            return (layer(x),)

    def training() -> tuple[Tensor, ...]:
        y = layer(x)
        return y, *torch.autograd.grad(y, [x, *layer.parameters()], gy)

    return forward if part == "forward" else training


def start_of_peak() -> int:
    """Give free memory back, forget the peak so far, and return the bytes now resident."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    RESET.write_text("5")
    return resident("VmRSS")


def resident(entry: str) -> int:
    """Return an entry of the process's status in bytes.

    Raises:
        RuntimeError: there is no such entry.
    """
    found = re.search(rf"^{entry}:\s+(\d+) kB$", STATUS.read_text(), re.MULTILINE)
    if found is None:
        raise RuntimeError(f"the system tells no {entry}")
    return int(found[1]) * 1024


def main() -> None:
    """Print the peak extra memory of one pass in MB."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=main.__doc__)
    parser.add_argument("case", choices=CASES)
    parser.add_argument("part", choices=get_args(Pass))
    parser.add_argument("threads", type=int)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    value = measure_here(CASES[options.case], cast(Pass, options.part))
    print(json.dumps(value if math.isfinite(value) else None))


if __name__ == "__main__":
    main()
