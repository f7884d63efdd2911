"""How many operations a module does on an input, by rules that anyone may extend.

A multiply-add counts as one operation, biases as none: the convention of the tool behind the paper's figures
(Section 4.1). What log-polar layers add up before they multiply is counted apart, since that tool leaves it out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.nn.modules.pooling import _AdaptiveAvgPoolNd, _AvgPoolNd, _MaxPoolNd

from lpsc_nd.geometry import Stencil
from lpsc_nd.inspect import operator_flops  # noqa: F401  (torch's own counter learns our operators)
from lpsc_nd.layers import LogPolarPoolNd, LPSConvNd
from lpsc_nd.models.paper.resize import Resize
from lpsc_nd.models.paper.second_bias import SecondBias


@dataclass(frozen=True)
class Work:
    """What one call of a module computes.

    Attributes:
        conv_flops: multiply-adds of convolutions.
        other_flops: multiply-adds of linear layers, 2 per element of batch normalisation, 1 per input element of
            average pooling, 4 per output element of bilinear interpolation.
        pooling_additions: additions (for a maximum, comparisons) that pool the regions of log-polar layers, summed
            directly: N_r - 1 for each region, channel and output position. The engines share sums and do fewer.
    """

    conv_flops: int = 0
    other_flops: int = 0
    pooling_additions: int = 0

    def __add__(self, other: Work) -> Work:
        return Work(
            self.conv_flops + other.conv_flops,
            self.other_flops + other.other_flops,
            self.pooling_additions + other.pooling_additions,
        )


@singledispatch
def module_work(module: nn.Module, x: Tensor, y: Tensor) -> Work | None:
    """Return what ``module`` computes to make ``y`` of ``x``, itself alone without its children; None if not known.

    ``module_work.register`` adds a rule for a class of yours.

    >>> import torch
    >>> conv = nn.Conv2d(3, 8, 5, padding=2, device="meta")
    >>> module_work(conv, x := torch.zeros(1, 3, 32, 32, device="meta"), conv(x)).conv_flops == 3 * 8 * 25 * 32 * 32
    True
    """
    return None


@module_work.register
def _(module: _ConvNd, x: Tensor, y: Tensor) -> Work:
    return Work(conv_flops=y.numel() * module.weight[0].numel())


@module_work.register
def _(module: _ConvTransposeNd, x: Tensor, y: Tensor) -> Work:
    return Work(conv_flops=x.numel() * module.weight[0].numel())


@module_work.register
def _(module: LPSConvNd, x: Tensor, y: Tensor) -> Work:
    flops = y.numel() * (module.in_channels // module.groups) * module.window.num_bags
    pooled = y.numel() // module.out_channels * module.in_channels  # positions times input channels
    return Work(conv_flops=flops, pooling_additions=pooled * additions(module.stencil))


@module_work.register
def _(module: LogPolarPoolNd, x: Tensor, y: Tensor) -> Work:
    return Work(pooling_additions=y.numel() // module.partition.num_regions * additions(module.stencil))


@module_work.register
def _(module: nn.Linear, x: Tensor, y: Tensor) -> Work:
    return Work(other_flops=y.numel() * module.in_features)


@module_work.register
def _(module: _BatchNorm, x: Tensor, y: Tensor) -> Work:
    return Work(other_flops=(2 if module.affine else 1) * y.numel())


@module_work.register(_AdaptiveAvgPoolNd)
@module_work.register(_AvgPoolNd)
def _(module: nn.Module, x: Tensor, y: Tensor) -> Work:
    return Work(other_flops=x.numel())


@module_work.register
def _(module: Resize, x: Tensor, y: Tensor) -> Work:
    return Work(other_flops=4 * y.numel())


@module_work.register(_MaxPoolNd)
@module_work.register(SecondBias)
def _(module: nn.Module, x: Tensor, y: Tensor) -> Work:
    return Work()


def additions(stencil: Stencil) -> int:
    """Return how many additions sum every region of one channel at one position: N_r - 1 where N_r > 0."""
    return int((stencil.counts - 1).clip(min=0).sum())


def extent(module: nn.Module) -> tuple[int, ...] | None:
    """Return how many cells a module's window spans along each axis; None if it has no window of fixed size.

    >>> extent(nn.Conv2d(3, 8, 5, dilation=2)), extent(nn.ReLU())
    ((9, 9), None)
    """
    if isinstance(module, (LPSConvNd, LogPolarPoolNd)):
        return module.window.extent
    if isinstance(module, _ConvNd) and not isinstance(module, _ConvTransposeNd):
        return tuple(d * (k - 1) + 1 for k, d in zip(module.kernel_size, module.dilation, strict=True))
    return None
