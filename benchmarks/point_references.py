"""What our layer on points is timed against: a kernel-point convolution in plain PyTorch, and the matrix products."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from benchmarks.point_cases import PointCase
from benchmarks.references import Contender
from lpsc_nd import LPSPointConv, Neighborhood
from lpsc_nd.pooling.product import product

NUM_KERNEL_POINTS = 15


class KernelPointConv(nn.Module):
    """Kernel-point convolution with linear influence, as plain tensor operations.

        y[q] = sum_p W_p sum_k max(0, 1 - |offset_k - kernel point p| / extent) x[neighbour k of q]

    Neighbours and influences are computed once, outside of what is timed, as our neighbourhood is. Of the ways to write
    it (indexing or ``index_select``; two einsums, or a batched and a plain matrix product) this one was the fastest.

    Args:
        channels: C and C'.
        index: neighbours (Q, K), S where there are fewer.
        influence: (Q, K, 15).
    """

    def __init__(self, channels: int, index: Tensor, influence: Tensor) -> None:
        super().__init__()
        self.index, self.influence = index, influence.transpose(1, 2).contiguous()  # (Q, 15, K)
        bound = 1 / math.sqrt(NUM_KERNEL_POINTS * channels)
        self.weight = nn.Parameter(torch.empty(NUM_KERNEL_POINTS, channels, channels).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (S, C) -> (Q, C')."""
        padded = torch.cat([x, x.new_zeros((1, x.shape[1]))])
        gathered = padded.index_select(0, self.index.flatten()).view(*self.index.shape, x.shape[1])  # (Q, K, C)
        weighted = self.influence @ gathered  # (Q, 15, C)
        return weighted.flatten(1) @ self.weight.flatten(0, 1)


def kernel_point_conv(case: PointCase, neighborhood: Neighborhood) -> KernelPointConv:
    """Build the reference with the neighbours that our layer has, the centre of each query among them."""
    index = neighbor_table(neighborhood)
    points = case.points()
    padded = torch.cat([points, points.new_full((1, 3), math.inf)])  # what is not there has no influence
    offsets = padded[index] - points[: case.num_queries, None]
    radius = case.partition.radius
    distance = (offsets[:, :, None] - kernel_points(0.66 * radius)).norm(dim=-1)  # (Q, K, 15)
    return KernelPointConv(case.channels, index, (1 - distance / (0.6 * radius)).clamp(min=0).float())


def neighbor_table(neighborhood: Neighborhood) -> Tensor:
    """Return each query's centre and neighbours, (Q, K), S where there are fewer."""
    per_query = neighborhood.counts.sum(1)
    table = neighborhood.indices.new_full(
        (neighborhood.num_queries, int(per_query.max()) + 1), neighborhood.num_sources
    )
    query = torch.arange(neighborhood.num_queries).repeat_interleave(per_query)
    first = neighborhood.indptr[:: neighborhood.num_regions]
    table[query, torch.arange(len(query)) - first[query] + 1] = neighborhood.indices
    table[:, 0] = torch.where(neighborhood.centers < 0, neighborhood.num_sources, neighborhood.centers)
    return table


def kernel_points(radius: float) -> Tensor:
    """Return the centre and points spread evenly over a sphere, (15, 3)."""
    number = torch.arange(NUM_KERNEL_POINTS - 1, dtype=torch.float64)
    height = 1 - (2 * number + 1) / (NUM_KERNEL_POINTS - 1)
    azimuth = math.pi * (3 - math.sqrt(5)) * number  # the golden angle
    plane = (1 - height.square()).sqrt()
    sphere = torch.stack([height, plane * azimuth.sin(), plane * azimuth.cos()], dim=1)
    return torch.cat([sphere.new_zeros(1, 3), radius * sphere])


def contenders(case: PointCase) -> list[Contender]:
    """Build everything a case is timed with."""
    neighborhood, layer = case.neighborhood(), case.layer()
    kernel_points_layer = kernel_point_conv(case, neighborhood)
    slow = case.layer("reference")
    slow.load_state_dict(layer.state_dict())
    return [
        contender("ours", case, layer, lambda x: layer(x, neighborhood)),
        contender("ours, new points", case, layer, lambda x: layer(x, copy.deepcopy(neighborhood))),
        contender("reference engine", case, slow, lambda x: slow(x, neighborhood)),
        contender("kernel points", case, kernel_points_layer, kernel_points_layer),
        floor(case, layer),
    ]


def contender(operator: str, case: PointCase, module: nn.Module, run: Callable[[Tensor], Tensor]) -> Contender:
    """Wrap a layer with an input of its own."""
    x = torch.randn(case.num_sources, case.channels, requires_grad=True)
    inputs, gy = [x, *module.parameters()], torch.randn(case.num_queries, case.channels)

    def forward() -> Tensor:
        with torch.no_grad():
            return run(x)

    def training() -> object:
        return torch.autograd.grad(run(x), inputs, gy)

    return Contender(operator, "default", forward, training)


def floor(case: PointCase, layer: LPSPointConv) -> Contender:
    """Build the matrix products that mixing cannot do without: one forward, and one for each gradient."""
    columns = (layer.num_regions + 1) * case.channels
    pooled, pooled_gy = torch.randn(case.num_queries, columns), torch.randn(case.num_sources, columns)
    weight, gy = torch.randn(case.channels, columns), torch.randn(case.num_queries, case.channels)

    def forward() -> Tensor:
        return product(pooled, weight)

    def training() -> object:
        return product(pooled, weight), product(pooled_gy, weight), product(gy.T, pooled.T)

    return Contender("product", "default", forward, training)
