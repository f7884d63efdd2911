"""The maximum over each bag of a point set: find the largest source without a graph, then one differentiable gather."""

from __future__ import annotations

import torch
from torch import Tensor


def pool(x: Tensor, indptr: Tensor, indices: Tensor) -> Tensor:
    """Take the maximum of every bag: (S, C) -> (bags, C); 0 for an empty bag.

    Of equal sources the first in the bag gets the whole gradient; NaN counts as largest.
    """
    with torch.no_grad():
        entry = _first_largest(x.detach(), indptr, indices)
        source = torch.cat([indices, indices.new_full((1,), x.shape[0])])[entry]
    return torch.cat([x, x.new_zeros((1, x.shape[1]))]).gather(0, source)


def _first_largest(x: Tensor, indptr: Tensor, indices: Tensor) -> Tensor:
    """Return which entry is the first largest of each bag and channel, (bags, C); the number of entries if none."""
    size, num_bags = indices.shape[0], indptr.shape[0] - 1
    bag = torch.arange(num_bags, device=x.device).repeat_interleave(indptr.diff(), output_size=size)
    values = x.index_select(0, indices)  # (E, C)
    into = bag[:, None].expand_as(values)
    largest = values.new_full((num_bags, x.shape[1]), -torch.inf).scatter_reduce(0, into, values, "amax")
    attains = (values == largest.index_select(0, bag)) | values.isnan()
    entry = torch.where(attains, torch.arange(size, device=x.device)[:, None], size)
    return entry.new_full(largest.shape, size).scatter_reduce(0, into, entry, "amin")
