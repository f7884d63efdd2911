"""The bag engine: sums over bags of table rows, tile by tile, each tile going straight into one matrix product.

``torch.embedding_bag`` is the vectorised bag sum. A tile's pooled matrix stays in cache and the whole pooled map never
exists; each matrix is deleted before the next is made, which then lies in the same memory. The input gradient is the
same engine on the reflected stencil; the weight gradient recomputes the tiles. Any number of dimensions. Half precision
is summed in float32.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from lpsc_nd.pooling import (
    across_images,
    compiled,
    compiled_costs,
    compiled_depthwise,
    depthwise,
    mix_first,
    side_by_side,
    site_by_site,
    whole_images,
)
from lpsc_nd.pooling.compiled_pass import CONVERTED_ELEMENTS
from lpsc_nd.pooling.costs import Way, cheapest_way, grads_apart, mixes_first
from lpsc_nd.pooling.decided import WithWeights
from lpsc_nd.pooling.depthwise_costs import by_kernel
from lpsc_nd.pooling.folding import exchanged
from lpsc_nd.pooling.layout import by_site, empty_sites
from lpsc_nd.pooling.mixing import Mixing
from lpsc_nd.pooling.plan import Plan, plan
from lpsc_nd.pooling.run_tables import slab_elements
from lpsc_nd.pooling.scratch import scratch
from lpsc_nd.pooling.shapes import PassName, Shapes
from lpsc_nd.pooling.site_rows import Place, adder, writer
from lpsc_nd.pooling.table import compute_dtype, double, fill_table, spread_size
from lpsc_nd.pooling.transposed import sum_bags, summed_tiles
from lpsc_nd.pooling.window import Window

WAYS: dict[Way, Any] = {
    "across images": across_images,
    "side by side": side_by_side,
    "site by site": site_by_site,
    "whole images": whole_images,
    "compiled": compiled,
}
"""Modules of the ways besides tiles, with the passes of one group of channels."""

Forward = Callable[[Tensor, Tensor, Tensor | None, Window], Tensor]
"""From input, weights (C', C / groups, bags), bias and window to output."""


def conv(x: Tensor, weight: Tensor, bias: Tensor | None, window: Window, groups: int) -> Tensor:
    """Pool and mix: (B, C, *in), (C', C / groups, bags) in the compute type -> (B, C', *out) in the type of ``x``."""
    return forward_of(window, x, weight.shape[0], groups)(x, weight, bias, window)


def forward_of(window: Window, x: Tensor, out_channels: int, groups: int) -> Forward:
    """Return the function that pools and mixes inputs of the kind of ``x``, (B, C, *in), in the cheapest way."""
    ones, shape = (1,) * window.ndim, x.shape
    if depthwise.suits(window, shape[1], out_channels, groups, *depthwise.kind(x)):
        return partial(depthwise.conv, steps=ones)
    if x.is_cpu and by_kernel(window, shape[1], out_channels, groups, depthwise.kind(x)[1]):
        return compiled_depthwise.conv
    way = _way("forward", window, _shapes(shape, out_channels, groups), x)
    if way != "tiles":
        return WAYS[way].conv
    if mixes_first(window, ones, tuple(shape[2:]), shape[1], out_channels, groups):
        return partial(mix_first.conv, steps=ones)
    return partial(_conv_by_tiles, groups=groups)


def with_weights(x: Tensor, weight: Tensor, window: Window, groups: int) -> WithWeights:
    """Return :func:`conv` for inputs of the kind of ``x`` and these weights."""
    run = forward_of(window, x, weight.shape[0], groups)
    for module in (side_by_side, compiled, compiled_depthwise):
        if run is module.conv:
            return module.with_weights(x, weight, window)
    return lambda x, bias: run(x, weight, bias, window)


def _conv_by_tiles(x: Tensor, weight: Tensor, bias: Tensor | None, window: Window, groups: int) -> Tensor:
    y = empty_sites(x, weight.shape[0], window.output_size(x.shape[2:]))
    if window.num_bags == 0:
        return y.copy_(bias.view(-1, *(1,) * window.ndim)) if bias is not None else y.zero_()
    mixing = Mixing(weight.shape[0], x.shape[1], window.num_bags, groups)
    ones = (1,) * window.ndim
    planned = plan_of(x, window, ones)
    write = writer(y, mixing, mixing.to_matrix(weight), bias, planned.in_rows)
    for place, pooled in pooled_tiles(x, window, ones, planned):
        write(place, pooled)
        del pooled
    return y


def input_grad(gy: Tensor, weight: Tensor, window: Window, groups: int, input_size: list[int]) -> Tensor:
    """Carry an output gradient back: (B, C', *out), (C', C / groups, bags) -> (B, C, *in)."""
    adjoint, swapped = window.adjoint(input_size), exchanged(weight, groups)
    if depthwise.suits(window, gy.shape[1], swapped.shape[0], groups, *depthwise.kind(gy)):
        return depthwise.conv(gy, swapped, None, adjoint, window.stride)
    if gy.is_cpu and by_kernel(window, gy.shape[1], swapped.shape[0], groups, depthwise.kind(gy)[1]):
        return compiled_depthwise.input_grad(gy, weight, window, tuple(input_size))
    shape = (gy.shape[0], swapped.shape[0], *input_size)
    way = _way("input_grad", window, _shapes(shape, gy.shape[1], groups), gy)
    if way != "tiles":
        return WAYS[way].input_grad(gy, weight, window, tuple(input_size))
    if mixes_first(adjoint, window.stride, tuple(gy.shape[2:]), gy.shape[1], swapped.shape[0], groups):
        return mix_first.conv(gy, swapped, None, adjoint, window.stride)
    gx = empty_sites(gy, swapped.shape[0], tuple(input_size))
    if window.num_bags == 0:
        return gx.zero_()
    mixing = Mixing(gx.shape[1], gy.shape[1], window.num_bags, groups)
    planned = plan_of(gy, adjoint, window.stride)
    write = writer(gx, mixing, mixing.to_matrix(swapped), None, planned.in_rows)
    for place, pooled in pooled_tiles(gy, adjoint, window.stride, planned):
        write(place, pooled)
        del pooled
    return gx


def weight_grad(x: Tensor, gy: Tensor, window: Window, groups: int) -> Tensor:
    """Return the sum over sites of gy times the pooled input: (C', C / groups, bags), in the compute type.

    It may lie in memory in any order.
    """
    dtype = compute_dtype(x.dtype)
    if window.num_bags == 0:
        return x.new_zeros((gy.shape[1], x.shape[1] // groups, 0), dtype=dtype)
    if x.is_cpu and compiled_costs.suits_depthwise(window, x.shape[1], gy.shape[1], groups):
        return compiled_depthwise.weight_grad(x, gy, window)
    way = way_of_weight_grad(x, gy, window, groups)
    if way != "tiles":
        return WAYS[way].weight_grad(x, gy, window)
    mixing = Mixing(gy.shape[1], x.shape[1], window.num_bags, groups)
    ones = (1,) * window.ndim
    planned = plan_of(x, window, ones)
    total = mixing.zeros(dtype, x.device)
    add = adder(total, gy, mixing, planned.in_rows)
    for place, pooled in pooled_tiles(x, window, ones, planned):
        add(place, pooled)
        del pooled
    return mixing.to_weight(total)


def both_grads(x: Tensor, gy: Tensor, weight: Tensor, window: Window, groups: int) -> tuple[Tensor, Tensor]:
    """Return input and weight gradient of a stride of 1, from one pooling of the output gradient if that is cheaper.

    Pooled through the reflected stencil, gy times the weights is the input gradient, and times x it is the weight
    gradient: sum_s gy[s] pool(x)[s] = sum_p pool^T(gy)[p] x[p]. The latter may lie in memory in any order.
    """
    if window.num_bags == 0:
        return torch.zeros_like(x), torch.zeros_like(weight)
    way = way_of_both(x, gy, window, groups)
    if way is None:
        return input_grad(gy, weight, window, groups, list(x.shape[2:])), weight_grad(x, gy, window, groups)
    if way in ("side by side", "whole images", "compiled"):
        return WAYS[way].both_grads(x, gy, weight, window)
    mixing = Mixing(x.shape[1], gy.shape[1], window.num_bags, groups)
    gx, adjoint = empty_sites(gy, x.shape[1], tuple(x.shape[2:])), window.adjoint(x.shape[2:])
    planned, total = plan_of(gy, adjoint, adjoint.stride), mixing.zeros(weight.dtype, x.device)
    write = writer(gx, mixing, mixing.to_matrix(exchanged(weight, groups)), None, planned.in_rows)
    add = adder(total, x, mixing, planned.in_rows)
    for place, pooled in pooled_tiles(gy, adjoint, adjoint.stride, planned):
        add(place, pooled)
        write(place, pooled)
        del pooled
    return gx, exchanged(mixing.to_weight(total), groups).contiguous()


def way_of_both(x: Tensor, gy: Tensor, window: Window, groups: int) -> Way | None:
    """Return the way in which :func:`both_grads` pools for both, None where each has a pass of its own."""
    shapes = _shapes(x.shape, gy.shape[1], groups)
    if Mixing(x.shape[1], gy.shape[1], window.num_bags, groups).is_depthwise:
        return None
    if x.is_cpu and grads_apart(window, shapes):  # what is counted are the ways of a CPU
        return None
    return _way("weight_grad", window.adjoint(x.shape[2:]), _shapes(gy.shape, x.shape[1], groups), gy)


def way_of_weight_grad(x: Tensor, gy: Tensor, window: Window, groups: int) -> Way:
    """Return the way of :func:`weight_grad`, for windows with bags and channels that are not depthwise."""
    return _way("weight_grad", window, _shapes(x.shape, gy.shape[1], groups), x)


def gradients(
    x: Tensor, gy: Tensor, weight: Tensor, need_x: bool, need_weight: bool, window: Window, groups: int
) -> tuple[Tensor | None, Tensor | None]:
    """Return the gradients of input and weight that are needed, with nothing to differentiate them by."""
    if need_x and need_weight and all(step == 1 for step in window.stride):
        return both_grads(x, gy, weight, window, groups)
    gx = input_grad(gy, weight, window, groups, list(x.shape[2:])) if need_x else None
    return gx, weight_grad(x, gy, window, groups) if need_weight else None


def pool(x: Tensor, window: Window) -> Tensor:
    """Sum every bag at every output site: (B, C, *in) -> (B, C, bags, *out)."""
    sites = window.output_size(x.shape[2:])
    pooled = x.new_zeros((*x.shape[:2], window.num_bags, *sites))
    by_place = pooled.movedim((2, 1), (-2, -1))  # (B, *out, bags, C)
    ones = (1,) * window.ndim
    for place, block in pooled_tiles(x, window, ones, plan_of(x, window, ones)):
        target = by_place[place.box]
        target.copy_(block.view(target.shape))
        del block
    return pooled


def pool_adjoint(z: Tensor, window: Window, input_size: list[int]) -> Tensor:
    """Add every bag's value to each of its cells: (B, C, bags, *out) -> (B, C, *in)."""
    adjoint, channels = window.adjoint(input_size), z.shape[1]
    x = z.new_zeros((*z.shape[:2], *input_size))
    cells = by_site(x)
    rows = z.transpose(1, 2).flatten(1, 2)  # (B, bags * C, *out)

    def fill(table: Tensor, first_image: int, starts: list[int]) -> None:
        fill_table(table, rows[first_image : first_image + table.shape[0]], starts, window.stride)

    shape = (z.shape[0], channels, tuple(z.shape[3:]))
    for step, sums in summed_tiles(fill, *shape, adjoint, window.stride, z.dtype, z.device):
        target = cells[step.place.box]
        target.copy_(sums.view(target.shape))
        del sums
    return x


def plan_of(x: Tensor, window: Window, steps: tuple[int, ...]) -> Plan:
    """Return the plan of :func:`pooled_tiles`."""
    size = spread_size(x.shape[2:], steps)
    padded, sites = window.padded_size(size), window.output_size(size)
    return plan(window, x.shape[0], padded, sites, x.shape[1], str(x.device), slab_elements(window, x.device))


def pooled_tiles(x: Tensor, window: Window, steps: tuple[int, ...], planned: Plan) -> Iterator[tuple[Place, Tensor]]:
    """Yield each tile of a call with its pooled matrix (sites, bags, C), in the compute type.

    Args:
        x: the input, (B, C, *in).
        window: how the stencil slides over it.
        steps: distance at which the cells of x are put, with zeros between them.
        planned: the call's plan.
    """
    channels, bags = x.shape[1], window.num_bags
    most = max((slab.grid.table_rows for slab, _ in planned.slabs), default=0)
    shape = ((planned.doublings + 1) * most, channels)
    with scratch(shape, compute_dtype(x.dtype), x.device) as tables:
        for slab, slab_steps in planned.slabs:
            grid, rows = slab.grid, slab.grid.table_rows
            images = x[slab.corner[0] : slab.corner[0] + grid.batch]
            table = tables[:rows].view(grid.batch, *grid.padded, channels)
            fill_table(table, images, slab.starts(window), steps)
            double(tables, rows, planned.doublings, window.dilation[-1])
            for step in slab_steps:
                near = tables[step.first_row :]
                yield step.place, sum_bags(near, step.indices, step.offsets).view(-1, bags, channels)


def _way(name: PassName, window: Window, shapes: Shapes, like: Tensor) -> Way:
    """Return the way of a pass on tensors of the kind of ``like``.

    All but tiles are laid out for the caches of a CPU, and have their indices there; kernels convert half precision
    image by image, which therefore must not be large.
    """
    if not like.is_cpu:
        return "tiles"
    read, written = math.prod(shapes.size), math.prod(window.output_size(shapes.size))
    elements = shapes.in_channels * read + shapes.out_channels * written
    is_large = like.dtype != compute_dtype(like.dtype) and elements > CONVERTED_ELEMENTS
    return cheapest_way(name, window, shapes, not is_large)


def _shapes(shape: Sequence[int], out_channels: int, groups: int) -> Shapes:
    return Shapes(shape[0], shape[1], out_channels, groups, tuple(shape[2:]))
