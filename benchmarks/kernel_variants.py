"""Compiled passes that leave something out, so that differences tell what each part of a pass takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from benchmarks.cases import Case
from benchmarks.references import FORMATS
from lpsc_nd.native.structures import Plan
from lpsc_nd.pooling.compiled_costs import suits_depthwise
from lpsc_nd.pooling.compiled_layout import by_bag, by_block
from lpsc_nd.pooling.compiled_pass import CompiledPass, compiled_pass
from lpsc_nd.pooling.compiled_plan import CompiledPlan, pointer
from lpsc_nd.pooling.costs import cheapest_way
from lpsc_nd.pooling.depthwise_costs import by_kernel
from lpsc_nd.pooling.folding import fold
from lpsc_nd.pooling.layout import empty_sites
from lpsc_nd.pooling.shapes import PASSES, Shapes

Variant = Literal["whole", "at best", "without sums", "without bags"]
VARIANTS: tuple[Variant, ...] = get_args(Variant)
"""The pass itself; with every tap the first cell of a table, so that sums are made from the first-level cache; without
any tap; and without any bag, so that only tables are filled and outputs written."""

Runs = dict[Variant, Callable[[], Tensor]]


def is_compiled(case: Case) -> bool:
    """Tell whether compiled kernels run all passes of a case."""
    window = case.layer().window
    channels = (case.in_channels, case.out_channels, case.groups)
    if suits_depthwise(window, *channels):
        return by_kernel(window, *channels, True)
    shapes = Shapes(case.input_shape[0], *channels, case.input_shape[2:])
    return all(cheapest_way(name, window, shapes) == "compiled" for name in PASSES)


def forward_runs(case: Case) -> Runs:
    """Return the forward pass of a case in each variant, on an input that lies channels last."""
    layer, x = case.layer(), _input(case)
    folded = fold(layer.weight, layer.center_weight, layer.stencil, "mean", x.dtype).detach()
    depthwise = case.groups > 1
    weights = by_block(folded) if depthwise else by_bag(folded, (2, 1, 0))
    run = compiled_pass("depthwise" if depthwise else "mixed", layer.window, (1,) * case.ndim, x)
    y = empty_sites(x, case.out_channels, layer.window.output_size(x.shape[2:]))
    return {variant: partial(each.run, x, weights, None, y) for variant, each in variants(run).items()}


def gradient_runs(case: Case) -> Runs:
    """Return the pass that gives both gradients of a case with a stride of 1, or, depthwise, the two that give them."""
    layer, x = case.layer(), _input(case)
    window, ones = layer.window, (1,) * case.ndim
    folded = fold(layer.weight, layer.center_weight, layer.stencil, "mean", x.dtype).detach()
    gy = torch.randn_like(empty_sites(x, case.out_channels, window.output_size(x.shape[2:])))
    adjoint, gx = window.adjoint(x.shape[2:]), torch.empty_like(x)
    if case.groups > 1:
        weights = by_block(folded)
        back = variants(compiled_pass("depthwise", adjoint, ones, gy))
        of_weights = variants(compiled_pass("depthwise", window, ones, x))
        calls = {
            v: (partial(back[v].run, gy, weights, None, gx), partial(of_weights[v].run, x, factors=gy))
            for v in VARIANTS
        }
        return {variant: partial(_both, *both) for variant, both in calls.items()}
    weights = by_bag(folded, (2, 0, 1))
    runs = variants(compiled_pass("mixed", adjoint, ones, gy))
    return {variant: partial(each.run, gy, weights, None, gx, x) for variant, each in runs.items()}


def variants(run: CompiledPass) -> dict[Variant, CompiledPass]:
    """Return a pass, and what leaves parts of it out."""
    planned = run.planned
    changed = {
        "whole": planned,
        "at best": _with_arrays(planned, ("taps", "row_taps")),
        "without sums": _with_arrays(planned, ("bag_starts", "row_starts")),
        "without bags": replace(planned, plan=_changed(planned.plan, bags=0, visits=0)),
    }
    return {variant: run._replace(planned=changed[variant]) for variant in VARIANTS}


def _with_arrays(planned: CompiledPlan, zeroed: tuple[str, ...]) -> CompiledPlan:
    """Return a plan some of whose arrays are all zero."""
    zeros = {name: np.zeros(len(planned.arrays[name]), dtype=np.int32) for name in zeroed}
    plan = _changed(planned.plan, **{name: pointer(array) for name, array in zeros.items()})
    return replace(planned, plan=plan, arrays={**planned.arrays, **zeros})


def _changed(plan: Plan, **members: object) -> Plan:
    copy = Plan.from_buffer_copy(plan)
    for name, value in members.items():
        setattr(copy, name, value)
    return copy


def _both(first: Callable[[], Tensor], second: Callable[[], Tensor]) -> Tensor:
    first()
    return second()


def _input(case: Case) -> Tensor:
    x = torch.randn(case.input_shape)
    return x.contiguous(memory_format=FORMATS[case.ndim]) if case.ndim in FORMATS else x
