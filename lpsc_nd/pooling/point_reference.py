"""The definition on point sets: gather every neighbour, add it to its bag, divide, mix the bags. No tricks.

The engine is tested against this one. Gradients of any order are PyTorch's own.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lpsc_nd.geometry import Reduction
from lpsc_nd.pooling import point_maximum
from lpsc_nd.pooling.point_plan import Links


def conv(
    x: Tensor, weight: Tensor, bias: Tensor | None, links: Links, groups: int, reduction: Reduction = "sum"
) -> Tensor:
    """Pool, then mix: (S, C), (C', C / groups, bags) -> (Q, C')."""
    pooled = pool(x, links, reduction).unflatten(2, (groups, x.shape[1] // groups))  # (Q, bags, G, C / G)
    grouped = weight.unflatten(0, (groups, weight.shape[0] // groups))  # (G, C' / G, C / G, bags)
    y = torch.einsum("qbgc,gocb->qgo", pooled, grouped).flatten(1)
    return y if bias is None else y + bias


def pool(x: Tensor, links: Links, reduction: Reduction = "sum") -> Tensor:
    """Pool every bag: (S, C) -> (Q, bags, C); 0 for an empty one, and for the centre of a query without one.

    Args:
        x: values of the sources.
        links: the neighbourhood, and whether sums are divided by what is there.
        reduction: "max", or "sum" (also for the mean, which is in ``links`` or in the weights).
    """
    regions = _pool_regions(x, links, reduction).unflatten(0, (links.num_queries, links.num_regions))
    if not links.center:
        return regions
    padded = torch.cat([x, x.new_zeros((1, x.shape[1]))])
    where = torch.where(links.centers < 0, x.shape[0], links.centers)
    return torch.cat([regions, padded.index_select(0, where)[:, None]], dim=1)


def _pool_regions(x: Tensor, links: Links, reduction: Reduction) -> Tensor:
    if reduction == "max":
        return point_maximum.pool(x, links.indptr, links.indices)
    counts = links.indptr.diff()
    bag = torch.arange(counts.shape[0], device=x.device)
    bag = bag.repeat_interleave(counts, output_size=links.indices.shape[0])
    gathered = x.index_select(0, links.indices)  # (E, C)
    sums = x.new_zeros((counts.shape[0], x.shape[1])).index_add(0, bag, gathered)
    return sums / counts.clamp(min=1)[:, None] if links.mean else sums
