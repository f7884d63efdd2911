"""What a network on points needs to know: how to build a convolution, and how to normalise uneven batches."""

from __future__ import annotations

from functools import partial
from typing import Protocol

from torch import Tensor, nn
from torch.nn import functional as F

from lpsc_nd.geometry import Partition
from lpsc_nd.layers import LPSPointConv


class PointConvBuilder(Protocol):
    """Builds the convolution of a network: ``conv(in_channels, out_channels, partition) -> nn.Module``.

    The module built is called as ``module(x, neighborhood)`` and maps (S, in_channels) to (Q, out_channels), S and Q
    being the sources and queries of a neighbourhood with the regions of ``partition``. :class:`LPSPointConv` is such a
    builder; in a configuration file ``class_path`` and ``init_args`` of a convolution class make one.
    """

    def __call__(self, in_channels: int, out_channels: int, partition: Partition) -> nn.Module:
        """Return a convolution from ``in_channels`` to ``out_channels`` over the regions of ``partition``."""
        ...


def log_polar_convs() -> PointConvBuilder:
    """Return the builder that networks use by default; they normalise right after it, so it needs no bias."""
    return partial(LPSPointConv, bias=False)


class PointNorm(nn.BatchNorm1d):
    """Batch normalisation over all points of a batch, which may be few.

    In training, fewer than two points have no variance; they are normalised with the running statistics, as in
    evaluation, and leave those as they are. How many points there are depends on the data, so this is no error.

    Shape:
        (S, C) -> (S, C).
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the points normalised per channel."""
        if len(input) > 1 or not self.training or self.running_mean is None:
            return super().forward(input)
        return F.batch_norm(input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
