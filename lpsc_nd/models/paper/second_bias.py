"""The second bias of the authors' layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lpsc_nd.layers import LPSConvNd


class SecondBias(nn.Module):
    """A log-polar layer and one more bias: ``conv(x) + bias``.

    The authors' program has a bias in the region convolution and one in the centre's. They only add up, so
    :class:`LPSConvNd` has one; this module gives a network the number of parameters of the published tables.

    Args:
        conv: a layer that has a bias of its own.

    Shape:
        as ``conv``.

    Attributes:
        bias: (C',), zeros at first.

    Raises:
        ValueError: ``conv`` has no bias, so that a second one would be its only one.

    >>> layer = SecondBias(LPSConvNd(2, 3, 8, 5, convention="official"))
    >>> sum(p.numel() for p in layer.parameters()) - sum(p.numel() for p in layer.conv.parameters())
    8
    """

    def __init__(self, conv: LPSConvNd) -> None:
        super().__init__()
        if conv.bias is None:
            raise ValueError("conv must have a bias before it gets a second one, got bias=False")
        self.conv = conv
        self.bias = nn.Parameter(torch.zeros_like(conv.bias))

    def forward(self, input: Tensor) -> Tensor:
        """Convolve, and add the second bias."""
        y: Tensor = self.conv(input)
        return y + self.bias.view(-1, *(1,) * self.conv.ndim).to(y.dtype)
