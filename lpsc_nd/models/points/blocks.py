"""Blocks of networks on points: each is called with values and a neighbourhood."""

from __future__ import annotations

from torch import Tensor, nn

from lpsc_nd import _checks
from lpsc_nd.geometry import Partition
from lpsc_nd.models.points.builder import PointConvBuilder, PointNorm
from lpsc_nd.points import Neighborhood, PointPyramid


class ConvPath(nn.Module):
    """One convolution with normalisation: ``norm(conv(x))``.

    Args:
        conv: builder of the convolution.
        in_channels: C.
        out_channels: C'.
        partition: the regions of the neighbourhoods.

    Shape:
        (S, C) and a neighbourhood of Q queries among S sources -> (Q, C').
    """

    def __init__(self, conv: PointConvBuilder, in_channels: int, out_channels: int, partition: Partition) -> None:
        super().__init__()
        self.conv = conv(in_channels, out_channels, partition)
        self.norm = PointNorm(out_channels)

    def forward(self, x: Tensor, neighborhood: Neighborhood) -> Tensor:
        """Return the values at the queries."""
        y: Tensor = self.norm(self.conv(x, neighborhood))
        return y


class PointResidualBlock(nn.Module):
    """Two convolutions with normalisation and a shortcut: ``relu(x' + norm(conv(relu(norm(conv(x))))))``.

    ``x'`` is ``x`` itself, or its linear projection with normalisation when the number of channels changes.

    Args:
        conv: builder of the two convolutions.
        in_channels: C.
        out_channels: C'.
        partition: the regions of the neighbourhoods.

    Shape:
        (S, C) and a neighbourhood of S queries among S sources -> (S, C').
    """

    def __init__(self, conv: PointConvBuilder, in_channels: int, out_channels: int, partition: Partition) -> None:
        super().__init__()
        self.conv1 = conv(in_channels, out_channels, partition)
        self.norm1 = PointNorm(out_channels)
        self.conv2 = conv(out_channels, out_channels, partition)
        self.norm2 = PointNorm(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut = _shortcut(in_channels, out_channels)

    def forward(self, x: Tensor, neighborhood: Neighborhood) -> Tensor:
        """Return the block's output at the same points."""
        y: Tensor = self.relu(self.norm1(self.conv1(x, neighborhood)))
        y = self.norm2(self.conv2(y, neighborhood))
        out: Tensor = self.relu(self.shortcut(x) + y)
        return out


class BottleneckPath(nn.Module):
    """One convolution on fewer channels between two linear layers: ``norm(B relu(norm(conv(relu(norm(A x))))))``.

    A convolution's cost grows with the product of its channels times the regions, so with a quarter of both it is a
    sixteenth; what is left is mostly the linear layers.

    Args:
        conv: builder of the convolution.
        in_channels: C.
        out_channels: C'.
        partition: the regions of the neighbourhoods.
        bottleneck: C' / bottleneck channels are convolved, at least one.

    Shape:
        (S, C) and a neighbourhood of Q queries among S sources -> (Q, C').

    Raises:
        TypeError, ValueError: ``bottleneck`` is no integer of at least 1.
    """

    def __init__(
        self, conv: PointConvBuilder, in_channels: int, out_channels: int, partition: Partition, bottleneck: int
    ) -> None:
        super().__init__()
        inner = max(1, out_channels // _checks.integer("bottleneck", bottleneck, minimum=1))
        self.reduce = nn.Linear(in_channels, inner, bias=False)
        self.norm1 = PointNorm(inner)
        self.conv = conv(inner, inner, partition)
        self.norm2 = PointNorm(inner)
        self.expand = nn.Linear(inner, out_channels, bias=False)
        self.norm3 = PointNorm(out_channels)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor, neighborhood: Neighborhood) -> Tensor:
        """Return the values at the queries."""
        y: Tensor = self.relu(self.norm1(self.reduce(x)))
        y = self.relu(self.norm2(self.conv(y, neighborhood)))
        out: Tensor = self.norm3(self.expand(y))
        return out


class PointBottleneckBlock(nn.Module):
    """A :class:`BottleneckPath` with a shortcut, ``relu(x' + path(x))``; ``x'`` as in :class:`PointResidualBlock`.

    Args:
        conv: builder of the convolution.
        in_channels: C.
        out_channels: C'.
        partition: the regions of the neighbourhoods.
        bottleneck: C' / bottleneck channels are convolved, at least one.

    Shape:
        (S, C) and a neighbourhood of S queries among S sources -> (S, C').

    Raises:
        TypeError, ValueError: ``bottleneck`` is no integer of at least 1.
    """

    def __init__(
        self, conv: PointConvBuilder, in_channels: int, out_channels: int, partition: Partition, bottleneck: int = 4
    ) -> None:
        super().__init__()
        self.path = BottleneckPath(conv, in_channels, out_channels, partition, bottleneck)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut = _shortcut(in_channels, out_channels)

    def forward(self, x: Tensor, neighborhood: Neighborhood) -> Tensor:
        """Return the block's output at the same points."""
        out: Tensor = self.relu(self.shortcut(x) + self.path(x, neighborhood))
        return out


class PointDownBlock(nn.Module):
    """From a level to the next coarser one: ``relu(norm(P mean(x)) + path(x))``.

    The path is one convolution around the coarser points, with normalisation, or a :class:`BottleneckPath`. The mean
    is that of the points that are nearest to each coarser one, see :meth:`PointPyramid.pool`.

    Args:
        conv: builder of the convolution.
        in_channels: C.
        out_channels: C'.
        partition: the regions of the neighbourhoods.
        bottleneck: 1 for a convolution from C to C' channels, more for a bottleneck.

    Shape:
        (S_l, C), a pyramid and the finer level l -> (S_(l+1), C').
    """

    def __init__(
        self, conv: PointConvBuilder, in_channels: int, out_channels: int, partition: Partition, bottleneck: int
    ) -> None:
        super().__init__()
        self.path: nn.Module
        if bottleneck == 1:
            self.path = ConvPath(conv, in_channels, out_channels, partition)
        else:
            self.path = BottleneckPath(conv, in_channels, out_channels, partition, bottleneck)
        self.shortcut = nn.Sequential(nn.Linear(in_channels, out_channels, bias=False), PointNorm(out_channels))
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor, pyramid: PointPyramid, level: int) -> Tensor:
        """Return the values at the points of level ``level + 1``."""
        out: Tensor = self.relu(self.shortcut(pyramid.pool(x, level)) + self.path(x, pyramid.down[level]))
        return out


class PointStage(nn.Module):
    """Residual blocks one after another on the same points.

    Args:
        conv: builder of the convolutions.
        channels: C, of input and output.
        partition: the regions of the neighbourhoods.
        blocks: how many; none passes the values on.
        bottleneck: 1 for :class:`PointResidualBlock`, more for :class:`PointBottleneckBlock`.

    Shape:
        (S, C) and a neighbourhood of S queries among S sources -> (S, C).
    """

    def __init__(
        self, conv: PointConvBuilder, channels: int, partition: Partition, blocks: int, bottleneck: int
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            PointResidualBlock(conv, channels, channels, partition)
            if bottleneck == 1
            else PointBottleneckBlock(conv, channels, channels, partition, bottleneck)
            for _ in range(blocks)
        )

    def forward(self, x: Tensor, neighborhood: Neighborhood) -> Tensor:
        """Return the last block's output."""
        for block in self.blocks:
            x = block(x, neighborhood)
        return x


def _shortcut(in_channels: int, out_channels: int) -> nn.Module:
    if in_channels == out_channels:
        return nn.Identity()
    return nn.Sequential(nn.Linear(in_channels, out_channels, bias=False), PointNorm(out_channels))
