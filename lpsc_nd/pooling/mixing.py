"""The product of a tile's pooled matrix with the weights: plain, grouped or depthwise."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lpsc_nd.pooling.product import add_columns, arranged, transposed_product, write_product, zero_columns


@dataclass(frozen=True)
class Mixing:
    """How (sites, bags, C) becomes (sites, C').

    Args:
        out_channels: C'.
        in_channels: C.
        num_bags: bags per site.
        groups: blocks of channels that do not see each other.
    """

    out_channels: int
    in_channels: int
    num_bags: int
    groups: int

    @property
    def is_depthwise(self) -> bool:
        """Whether every channel is a group of one filter; then what is pooled is overwritten."""
        return self.groups == self.in_channels == self.out_channels > 1

    def to_matrix(self, weight: Tensor) -> Tensor:
        """Arrange (C', C / groups, bags) as (G, C' / G, bags * C / G), the order in which a tile is pooled."""
        if self.groups == 1:
            return arranged(weight).transpose(1, 2).flatten(1).unsqueeze(0)
        filters = self.out_channels // self.groups
        grouped = arranged(weight).view(self.groups, filters, *weight.shape[1:])  # (G, C' / G, C / G, bags)
        return grouped.transpose(2, 3).flatten(2)

    def zeros(self, dtype: torch.dtype, device: torch.device) -> Tensor:
        """Return the sum that :meth:`accumulate` adds to: (G, C' / G, columns), of one group shared out by columns."""
        columns, filters = self.num_bags * self.in_channels // self.groups, self.out_channels // self.groups
        if self.groups == 1:
            return zero_columns(filters, columns, dtype, device)
        return torch.zeros((self.groups, filters, columns), dtype=dtype, device=device)

    def to_weight(self, total: Tensor) -> Tensor:
        """Rearrange a sum as weights (C', C / groups, bags)."""
        matrix = total.transpose(0, 1).flatten(1).unsqueeze(0) if self.groups == 1 else total
        grouped = matrix.unflatten(2, (self.num_bags, -1))  # (G, C' / G, bags, C / G)
        return grouped.transpose(2, 3).flatten(0, 1).contiguous()

    def store(self, target: Tensor, pooled: Tensor, matrix: Tensor, bias: Tensor | None) -> None:
        """Write pooled (sites, bags, C) times matrix, plus bias, into ``target`` (images, *sites, C').

        ``pooled`` is overwritten if :attr:`is_depthwise`.
        """
        channels_first = target.stride(-1) != 1
        if self.groups == 1 and target.shape[0] == 1 and channels_first:
            mixed = transposed_product(pooled.flatten(1), matrix[0], bias)  # (C', sites): rows are copied whole
            target[0].movedim(-1, 0).copy_(mixed.view(-1, *target.shape[1:-1]))
        elif self.groups == 1:
            write_product(target, pooled.flatten(1), matrix[0], bias)
        else:
            mixed = self._mix_groups(pooled, matrix)
            target.copy_((mixed if bias is None else mixed + bias).view(target.shape))

    def accumulate(self, total: Tensor, pooled: Tensor, values: Tensor) -> None:
        """Add ``gy^T @ pooled`` of a tile to ``total``, gy being ``values`` (images, *sites, C').

        ``pooled`` is overwritten if :attr:`is_depthwise`.
        """
        if self.groups == 1:
            rows = values.movedim(-1, 0).flatten(1).to(pooled.dtype)  # (C', sites), as a contiguous gradient lies
            add_columns(total, rows, pooled.flatten(1))
            return
        gy = values.flatten(0, -2).to(pooled.dtype)
        if self.is_depthwise:
            total[:, 0].add_(pooled.mul_(gy.unsqueeze(1)).sum(0).T)
        else:
            total.baddbmm_(self._by_group(gy.unsqueeze(1)).transpose(1, 2), self._by_group(pooled))

    def _mix_groups(self, pooled: Tensor, matrix: Tensor) -> Tensor:
        if self.is_depthwise:
            return pooled.mul_(matrix[:, 0].T.contiguous()).sum(1)
        mixed = torch.bmm(self._by_group(pooled), matrix.transpose(1, 2))  # (G, sites, C' / G)
        return mixed.transpose(0, 1).reshape(-1, self.out_channels)

    def _by_group(self, pooled: Tensor) -> Tensor:
        """Rearrange (sites, bags, C) as (G, sites, bags * C / G)."""
        return pooled.unflatten(2, (self.groups, -1)).permute(2, 0, 1, 3).flatten(2)
