"""Measures cases."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter

import torch

from benchmarks.cases import Case, Quantity
from benchmarks.memory import extra_megabytes
from benchmarks.references import DERIVATIVES, Contender, Pass, contenders
from benchmarks.samples import Samples, interleave
from benchmarks.trial import choose_field

FORWARD_SHARE = 0.4
"""Part of a case's time that goes to the forward pass alone."""
GROWTH_SHARE = 0.3
"""Time of a point of a growth curve, in the time of another case."""

Notify = Callable[[str], None]


@dataclass(frozen=True)
class Settings:
    """How to measure.

    Args:
        threads: threads that PyTorch may use within an operator.
        seconds: time for the repetitions of one case; never fewer than five are made.
        engines: time every engine that can run the case, too.
        memory: measure the peak extra memory, too.
    """

    threads: int = 1
    seconds: float = 8.0
    engines: bool = False
    memory: bool = True


@dataclass(frozen=True)
class Measurement:
    """What was measured of a case.

    Args:
        case: the case.
        engine: the engine that ran our layer.
        forward: times of the forward pass.
        training: times of the forward and backward pass.
        extra: peak extra memory in MB, by pass; empty where it was not measured.
    """

    case: Case
    engine: str
    forward: Samples
    training: Samples
    extra: Mapping[Pass, float] = field(default_factory=dict)

    def value(self, quantity: Quantity) -> float | None:
        """Return the measured value of what a target is about, or None where it was not measured."""
        readers: dict[Quantity, Callable[[], float | None]] = {
            "x dense, forward": lambda: self.forward.ratio("dense", "ours"),
            "x dense, forward + backward": lambda: self.training.ratio("dense", "ours"),
            "x dense in the default layout, forward": self._default_layout,
            "floors, forward": lambda: floors(self.forward),
            "floors, forward + backward": lambda: floors(self.training),
            "extra MB, forward": lambda: self.extra.get("forward"),
            "extra MB, forward + backward": lambda: self.extra.get("forward + backward"),
        }
        return readers[quantity]()

    def _default_layout(self) -> float | None:
        ours = self.forward.best("ours")
        only = Samples({name: self.forward.seconds[name] for name in ("dense, default", ours) if name is not None})
        return only.ratio("dense", "ours")


def floors(samples: Samples) -> float | None:
    """Return our time over that of the faster of the two matrix products, None where they do not apply."""
    ratios = [samples.ratio("ours", operator) for operator in ("mm", "product")]
    return max((ratio for ratio in ratios if ratio is not None), default=None)


def measure(case: Case, settings: Settings, notify: Notify = lambda stage: None) -> Measurement:
    """Measure a case; ``notify`` is told what is being done."""
    notify("building")
    torch.manual_seed(0)
    seconds = settings.seconds * (GROWTH_SHARE if case.is_growth else 1.0)
    with thread_count(settings.threads):
        told = (case.layer().explain(case.input_shape, derivatives).engine for derivatives in DERIVATIVES.values())
        engine = " / ".join(dict.fromkeys(told))
        everyone = contenders(case, engines=settings.engines)
        notify("forward")
        forward = take_turns(case, everyone, "forward", settings.threads, seconds * FORWARD_SHARE)
        notify("forward + backward")
        training = take_turns(case, everyone, "forward + backward", settings.threads, seconds * (1 - FORWARD_SHARE))
    extra: dict[Pass, float] = {}
    if settings.memory and not case.is_growth:
        notify("memory")
        extra = extra_megabytes(case, settings.threads)
    return Measurement(case, engine, forward, training, extra)


def take_turns(case: Case, everyone: Sequence[Contender], part: Pass, threads: int, seconds: float) -> Samples:
    """Time one pass of all contenders in turns; first trials count towards the time."""
    begin = perf_counter()
    chosen = choose_field(case, everyone, part, threads)
    calls = {contender.name: contender.call(part) for contender in chosen.takes_part}
    settle_allocator()
    with no_collection():
        times = interleave(calls, chosen.calls_per_sample, seconds=seconds - (perf_counter() - begin))
    return Samples(times, chosen.left_out)


@contextmanager
def thread_count(threads: int) -> Iterator[None]:
    """Let PyTorch use so many threads within an operator."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def settle_allocator() -> None:
    """Take 31 MiB and give them back, as any training process has done before long.

    The C library's allocator then keeps freed memory, where a fresh process returns it to the system after each call
    and gets it again a page fault at a time, which for small layers can take longer than the layer. It holds for all
    contenders alike.
    """
    torch.zeros(31 * 2**20, dtype=torch.uint8)


@contextmanager
def no_collection() -> Iterator[None]:
    """Collect garbage now and not during the timing."""
    gc.collect()
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
