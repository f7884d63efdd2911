"""A pass of a compiled kernel over tensors of any type and memory format."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from typing import NamedTuple

import torch
from torch import Tensor

from lpsc_nd.native.library import Kernels, PassKind
from lpsc_nd.native.structures import LINES, MOST_ROWS, SUMS_BYTES, TOGETHER, Map, Pass, address
from lpsc_nd.pooling import compiled_layout
from lpsc_nd.pooling.compiled_layout import bias_vectors, filled, plain_memory
from lpsc_nd.pooling.compiled_plan import CompiledPlan, compiled_plan
from lpsc_nd.pooling.decided import WithWeights
from lpsc_nd.pooling.layout import empty_sites
from lpsc_nd.pooling.scratch import scratch
from lpsc_nd.pooling.table import compute_dtype
from lpsc_nd.pooling.window import Window

MOST_GRADIENT_BYTES = 2**24
"""Bytes of the gradients of the weights that all threads have together, unless one needs more."""

CONVERTED_ELEMENTS = 2**21
"""Elements of the images whose type is converted at a time: eight MiB in float32."""


class CompiledPass(NamedTuple):
    """A kernel, and its plan for sources of one kind.

    Args:
        kernels: the compiled kernels.
        kind: which of them.
        dtype: type to compute in.
        planned: the plan.
        channels: channels of the source.
        parts: parts of the pass, one for each thread.
    """

    kernels: Kernels
    kind: PassKind
    dtype: torch.dtype
    planned: CompiledPlan
    channels: int
    parts: int

    def run(
        self,
        source: Tensor,
        weights: Tensor | None = None,
        bias: Tensor | None = None,
        output: Tensor | None = None,
        factors: Tensor | None = None,
    ) -> Tensor:
        """Run the pass on tensors of the type to compute in; return the gradients of the weights.

        They are (bags, C, columns) of a mixed pass, (blocks, bags, lanes) of a depthwise one, in whole vectors, and
        nothing without ``factors``.

        Args:
            source: what is summed, (B, C, *in).
            weights: as ``compiled_layout.by_bag`` or ``by_block`` has them.
            bias: in whole vectors, or None.
            output: is written, (B, C', *sites).
            factors: (B, C', *sites), by which the sums are multiplied.
        """
        columns = [0 if map_ is None else self._filled(map_.shape[1]) for map_ in (output, factors)]
        parts = self.parts
        shape = self._gradient_shape(columns[1]) if factors is not None else (0,)
        parts = min(parts, parts_of(math.prod(shape) * self.dtype.itemsize))
        gradients = source.new_empty((parts, *shape))
        if self.planned.plan.boxes == 0:
            return gradients[0].zero_()
        size = self._scratch_size(sum(columns))
        with scratch((parts * size,), self.dtype, source.device) as memory:
            job = Pass(
                plan=ctypes.pointer(self.planned.plan),
                source=ctypes.pointer(Map.of(source)),
                weights=weights if weights is None else address(weights),
                bias=bias if bias is None else address(bias),
                output=None if output is None else ctypes.pointer(Map.of(output)),
                factors=None if factors is None else ctypes.pointer(Map.of(factors)),
                gradients=address(gradients),
                scratch=address(memory),
                scratch_size=size,
                parts=parts,
            )
            if torch.autograd._profiler_enabled():  # type: ignore[attr-defined]
                with torch.autograd.profiler.record_function(f"lpsc::compiled_{self.kind}"):
                    self.kernels.run(self.kind, self.dtype, job)
            else:
                self.kernels.run(self.kind, self.dtype, job)
        return gradients[0] if parts == 1 else gradients.sum(0)

    def _filled(self, channels: int) -> int:
        return filled(channels, self.kernels.lanes(self.dtype))

    def _scratch_size(self, columns: int) -> int:
        lanes = self.kernels.lanes(self.dtype)
        if self.kind == "depthwise":
            rows = 2 * LINES * self.planned.plan.longest_line + self.planned.plan.bags
            return self.planned.table_elements + rows * lanes
        tables = self._filled(self.channels) // lanes * self.planned.table_elements
        bags = max(1, SUMS_BYTES // self.dtype.itemsize // (MOST_ROWS * self.channels))
        sums = (MOST_ROWS + TOGETHER - 1) * (bags * self.channels + lanes)
        return tables + 2 * sums + MOST_ROWS * columns

    def _gradient_shape(self, columns: int) -> tuple[int, ...]:
        bags, lanes = self.planned.plan.bags, self.kernels.lanes(self.dtype)
        if self.kind == "depthwise":
            return columns // lanes, bags, lanes
        return bags, self.channels, columns


def run_pass(
    kind: PassKind,
    window: Window,
    steps: tuple[int, ...],
    source: Tensor,
    weights: Tensor | None = None,
    bias: Tensor | None = None,
    output: Tensor | None = None,
    factors: Tensor | None = None,
) -> Tensor:
    """Run a pass on tensors of any type, which are converted some images at a time.

    Args:
        kind: which kernel.
        window: how the stencil slides over the source.
        steps: distance at which the source's cells are put, with zeros between them.
        source, weights, bias, output, factors: as for :class:`CompiledPass`.
    """
    dtype = compute_dtype(source.dtype)
    source, factors = plain_memory(source), None if factors is None else plain_memory(factors)
    if all(tensor is None or tensor.dtype == dtype for tensor in (source, output, factors)):
        return compiled_pass(kind, window, steps, source).run(source, weights, bias, output, factors)
    total = source.new_zeros((), dtype=dtype)
    for images in _images_at_once(source, output, factors):
        converted = source[images].to(dtype)
        written = None if output is None else torch.empty_like(output[images], dtype=dtype)
        multiplied = None if factors is None else factors[images].to(dtype)
        found = compiled_pass(kind, window, steps, converted).run(converted, weights, bias, written, multiplied)
        if output is not None and written is not None:
            output[images].copy_(written)
        total = total + found
    return total


def prepared(
    kind: PassKind,
    window: Window,
    steps: tuple[int, ...],
    x: Tensor,
    weights: Tensor,
    channels: int,
    sites: tuple[int, ...],
) -> WithWeights:
    """Return a pass over sources of the kind of ``x``, (B, C, *in), from source and bias to (B, C', *sites).

    Args:
        kind, window, steps, weights: as for :func:`run_pass`.
        x: a source.
        channels: channels of the output.
        sites: sites of the output.
    """
    any_type: Callable[..., Tensor] = partial(run_pass, kind, window, steps)
    run = compiled_pass(kind, window, steps, x).run if x.dtype == weights.dtype else any_type

    def convolve(x: Tensor, bias: Tensor | None) -> Tensor:
        y = empty_sites(x, channels, sites)
        run(plain_memory(x), weights, bias_vectors(bias), y)
        return y

    return convolve


def compiled_pass(kind: PassKind, window: Window, steps: tuple[int, ...], source: Tensor) -> CompiledPass:
    """Return the pass of a kernel over sources of this shape, in the type to compute in; arguments as above."""
    return _pass_of(kind, source.dtype, window, steps, tuple(source.shape), torch.get_num_threads())


@lru_cache(maxsize=64)
def _pass_of(
    kind: PassKind, dtype: torch.dtype, window: Window, steps: tuple[int, ...], shape: tuple[int, ...], threads: int
) -> CompiledPass:
    kernels = compiled_layout.KERNELS
    if kernels is None:
        raise RuntimeError("there are no compiled kernels for this processor")
    batch, channels, *size = shape
    lanes, threads = kernels.lanes(dtype), threads if kernels.parallel else 1
    in_table = lanes if kind == "depthwise" else filled(channels, lanes)
    blocks = filled(channels, lanes) // lanes if kind == "depthwise" else 1
    planned = compiled_plan(kind, window, batch, tuple(size), steps, in_table, lanes, dtype.itemsize, threads, blocks)
    return CompiledPass(kernels, kind, dtype, planned, channels, max(1, min(threads, planned.plan.boxes * blocks)))


def parts_of(gradient_bytes: int) -> int:
    """Return among how many threads a pass is shared that adds gradients up, as each has its own until the end."""
    return max(1, MOST_GRADIENT_BYTES // max(1, gradient_bytes))


def _images_at_once(source: Tensor, *others: Tensor | None) -> Iterator[slice]:
    elements = sum(math.prod(tensor.shape[1:]) for tensor in (source, *others) if tensor is not None)
    images = max(1, CONVERTED_ELEMENTS // max(1, elements))
    return (slice(first, first + images) for first in range(0, max(1, len(source)), images))
