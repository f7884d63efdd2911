"""A neighbourhood arranged for the point engine: by query for pooling, by source for the way back.

A *bag* is the set of sources that are summed for one weight: one bag for each query and region, and, where the centre
has a weight, one more that holds the query's centre alone. Arranging takes time linear in the neighbours; the result
is kept as long as the neighbourhood's ``indices`` live, so that all layers and steps on one neighbourhood share it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from lpsc_nd.pooling.transpose import transpose


class Links(NamedTuple):
    """A neighbourhood as plain arguments of an operator, and how it is summed.

    Args:
        indptr: (Q * R + 1,); bag b = query * R + region - 1 holds ``indices[indptr[b]:indptr[b + 1]]``.
        indices: (E,), numbers of sources.
        centers: (Q,), the source at each query, or -1.
        num_regions: R.
        center: whether the centre is a bag, the last one.
        mean: whether a bag's sum is divided by the number of its sources.
    """

    indptr: Tensor
    indices: Tensor
    centers: Tensor
    num_regions: int
    center: bool
    mean: bool

    @property
    def num_queries(self) -> int:
        """Q."""
        return self.centers.shape[0]

    @property
    def num_bags(self) -> int:
        """Bags of a query: regions, and the centre if it counts."""
        return self.num_regions + self.center


@dataclass(frozen=True)
class Bags:
    """Sums of rows of a table, ``num_bags`` of them for each of ``num_rows`` results.

    Args:
        offsets: (num_rows * num_bags + 1,), where each bag's entries begin.
        indices: (entries,), rows of the table.
        weights: (entries,), by what each is multiplied, or None for 1.
        num_rows: results.
        num_bags: sums of each result.
    """

    offsets: Tensor
    indices: Tensor
    weights: Tensor | None
    num_rows: int
    num_bags: int

    @property
    def bag_of_entries(self) -> Tensor:
        """The bag of each entry, (entries,), numbered through all results."""
        bag = torch.arange(self.num_rows * self.num_bags, dtype=self.indices.dtype, device=self.indices.device)
        return bag.repeat_interleave(self.offsets.diff(), output_size=self.indices.numel())

    @cached_property
    def joined(self) -> Bags:
        """One bag for each result, over a table that has a row for each (row, bag): what is summed if mixed first."""
        indices = self.indices * self.num_bags + self.bag_of_entries % self.num_bags
        return Bags(self.offsets[:: self.num_bags].contiguous(), indices, self.weights, self.num_rows, 1)


@dataclass(frozen=True)
class Plan:
    """Both arrangements of a neighbourhood, each made when it is first asked for.

    Args:
        links: the neighbourhood.
        num_sources: S.
        dtype: type in which sums are accumulated.
    """

    links: Links
    num_sources: int
    dtype: torch.dtype

    @cached_property
    def by_query(self) -> Bags:
        """Bags of sources, for each query."""
        counts, indices = _with_centers(self.links) if self.links.center else _regions_alone(self.links)
        rows = max(self.num_sources, self.links.num_queries)
        kind = _index_type(indices.numel(), rows * (self.links.num_bags + 1))
        weights = None
        if self.links.mean:
            weights = counts.to(self.dtype).reciprocal().repeat_interleave(counts, output_size=indices.numel())
        return Bags(_starts(counts, kind), indices.to(kind), weights, self.links.num_queries, self.links.num_bags)

    @cached_property
    def by_source(self) -> Bags:
        """Bags of queries, for each source: the transpose. Each bag is ascending."""
        bags = self.by_query
        key = bags.indices * bags.num_bags + bags.bag_of_entries % max(bags.num_bags, 1)
        queries = bags.offsets[:: max(bags.num_bags, 1)]
        starts, owners, weights = transpose(queries, key, bags.weights, self.num_sources * bags.num_bags)
        return Bags(starts, owners, weights, self.num_sources, bags.num_bags)


def _regions_alone(links: Links) -> tuple[Tensor, Tensor]:
    """Return the number of entries of every bag, query by query, and the entries."""
    return links.indptr.diff(), links.indices


def _with_centers(links: Links) -> tuple[Tensor, Tensor]:
    """Return the same with each query's centre behind its regions."""
    indptr, indices, centers, num_regions, *_ = links
    has = centers >= 0
    counts = torch.cat([indptr.diff().view(len(centers), num_regions), has[:, None]], dim=1).flatten()
    first = indptr[num_regions * torch.arange(len(centers) + 1, device=indptr.device)]  # of each query's entries
    before = torch.cat([indptr[:1], has.cumsum(0)])  # centres of the queries before
    merged = indices.new_empty(indices.numel() + int(before[-1]))
    shift = before[:-1].repeat_interleave(first.diff(), output_size=indices.numel())
    merged[shift + torch.arange(indices.numel(), device=indices.device)] = indices
    merged[(first[1:] + before[:-1])[has]] = centers[has]
    return counts, merged


Key = tuple[int, int, torch.dtype, int, bool, bool]

_plans: WeakTensorKeyDictionary = WeakTensorKeyDictionary()


def plan(links: Links, num_sources: int, dtype: torch.dtype) -> Plan:
    """Return the plan of a neighbourhood; the same one as long as its tensors are the same and unchanged."""
    tensors = links[:3]
    key = (num_sources, *links[3:], dtype)
    kept = _plans.setdefault(links.indices, {})
    if key not in kept or not all(state.is_of(tensor) for state, tensor in zip(kept[key][0], tensors, strict=True)):
        indptr, indices, centers = (tensor.detach() for tensor in tensors)  # the key itself would never be freed
        own = links._replace(indptr=indptr, indices=indices, centers=centers)
        kept[key] = tuple(map(State.of, tensors)), Plan(own, num_sources, dtype)
    return kept[key][1]


class State(NamedTuple):
    """What tells whether a tensor is what it was: memory and version, or a copy where inference mode counts none."""

    memory: int
    numel: int
    version: int | None
    copy: Tensor | None

    @classmethod
    def of(cls, tensor: Tensor) -> State:
        """Return the state of a tensor."""
        if tensor.is_inference():
            return cls(tensor.data_ptr(), tensor.numel(), None, tensor.clone())
        return cls(tensor.data_ptr(), tensor.numel(), tensor._version, None)

    def is_of(self, tensor: Tensor) -> bool:
        """Tell whether a tensor is in this state."""
        if (self.memory, self.numel) != (tensor.data_ptr(), tensor.numel()):
            return False
        if tensor.is_inference():
            return self.copy is not None and torch.equal(self.copy, tensor)
        return self.version == tensor._version


def _starts(counts: Tensor, kind: torch.dtype) -> Tensor:
    """Return where each of consecutive runs begins, and where the last one ends."""
    starts = counts.new_zeros(counts.numel() + 1, dtype=kind)
    torch.cumsum(counts, 0, dtype=kind, out=starts[1:])
    return starts


def _index_type(*sizes: int) -> torch.dtype:
    """Return int32 where it holds all these numbers: half as much to read."""
    return torch.int32 if max(sizes) < 2**31 else torch.int64
