"""The engine for point sets: sums over bags of sources, block by block, each block going into one matrix product.

``torch.embedding_bag`` is the bag sum, and weighs each entry with 1 / count where the mean is wanted. A block's pooled
matrix stays in cache; the whole pooled map, queries times regions times channels, never exists. The input gradient is
the same engine on the transposed bags; the weight gradient pools anew. Where results are far more than the rows that
they are made of, as in the input gradient of a layer with few queries, the rows are mixed first and then summed. Half
precision is summed in float32. No result depends on an order that could change from run to run.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from lpsc_nd.pooling.folding import exchanged
from lpsc_nd.pooling.gpu_sizes import times_larger
from lpsc_nd.pooling.mixing import Mixing
from lpsc_nd.pooling.point_plan import Bags, Links, plan
from lpsc_nd.pooling.product import product
from lpsc_nd.pooling.site_rows import Place, adder, place_of, writer
from lpsc_nd.pooling.table import compute_dtype

BLOCK_ELEMENTS = 2**18
"""Values in the pooled matrix of a block, about: 1 MiB in float32."""
FAR_FEWER = 1.5
"""Rows so many times fewer than the results are mixed first."""
MIXED_ELEMENTS = 2**22
"""Most values that are mixed before they are summed: 16 MiB in float32."""
LEAST_CHANNELS = 8
"""Where not even so many channels at a time fit in that, results are pooled first."""


def conv(x: Tensor, weight: Tensor, bias: Tensor | None, links: Links, groups: int) -> Tensor:
    """Pool and mix: (S, C), (C', C / groups, bags) in the compute type -> (Q, C') in the type of ``x``."""
    bags = plan(links, len(x), compute_dtype(x.dtype)).by_query
    return _mixed(x, weight, bias, bags, groups)


def input_grad(gy: Tensor, weight: Tensor, links: Links, groups: int, num_sources: int) -> Tensor:
    """Carry an output gradient back: (Q, C'), (C', C / groups, bags) -> (S, C)."""
    bags = plan(links, num_sources, compute_dtype(gy.dtype)).by_source
    return _mixed(gy, exchanged(weight, groups), None, bags, groups)


def weight_grad(x: Tensor, gy: Tensor, links: Links, groups: int) -> Tensor:
    """Return the sum over queries of gy times the pooled sources: (C', C / groups, bags), in the compute type."""
    arranged = plan(links, len(x), compute_dtype(x.dtype))
    if FAR_FEWER * len(x) < len(gy):
        return exchanged(_products(gy, x, arranged.by_source, groups), groups).contiguous()
    return _products(x, gy, arranged.by_query, groups)


def _products(table: Tensor, values: Tensor, bags: Bags, groups: int) -> Tensor:
    """Sum over results the products of their values and their pooled rows: (channels of values, table's / G, bags)."""
    mixing = Mixing(values.shape[1], table.shape[1], bags.num_bags, groups)
    total = mixing.zeros(compute_dtype(table.dtype), table.device)
    add = adder(total, _as_map(values), mixing, in_rows=True)
    for place, pooled in _pooled_blocks(table, bags):
        add(place, pooled)
        del pooled
    return mixing.to_weight(total)


def _mixed(table: Tensor, weight: Tensor, bias: Tensor | None, bags: Bags, groups: int) -> Tensor:
    y = table.new_empty((bags.num_rows, weight.shape[0]))
    if bags.num_bags == 0:
        return y.zero_() if bias is None else y.copy_(bias.expand_as(y))
    channels = times_larger(table.device) * MIXED_ELEMENTS // max(1, len(table) * bags.num_bags)
    if groups == 1 and FAR_FEWER * len(table) < bags.num_rows and channels >= LEAST_CHANNELS:
        return _mix_then_sum(y, table, weight, bias, bags, channels)
    mixing = Mixing(weight.shape[0], table.shape[1], bags.num_bags, groups)
    write = writer(_as_map(y), mixing, mixing.to_matrix(weight), bias, in_rows=True)
    for place, pooled in _pooled_blocks(table, bags):
        write(place, pooled)
        del pooled
    return y


def _mix_then_sum(y: Tensor, table: Tensor, weight: Tensor, bias: Tensor | None, bags: Bags, channels: int) -> Tensor:
    """Multiply every row of the table with every bag's weights, and sum what belongs together, some channels a time."""
    table, joined = table.to(weight.dtype), bags.joined
    for start in range(0, len(weight), channels):
        part = weight[start : start + channels]  # (c, C, bags)
        mixed = product(table, part.permute(2, 0, 1).flatten(0, 1)).view(-1, len(part))  # (rows * bags, c)
        sums = _sum_bags(mixed, joined.indices, joined.offsets, joined.weights)
        y[:, start : start + channels] = sums if bias is None else sums.add_(bias[start : start + channels])
        del mixed, sums
    return y


def _as_map(values: Tensor) -> Tensor:
    """Return the values of points (N, C) as those of a line of sites, channels last, (1, C, N)."""
    return values.T.unsqueeze(0)


def _pooled_blocks(table: Tensor, bags: Bags) -> Iterator[tuple[Place, Tensor]]:
    """Yield blocks of results with their pooled matrix (rows, bags, channels), in the compute type."""
    if 0 in (bags.num_rows, bags.num_bags):
        return
    table = table.to(compute_dtype(table.dtype)).contiguous()
    step = max(1, times_larger(table.device) * BLOCK_ELEMENTS // (bags.num_bags * max(1, table.shape[1])))
    starts = list(range(0, bags.num_rows, step))
    stops = [*starts[1:], bags.num_rows]
    rows = torch.tensor([*starts, bags.num_rows], device=bags.offsets.device)
    borders = bags.offsets[rows * bags.num_bags].tolist()
    for start, stop, first, last in zip(starts, stops, borders, borders[1:], strict=False):
        offsets = bags.offsets[start * bags.num_bags : stop * bags.num_bags + 1] - first
        weights = None if bags.weights is None else bags.weights[first:last]
        shape = (stop - start, bags.num_bags, table.shape[1])
        place = place_of((slice(0, 1), slice(start, stop)), (1, bags.num_rows))
        yield place, _sum_bags(table, bags.indices[first:last], offsets, weights).view(shape)


def _sum_bags(table: Tensor, indices: Tensor, offsets: Tensor, weights: Tensor | None) -> Tensor:
    return torch.embedding_bag(table, indices, offsets, mode=0, include_last_offset=True, per_sample_weights=weights)[0]
