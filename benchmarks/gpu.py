"""Measures layers on a GPU beside dense convolutions: ``python -m benchmarks.gpu``.

The layers are those of the table of targets, on batches ``BATCHES`` times as large, since with so little a GPU is idle
most of the time. "float32" is PyTorch's default, in which cuDNN may round what it multiplies to TF32; "bfloat16" is
autocast.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from rich.console import Console
from torch import Tensor, nn

from benchmarks.__main__ import RESULTS, print_rows
from benchmarks.cases import CASES, TARGETS, Case
from benchmarks.machine import slugify
from benchmarks.networks import take_turns
from benchmarks.one_by_one import one_by_one
from benchmarks.references import (
    DERIVATIVES,
    Contender,
    Pass,
    conv_contender,
    dilated_conv,
    engines_of,
    layouts,
    small_conv,
)
from benchmarks.rows import Row
from benchmarks.runner import Notify
from benchmarks.samples import Samples
from benchmarks.threads import SHORT
from lpsc_nd._files import write_csv

BATCHES = 16
PRECISIONS: dict[str, torch.dtype | None] = {"float32": None, "bfloat16": torch.bfloat16}
"""Types of autocast by the name of the column's rows; None is without it."""

RATIOS = {
    "dense": "x dense",
    "small": "x 3^N",
    "dilated": "x dilated",
    "engine expand": "x expand",
    "engine bags": "x bags",
}
"""What columns call the time of a contender over ours."""


@dataclass(frozen=True)
class GpuMeasurement:
    """Times of a case on a device, by precision and pass."""

    case: Case
    samples: dict[str, dict[Pass, Samples]]


def enlarged(case: Case) -> Case:
    """Return a case with a batch ``BATCHES`` times as large, as far as it has less than 128 inputs."""
    batch, *rest = case.input_shape
    return replace(case, input_shape=(batch if batch >= 128 else batch * BATCHES, *rest))


def large_targets() -> list[Case]:
    """Return the targets enlarged; those of large batches are what others become."""
    return [enlarged(case) for case in TARGETS if enlarged(case) != case]


def measure(case: Case, device: str, seconds: float, notify: Notify = lambda stage: None) -> GpuMeasurement:
    """Time everything of a case in turns, for about so long a pass and precision."""
    torch.manual_seed(0)
    samples: dict[str, dict[Pass, Samples]] = {}
    for name, dtype in PRECISIONS.items():
        everyone = contenders(case, device, dtype)
        samples[name] = {}
        for part in DERIVATIVES:
            notify(f"{name}, {part}")
            samples[name][part] = take_turns(everyone, part, seconds)
    return GpuMeasurement(case, samples)


class UnderAutocast(nn.Module):
    """A module whose forward pass runs under autocast to ``dtype``, if there is one."""

    def __init__(self, module: nn.Module, device: str, dtype: torch.dtype | None) -> None:
        super().__init__()
        self.module, self.device, self.dtype = module, device, dtype

    def forward(self, x: Tensor) -> Tensor:
        """Return the module's output."""
        with torch.autocast(self.device, self.dtype, enabled=self.dtype is not None):
            y: Tensor = self.module(x)
        return y


def contenders(case: Case, device: str, dtype: torch.dtype | None) -> list[Contender]:
    """Build the layer, its engines forced by name, and the convolutions beside it, on a device and under autocast."""
    with torch.device(device):
        layer, x = case.layer(), torch.randn(case.input_shape)
        modules = {"ours": layer, "dense": layer.to_conv(), "small": small_conv(case), "dilated": dilated_conv(case)}
        modules |= {f"engine {name}": case.layer(name) for name in engines_of(case)}
        return [
            finishing(conv_contender(name, UnderAutocast(module, device, dtype), x, layout), device)
            for name, module in modules.items()
            for layout in layouts(case)
        ]


def finishing(contender: Contender, device: str) -> Contender:
    """Return the same contender, which waits for the device to finish."""

    def finish(call: Callable[[], object]) -> Callable[[], object]:
        def run() -> object:
            result = call()
            synchronize(device)
            return result

        return run

    passes = {"forward": finish(contender.forward), "training": finish(contender.training)}
    return replace(contender, **passes)  # type: ignore[arg-type]


def synchronize(device: str) -> None:
    """Wait until a device has done what it was given."""
    if device != "cpu":
        torch.get_device_module(device).synchronize()


def rows(measured: GpuMeasurement) -> Iterator[Row]:
    """Write the time of a case and the ratios of others to it, a row for each precision."""
    for precision, passes in measured.samples.items():
        written = {"case": measured.case.title, "precision": precision}
        for part, samples in passes.items():
            best = samples.best("ours")
            written[f"ms ({SHORT[part]})"] = "" if best is None else f"{1e3 * samples.median(best):.3g}"
            for operator, title in RATIOS.items():
                ratio = samples.ratio(operator, "ours")
                written[f"{title} ({SHORT[part]})"] = "" if ratio is None else f"{ratio:.2f}"
        yield written


@contextmanager
def convolutions_tried_out() -> Iterator[None]:
    """Let cuDNN try its algorithms and keep the fastest, as trainers do whose inputs have one size."""
    with torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=True):
        yield


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure cases on the GPU; print them, and write ``gpu.csv`` unless cases are named."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--case", nargs="+", choices=CASES, metavar="NAME", help="these cases alone")
    parser.add_argument("--seconds", type=float, default=1.0, help="time for a pass and precision (default: 1)")
    options = parser.parse_args(arguments)
    if not torch.cuda.is_available():
        parser.error("there is no GPU that PyTorch can use")
    cases = [enlarged(CASES[name]) for name in options.case] if options.case else large_targets()
    console, written, name = Console(), list[Row](), torch.cuda.get_device_name()
    folder = RESULTS / slugify(name)

    def keep(measured: GpuMeasurement) -> None:
        written.extend(rows(measured))
        if not options.case:
            write_csv(folder / "gpu.csv", written)

    def measure_case(case: Case, notify: Notify) -> GpuMeasurement:
        return measure(case, "cuda", options.seconds, notify)

    with convolutions_tried_out():
        one_by_one(cases, measure_case, keep, console)
    print_rows(console, f"{name}, PyTorch {torch.__version__} (x dense: dense time / ours)", written)
    return 0


if __name__ == "__main__":
    sys.exit(main())
