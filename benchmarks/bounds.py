"""How much faster than the dense convolution a layer could be at the best by PyTorch's operators.

``LPSC_ND_COMPILED=0 python -m benchmarks.bounds``; :mod:`benchmarks.kernels` is the same for compiled kernels.

What a layer cannot do without is timed alone, each part at its best:

- the product of pooled values and weights, once forward and three times with backward, on blocks of pooled values that
  are there already and stay in cache; for depthwise layers the weighted sum of each channel's values, in the faster of
  two ways;
- the bag sums, by the operation that sums them, as many and as long, every row read from a table of 16 KiB, which stays
  in the first-level cache: once forward and twice with backward, whose two gradients share one pooling;
- where the regions are written into a dense kernel, that product into memory that is there, and the convolution.

"Best" is the dense time over the sum of these: no table, tiling or dispatch reaches more with these operations. Filling
tables, doubling them, storing the output and Python are left out. "From own tables" has, instead of the sums in the
first-level cache, the pooling as the layer does it: its tables, where it needs any, filled and doubled, and the sums
from them, wherever in the caches they are. It is the only bound where rows hold several images, as those are not the
rows of tiles. Forward and backward are bounded where the bag engine runs both and the stride is 1.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import torch
from rich.console import Console

from benchmarks.__main__ import RESULTS, print_rows
from benchmarks.bound_parts import hot_product, hot_sums, hot_weightings, own_pooling, part, write_kernel
from benchmarks.cases import CASES, TARGETS, Case, Quantity
from benchmarks.machine import describe
from benchmarks.references import DERIVATIVES, Contender, conv_contender, layouts
from benchmarks.rows import Row
from benchmarks.runner import take_turns, thread_count
from benchmarks.samples import Samples
from lpsc_nd._files import write_csv
from lpsc_nd.native.library import SWITCH
from lpsc_nd.pooling import compiled_layout


def bound_contenders(case: Case) -> list[Contender]:
    """Build the dense convolution and the parts that a pass of the layer needs."""
    layer = case.layer()
    x = torch.randn(case.input_shape)
    dense = [conv_contender("dense", layer.to_conv(), x, layout) for layout in layouts(case)]
    if layer.explain(case.input_shape, "none").engine == "expand":
        return [*dense, part("kernel", write_kernel(case))]
    sums = [part("bag sums", hot_sums(case), times=2), part("pooling", own_pooling(case), times=2)]
    if case.groups > 1:
        return [*dense, *sums, *(part("product", run, layout=way) for way, run in hot_weightings(case).items())]
    return [*dense, *sums, part("product", hot_product(case), times=3)]


def bounds_backward(case: Case) -> bool:
    """Tell whether forward and backward consist of the parts that are timed."""
    engines = {case.layer().explain(case.input_shape, kind).engine for kind in DERIVATIVES.values()}
    return case.groups == case.stride == 1 and engines == {"bags"} and case.in_channels == case.out_channels


def row(case: Case, forward: Samples, training: Samples | None = None) -> Row:
    """Write a case's parts in milliseconds, and how many times dense it could be, forward and with backward."""
    times = {name: milliseconds(forward, name) for name in ("dense", "kernel", "bag sums", "pooling", "product")}
    written = {f"{name} ms": "–" if value is None else f"{value:.3g}" for name, value in times.items()}
    passes: dict[Quantity, tuple[str, Samples | None]] = {
        "x dense, forward": ("fwd", forward),
        "x dense, forward + backward": ("fwd+bwd", training),
    }
    for quantity, (short, samples) in passes.items():
        written[f"best ({short})"] = _number(best_ratio(samples, "bag sums"))
        written[f"from own tables ({short})"] = _number(best_ratio(samples, "pooling"))
        written[f"target ({short})"] = _target(case, quantity)
    return {"case": case.title, **written}


def measure(case: Case, seconds: float) -> Row:
    """Time the parts of a case, for at least so many seconds."""
    parts = bound_contenders(case)
    forward = take_turns(case, parts, "forward", 1, seconds)
    if not bounds_backward(case):
        return row(case, forward)
    with torch.enable_grad():
        return row(case, forward, take_turns(case, parts, "forward + backward", 1, seconds))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the bounds of cases; print them, and write ``bounds.csv`` unless cases are named."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bounds", description=__doc__)
    parser.add_argument("--case", nargs="+", choices=CASES, metavar="NAME", help="these cases alone")
    parser.add_argument("--seconds", type=float, default=4.0, help="time for a pass (default: 4)")
    options = parser.parse_args(arguments)
    if compiled_layout.KERNELS is not None:
        parser.error(f"this is of PyTorch's operators: set {SWITCH}=0, or see benchmarks.kernels")
    cases = [CASES[name] for name in options.case] if options.case else list(TARGETS)
    rows = []
    with thread_count(1), torch.no_grad():
        for case in cases:
            rows.append(measure(case, options.seconds))
    print_rows(Console(), "What a layer cannot do without, one thread", rows)
    if not options.case:
        write_csv(RESULTS / describe(1).slug / "bounds.csv", rows)
    return 0


def best_ratio(samples: Samples | None, pooling: str) -> float | None:
    """Return the dense time over that of what is needed, or None where it was not measured.

    Args:
        samples: what was timed.
        pooling: the part that counts as the pooling; where a kernel is written, the convolution counts instead.
    """
    if samples is None:
        return None
    kernel, dense = milliseconds(samples, "kernel"), milliseconds(samples, "dense") or 0.0
    needed = [kernel, milliseconds(samples, pooling), milliseconds(samples, "product"), dense if kernel else None]
    return dense / sum(part for part in needed if part)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _target(case: Case, quantity: Quantity) -> str:
    return next((str(target) for target in case.targets if target.quantity == quantity), "–")


def milliseconds(samples: Samples, operator: str) -> float | None:
    """Return the median time of an operator in its best layout, or None where it was not timed."""
    best = samples.best(operator)
    return None if best is None else samples.median(best) * 1e3


if __name__ == "__main__":
    sys.exit(main())
