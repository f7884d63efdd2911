"""From checked arguments to numbers: batch, pad, choose an engine, run it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial

import torch
from torch import Tensor

from lpsc_nd.geometry import Reduction
from lpsc_nd.pooling import (
    bag_layer,
    bags,
    depthwise,
    derivatives,
    expand,
    inputs,
    maximum,
    pool_derivatives,
    reference,
)
from lpsc_nd.pooling.autocast import cast, is_autocast, without_autocast
from lpsc_nd.pooling.constants import region_divisors
from lpsc_nd.pooling.decided import ConvEngine, Decided
from lpsc_nd.pooling.dispatch import Engine, Problem, fitting_engine
from lpsc_nd.pooling.folding import fold
from lpsc_nd.pooling.kept import folded_of, kernel_of
from lpsc_nd.pooling.layout import memory_format
from lpsc_nd.pooling.padding import PaddingMode, pad
from lpsc_nd.pooling.plain import has_symbols, is_plain, is_traced, is_watched
from lpsc_nd.pooling.repeated import LastCall
from lpsc_nd.pooling.shapes import Derivatives, derivatives_of
from lpsc_nd.pooling.table import compute_dtype
from lpsc_nd.pooling.trim import trimmed
from lpsc_nd.pooling.window import Window

SumEngine = Callable[[Tensor, Tensor, Tensor | None, Window, int], Tensor]
PoolEngine = Callable[[Tensor, Window], Tensor]


def conv(
    x: Tensor,
    weight: Tensor,
    center_weight: Tensor | None,
    bias: Tensor | None,
    window: Window,
    groups: int,
    padding_mode: PaddingMode,
    reduction: Reduction,
    engine: Engine,
    last: LastCall | None = None,
) -> Tensor:
    """Run a layer: ([B,] C, *in), (C', C / groups, R) -> ([B,] C', *out); see ``functional.lps_conv``.

    ``last`` is what the caller remembers of the call before.
    """
    settings, parameters = (window, groups, padding_mode, reduction, engine), (weight, center_weight, bias)
    last = None if torch.compiler.is_compiling() else last
    # a layer has asked before, but for inputs without a batch axis and for computed parameters
    if last is not None and (answer := last.answer(x, parameters, settings)) is not None:
        return answer
    inputs.check_rank(x, window.ndim)
    if x.ndim == window.ndim + 1:
        one = conv(x.unsqueeze(0), *parameters, window, groups, padding_mode, reduction, engine, last)
        return one.squeeze(0)
    autocast = is_autocast(x)
    inputs.check_kind(x, autocast=autocast, weight=weight, center_weight=center_weight, bias=bias)
    inputs.check_channels(x, weight, groups)
    inputs.check_bias(weight, bias)
    padded, window = _pad(x, window, padding_mode)
    decide = _decide if is_traced() or has_symbols(padded.shape) else _decided_before
    sizes, kind = (padded.shape, weight.shape[0], groups), (reduction, x.device.type, derivatives_of(x))
    decided = decide(window, *sizes, *kind, engine)
    with without_autocast(x, autocast=autocast):
        y = decided(cast(padded) if autocast else padded, *parameters)
    if last is not None and padded is x and not (autocast or is_traced() or is_watched()):
        last.learn(x, parameters, settings, decided)
    return y


def pool(x: Tensor, window: Window, padding_mode: PaddingMode, reduction: Reduction, engine: Engine) -> Tensor:
    """Pool every region: ([B,] C, *in) -> ([B,] C, R, *out); see ``functional.log_polar_pool``."""
    inputs.check_rank(x, window.ndim)
    inputs.check_kind(x, autocast=False)
    batched = x if x.ndim == window.ndim + 2 else x.unsqueeze(0)
    batched, window = _pad(batched, window, padding_mode)
    batch, channels, *size = batched.shape
    filters = channels * window.num_bags
    problem = Problem(window, batch, channels, filters, tuple(size), channels, reduction, x.device.type, pools=True)
    run = POOL_ENGINES[reduction == "max"][fitting_engine(problem, engine)]
    with without_autocast(x, autocast=is_autocast(x)):
        sums = run(batched.to(compute_dtype(x.dtype)), window)
    divisors = region_divisors(window.stencil, reduction, sums)
    pooled = (sums / divisors.reshape(-1, *(1,) * window.ndim)).to(x.dtype)
    return pooled if x.ndim == window.ndim + 2 else pooled.squeeze(0)


def _decide(
    window: Window,
    shape: tuple[int, ...],
    out_channels: int,
    groups: int,
    reduction: Reduction,
    device: str,
    derivatives: Derivatives,
    engine: Engine,
) -> Decided:
    """Choose an engine, and leave out the cells of the window that never meet an input of ``shape``.

    Padded zeros take part in a maximum, so that must keep all cells, and so must a traced graph, which serves inputs of
    other sizes; the reference keeps them to stay the definition.
    """
    met = window
    if reduction != "max" and engine != "reference" and not (is_traced() or has_symbols(shape)):
        met = trimmed(window, shape[2:])
    problem = Problem(met, shape[0], shape[1], out_channels, tuple(shape[2:]), groups, reduction, device, derivatives)
    name, whole = fitting_engine(problem, engine), None if met == window or reduction != "mean" else window
    return Decided(name, CONV_ENGINES[reduction == "max"][name], met, groups, reduction, whole)


_decided_before = lru_cache(maxsize=256)(_decide)


def _pad(x: Tensor, window: Window, mode: PaddingMode) -> tuple[Tensor, Window]:
    """Fill the border now unless it is zeros, which every engine adds by itself."""
    if mode == "zeros" or not any(map(any, window.padding)):
        return x, window
    inputs.check_fits(x.shape[2:], window)
    return pad(x, window.padding, mode), replace(window, padding=((0, 0),) * window.ndim)


def _bags_conv(
    x: Tensor,
    weight: Tensor,
    center_weight: Tensor | None,
    bias: Tensor | None,
    window: Window,
    groups: int,
    reduction: Reduction,
) -> Tensor:
    if bag_layer.suits(x, (weight, center_weight, bias)):
        return bag_layer.conv(x, (weight, center_weight, bias), window, groups, reduction)
    dtype = compute_dtype(x.dtype)
    bias = None if bias is None else bias.to(dtype)
    plain = is_plain(x, *(tensor for tensor in (weight, center_weight, bias) if tensor is not None))
    if plain and depthwise.suits(window, x.shape[1], len(weight), groups, *depthwise.kind(x)):
        return depthwise.convolve(x, kernel_of(weight, center_weight, window, reduction, dtype), bias, window)
    if plain:
        return bags.conv(x, folded_of(weight, center_weight, window, reduction, dtype), bias, window, groups)
    folded = fold(weight, center_weight, window.stencil, reduction, dtype)
    return derivatives.conv(x, folded, bias, groups, *window.args)


def _bags_pool(x: Tensor, window: Window) -> Tensor:
    return pool_derivatives.pool(x, *window.args)


def _like_input(run: SumEngine) -> ConvEngine:
    """Let an engine compute in the type of accumulation, and give the type and memory format of the input."""

    def convert(
        x: Tensor,
        weight: Tensor,
        center_weight: Tensor | None,
        bias: Tensor | None,
        window: Window,
        groups: int,
        reduction: Reduction,
    ) -> Tensor:
        folded = fold(weight, center_weight, window.stencil, reduction, compute_dtype(x.dtype))
        y = run(x.to(folded.dtype), folded, None if bias is None else bias.to(folded.dtype), window, groups)
        return y.to(x.dtype).contiguous(memory_format=memory_format(x))

    return convert


CONV_ENGINES: dict[bool, dict[str, ConvEngine]] = {
    False: {"reference": _like_input(reference.conv), "expand": expand.conv, "bags": _bags_conv},
    True: {
        "reference": _like_input(partial(reference.conv, reduction="max")),
        "maximum": _like_input(maximum.conv),
    },
}
"""Engines that add cells (False) and that take maxima (True), by name."""

POOL_ENGINES: dict[bool, dict[str, PoolEngine]] = {
    False: {"reference": reference.pool, "expand": expand.pool, "bags": _bags_pool},
    True: {"reference": partial(reference.pool, reduction="max"), "maximum": maximum.pool},
}
"""The same for pooling alone."""
