"""The weights that engines multiply sums by: each region's divided by its count, and the centre's beside them.

In memory they lie bag by bag, as products with the sums of one bag read them, and so do their gradients.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from lpsc_nd.geometry import Reduction, Stencil
from lpsc_nd.pooling.constants import region_divisors


class Folding(NamedTuple):
    """The step from a layer's weights to those of its bags, which is linear.

    The counts are integers until here, and the division is done in the type of accumulation: 1 / N in half precision
    would be off by 2e-3.

    Args:
        divisors: count of each region, (R,), in the type of accumulation; None for sums.
        dtype: type of accumulation.
    """

    divisors: Tensor | None
    dtype: torch.dtype

    @classmethod
    def of(cls, stencil: Stencil, reduction: Reduction, like: Tensor) -> Folding:
        """Return that of a stencil, for weights on the device of ``like``, in its type as that of accumulation."""
        return cls(region_divisors(stencil, reduction, like) if reduction == "mean" else None, like.dtype)

    def divide(self, weight: Tensor) -> Tensor:
        """Divide by the counts, in the type of accumulation."""
        weight = weight.to(self.dtype)
        return weight if self.divisors is None else weight / self.divisors

    def fold(self, weight: Tensor, center_weight: Tensor | None) -> Tensor:
        """Return (C', C / groups, R [+ 1]) of the weights of regions and centre, the last axis outermost in memory."""
        regions = self.divide(weight).permute(2, 0, 1)
        if center_weight is None:
            return regions.contiguous().permute(1, 2, 0)
        return torch.cat([regions, center_weight.to(self.dtype).unsqueeze(0)]).permute(1, 2, 0)

    def carry_back(
        self, gradient: Tensor, weight: Tensor, center_weight: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """Return the gradients of both weights, in their types, of that of :meth:`fold`'s result."""
        if center_weight is None:
            return self.divide(gradient).to(weight.dtype).contiguous(), None
        regions, center = gradient[..., :-1], gradient[..., -1]
        return self.divide(regions).to(weight.dtype).contiguous(), center.to(center_weight.dtype).contiguous()


def fold(
    weight: Tensor, center_weight: Tensor | None, stencil: Stencil, reduction: Reduction, dtype: torch.dtype
) -> Tensor:
    """Divide each region's weight by its count and append the centre's: (C', C / groups, R [+ 1]), in ``dtype``."""
    weight = weight.to(dtype)
    return Folding.of(stencil, reduction, weight).fold(weight, center_weight)


def divide(weight: Tensor, stencil: Stencil, reduction: Reduction, dtype: torch.dtype) -> Tensor:
    """Divide each region's weight by its count, for a mean; in ``dtype``."""
    weight = weight.to(dtype)
    return Folding.of(stencil, reduction, weight).divide(weight)


def exchanged(weight: Tensor, groups: int) -> Tensor:
    """Exchange input and output channels: (C', C / groups, bags) -> (C, C' / groups, bags)."""
    return weight.unflatten(0, (groups, -1)).transpose(1, 2).flatten(0, 1)
