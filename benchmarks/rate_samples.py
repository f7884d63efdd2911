"""Times of single passes, in every way that there is, beside what the cost model says of each.

The model counts the seconds of all threads together, so what it says of a pass is shared by them here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple
from unittest.mock import patch

import torch
from torch import Tensor

from benchmarks.cases import CASES, Case
from benchmarks.references import FORMATS
from benchmarks.runner import Notify, no_collection, settle_allocator, thread_count
from benchmarks.samples import interleave
from lpsc_nd.pooling import bags, compiled, compiled_costs, compiled_depthwise, costs, depthwise_costs
from lpsc_nd.pooling.costs import seconds_by_way, tile_seconds
from lpsc_nd.pooling.rates import RATES, Rates
from lpsc_nd.pooling.shapes import PASSES, PassName, Shapes

HOPELESS = 8.0
"""Ways that are expected to take this many times as long as the best one are not timed, nor chosen by any fit."""

INNER = (
    Case("conv2d-7x7-maps-of-4", (64, 64, 4, 4), 64, 7, 2, 8),
    Case("conv2d-5x5-32", (32, 32, 16, 16), 32, 5, 2, 6),
    Case("conv2d-9x9-16-batch", (64, 16, 32, 32), 16, 9, 2, 6),
    Case("conv2d-9x9-256", (2, 256, 14, 14), 256, 9, 2, 6),
    Case("conv2d-9x9-64-8", (8, 64, 32, 32), 8, 9, 2, 6),
    Case("conv2d-9x9-256-21", (4, 256, 32, 32), 21, 9, 2, 6),
)
"""Layers as inside of networks and at their ends, beside the cases that are timed for themselves."""

RATE_CASES = (*(case for case in CASES.values() if case.group != "smoke"), *INNER)
"""Cases whose passes are timed."""

Predict = Callable[[Rates], float]


@dataclass(frozen=True)
class Choice:
    """A way to run a pass.

    Args:
        run: runs it.
        predict: what the model says it takes, in seconds, given rates.
    """

    run: Callable[[], object]
    predict: Predict


@dataclass(frozen=True)
class RateSample:
    """A pass of a case, timed in one way.

    Args:
        case: name of the case.
        threads: on how many threads.
        part: which pass.
        way: how it ran.
        seconds: what it took.
        predict: what the model says it takes, given rates.
    """

    case: str
    threads: int
    part: str
    way: str
    seconds: float
    predict: Predict


class Tensors(NamedTuple):
    """What the passes of a case run on.

    Args:
        x: input.
        gy: output gradient.
        weight: folded weights.
        kernel: the dense kernel that they amount to.
    """

    x: Tensor
    gy: Tensor
    weight: Tensor
    kernel: Tensor

    @classmethod
    def of(cls, case: Case) -> Tensors:
        """Draw those of a case, channels last where there is such a format."""
        layer, layout = case.layer(), FORMATS.get(case.ndim, torch.contiguous_format)
        x = torch.randn(case.input_shape).contiguous(memory_format=layout)
        weight = torch.randn(case.out_channels, case.in_channels // case.groups, layer.window.num_bags)
        kernel = layer.dense_weight().detach().contiguous(memory_format=layout)
        return cls(x, torch.randn_like(layer(x)), weight, kernel)


def measure(case: Case, threads: int, seconds: float, notify: Notify = lambda stage: None) -> list[RateSample]:
    """Time every pass of a case in every way, all in turns, for about so long."""
    notify(f"{threads} threads" if threads > 1 else "1 thread")
    torch.manual_seed(0)
    with thread_count(threads), torch.no_grad():
        choices = {f"{part}, {way}": choice for part, way, choice in _choices(case, threads)}
        calls = {name: choice.run for name, choice in choices.items()}
        for call in calls.values():
            call()
        settle_allocator()
        with no_collection():
            times = interleave(calls, {}, seconds=seconds)
    found = []
    for name, choice in choices.items():
        part, _, way = name.partition(", ")
        found.append(RateSample(case.name, threads, part, way, median(times[name]), _shared(choice.predict, threads)))
    return found


def _shared(predict: Predict, threads: int) -> Predict:
    return lambda rates: predict(rates) / threads


def _choices(case: Case, threads: int) -> Iterator[tuple[str, str, Choice]]:
    """Yield passes and ways of a case, those left out that are hopeless beside another."""
    window, tensors = case.layer().window, Tensors.of(case)
    x, gy, weight, _ = tensors
    shapes = Shapes(x.shape[0], x.shape[1], gy.shape[1], case.groups, tuple(x.shape[2:]), threads=threads)
    ways = _depthwise_ways if case.groups > 1 else _whole_ways
    for part in PASSES:
        found = ways(part, case, tensors, shapes)
        least = min((choice.predict(RATES) for choice in found.values()), default=0.0)
        for way, choice in found.items():
            if choice.predict(RATES) < HOPELESS * least:
                yield part, way, choice
    if case.groups == 1:
        yield "kernel", "dense", _kernel(case, shapes)
    if case.stride == 1 and compiled_costs.suits(window, case.groups):

        def together(rates: Rates) -> float:
            return compiled_costs.both_grads(window, shapes, rates)

        yield "both gradients", "compiled", Choice(lambda: compiled.both_grads(x, gy, weight, window), together)


def _dense(part: PassName, case: Case, tensors: Tensors) -> Callable[[], object]:
    """Return a pass of PyTorch's convolution."""
    n, (x, gy, _, kernel) = case.ndim, tensors
    how = ((case.stride,) * n, (case.kernel_size // 2,) * n, (1,) * n, False, (0,) * n, case.groups)
    if part == "forward":
        return lambda: torch.ops.aten.convolution(x, kernel, None, *how)
    mask = [part == "input_grad", part == "weight_grad", False]
    return lambda: torch.ops.aten.convolution_backward(gy, x, kernel, None, *how, mask)


def _whole_ways(part: PassName, case: Case, tensors: Tensors, shapes: Shapes) -> dict[str, Choice]:
    """Return the dense convolution, and the ways of the bag engine."""
    window, (x, gy, weight, _) = case.layer().window, tensors
    size = window.stencil.kernel_size
    runs: dict[PassName, Callable[[], object]] = {
        "forward": lambda: bags.conv(x, weight, None, window, 1),
        "weight_grad": lambda: bags.weight_grad(x, gy, window, 1),
        "input_grad": lambda: bags.input_grad(gy, weight, window, 1, list(x.shape[2:])),
    }

    def in_way(way: str, mixes: bool = False) -> Callable[[], object]:
        def run() -> object:
            with patch.object(bags, "_way", lambda *_: way), patch.object(bags, "mixes_first", lambda *_: mixes):
                return runs[part]()

        return run

    def predicted(way: costs.Way) -> Predict:
        return lambda rates: seconds_by_way(part, window, shapes, rates)[way]

    def in_order(mixes: bool) -> Predict:
        return lambda rates: tile_seconds(part, window, shapes, rates)[mixes]

    found = {
        "dense": Choice(
            _dense(part, case, tensors), lambda rates: costs.dense_pass_seconds(part, window, size, shapes, rates)
        )
    }
    for way in seconds_by_way(part, window, shapes):
        found[way] = Choice(in_way(way), predicted(way))
    found["tiles"] = Choice(in_way("tiles"), in_order(mixes=False))
    if part != "weight_grad":
        found["tiles, mixing first"] = Choice(in_way("tiles", mixes=True), in_order(mixes=True))
    return found


def _kernel(case: Case, shapes: Shapes) -> Choice:
    """Return the writing of a dense kernel, which each pass of the dense expansion is taken to do once."""
    layer, layout = case.layer(), FORMATS.get(case.ndim, torch.contiguous_format)

    def run() -> Tensor:
        return layer.dense_weight().contiguous(memory_format=layout)

    return Choice(run, lambda rates: costs.kernel_seconds(layer.window, shapes, rates))


def _depthwise_ways(part: PassName, case: Case, tensors: Tensors, shapes: Shapes) -> dict[str, Choice]:
    """Return PyTorch's convolution forward, and the compiled kernel; the former's gradients are never waited for."""
    window, (x, gy, weight, _) = case.layer().window, tensors
    channels, sites = shapes.in_channels, gy[:, 0].numel()
    found = {}
    if part == "forward":
        found["dense"] = Choice(
            _dense(part, case, tensors),
            lambda rates: sites * depthwise_costs.convolution_seconds(window, channels, True, rates),
        )
    if compiled_costs.suits_depthwise(window, channels, shapes.out_channels, shapes.groups):
        runs: dict[PassName, Callable[[], object]] = {
            "forward": lambda: compiled_depthwise.conv(x, weight, None, window),
            "weight_grad": lambda: compiled_depthwise.weight_grad(x, gy, window),
            "input_grad": lambda: compiled_depthwise.input_grad(gy, weight, window, tuple(x.shape[2:])),
        }
        found["compiled"] = Choice(
            runs[part], lambda rates: sites * depthwise_costs.kernel_seconds(window, channels, rates)
        )
    return found
