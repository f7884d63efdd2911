"""Where the bag engine's forward pass spends its time by PyTorch's operators, without compiled kernels.

``LPSC_ND_COMPILED=0 python -m benchmarks.parts``; :mod:`benchmarks.kernels` is the same for compiled ones.
"""

from __future__ import annotations

import argparse
import functools
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import median
from time import perf_counter
from typing import Any

import torch
from rich.console import Console

from benchmarks.__main__ import RESULTS, print_rows
from benchmarks.cases import CASES, TARGETS, Case
from benchmarks.machine import describe
from benchmarks.references import FORMATS
from benchmarks.rows import Row
from benchmarks.runner import no_collection, settle_allocator, thread_count
from lpsc_nd._files import write_csv
from lpsc_nd.native.library import SWITCH
from lpsc_nd.pooling import (
    across_images,
    bags,
    compiled_layout,
    mixing,
    onednn,
    product,
    side_by_side,
    site_by_site,
    site_rows,
    whole_images,
)

Stopwatch = defaultdict[str, float]

PARTS: tuple[tuple[str, Any, str], ...] = (
    ("table", bags, "fill_table"),
    ("doublings", bags, "double"),
    ("bag sums", bags, "sum_bags"),
    ("product", product, "product"),
    ("product", product, "multiply_into"),
    ("product", product, "multiply_whole"),
    ("product", onednn, "convolve_into"),
    ("store", mixing.Mixing, "store"),
    ("store", site_rows, "write_rows"),
    ("store", site_rows, "read_by_site"),
    ("table", whole_images, "write_by_site"),
    ("bag sums", whole_images, "sum_bags"),
    ("table", side_by_side, "write_sites_first"),
    ("bag sums", side_by_side, "sum_bags"),
    ("product", side_by_side, "product"),
    ("store", side_by_side, "store"),
    ("bag sums", site_by_site, "sum_bags"),
    ("product", site_by_site, "add_product"),
    ("table", across_images, "fill"),
    ("doublings", across_images, "double"),
    ("bag sums", across_images, "sum_bags"),
    ("product", across_images, "product"),
    ("store", across_images, "store"),
)
"""The functions that are timed, and what they are part of; "store" contains "product"."""

COLUMNS = ("table", "doublings", "bag sums", "product", "output", "rest")


def measure_parts(case: Case, repetitions: int) -> dict[str, float]:
    """Return the median seconds of each part, and of the whole as "total", of one forward pass.

    "output" is what storing takes beside the product, "rest" what no other part holds: Python and allocation.
    """
    layer = case.layer("bags")
    x = torch.randn(case.input_shape)
    if case.ndim in FORMATS:
        x = x.contiguous(memory_format=FORMATS[case.ndim])
    passes: list[Stopwatch] = []
    settle_allocator()
    with torch.no_grad(), no_collection():
        layer(x)
        for _ in range(repetitions):
            watch: Stopwatch = defaultdict(float)
            with stopwatches(watch):
                begin = perf_counter()
                layer(x)
                watch["total"] = perf_counter() - begin
            watch["output"] = watch["store"] - watch["product"]
            watch["rest"] = 2 * watch["total"] - sum(watch[name] for name in ("total", *COLUMNS[:-1]))
            passes.append(watch)
    return {name: median(watch[name] for watch in passes) for name in ("total", *COLUMNS)}


@contextmanager
def stopwatches(watch: Stopwatch) -> Iterator[None]:
    """Add the time spent in each part to ``watch``."""
    originals = [getattr(owner, attribute) for _, owner, attribute in PARTS]
    running: set[str] = set()
    try:
        for original, (name, owner, attribute) in zip(originals, PARTS, strict=True):
            setattr(owner, attribute, timed(original, name, watch, running))
        yield
    finally:
        for original, (_, owner, attribute) in zip(originals, PARTS, strict=True):
            setattr(owner, attribute, original)


def timed(function: Callable[..., Any], name: str, watch: Stopwatch, running: set[str]) -> Callable[..., Any]:
    """Return ``function`` with a stopwatch, which one within another of the same name does not start."""

    @functools.wraps(function)
    def run(*arguments: Any, **options: Any) -> Any:
        if name in running:
            return function(*arguments, **options)
        begin = perf_counter()
        running.add(name)
        try:
            return function(*arguments, **options)
        finally:
            running.remove(name)
            watch[name] += perf_counter() - begin

    return run


def row(case: Case, parts: dict[str, float]) -> Row:
    """Write a case's parts in milliseconds."""
    return {"case": case.title, "ms": f"{parts['total'] * 1e3:.3g}"} | {
        name: f"{parts[name] * 1e3:.2g}" for name in COLUMNS
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the parts of the cases that the bag engine runs; print them and write ``parts.csv``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.parts", description=__doc__)
    parser.add_argument("--case", nargs="+", choices=CASES, metavar="NAME", help="these cases alone")
    parser.add_argument("--repetitions", type=int, default=30)
    options = parser.parse_args(arguments)
    if compiled_layout.KERNELS is not None:
        parser.error(f"this is of PyTorch's operators: set {SWITCH}=0, or see benchmarks.kernels")
    cases = [CASES[name] for name in options.case] if options.case else list(TARGETS)
    machine = describe(1)
    rows = []
    with thread_count(1):
        for case in cases:
            if case.groups == 1 and case.layer().explain(case.input_shape, "none").engine == "bags":
                rows.append(row(case, measure_parts(case, options.repetitions)))
    print_rows(Console(), "Milliseconds of a forward pass, one thread", rows)
    if rows and not options.case:
        write_csv(RESULTS / machine.slug / "parts.csv", rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
