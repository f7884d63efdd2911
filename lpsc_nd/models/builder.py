"""What a network needs to know: how to build a convolution, and the torch layers of its dimension."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from torch import nn


class ConvBuilder(Protocol):
    """Builds the convolution of a network: ``conv(in_channels, out_channels) -> nn.Module``.

    The module built maps ``(B, in_channels, *size)`` to ``(B, out_channels, *size)``: stride 1, and a padding that
    keeps the spatial size, unless the network says that the builder of a layer brings the stride with it.
    ``functools.partial(nn.Conv2d, kernel_size=3, padding=1)`` is such a builder; in a configuration file ``class_path``
    and ``init_args`` of a convolution class make one.
    """

    def __call__(self, in_channels: int, out_channels: int) -> nn.Module:
        """Return a convolution from ``in_channels`` to ``out_channels`` that keeps the spatial size."""
        ...


@dataclass(frozen=True)
class TorchLayers:
    """The torch classes of one dimension that a network uses beside its convolution.

    Attributes:
        pointwise: convolution class of the 1x1 projections.
        norm: batch normalisation class.
        pool: average pooling class.
    """

    pointwise: type[nn.Conv1d] | type[nn.Conv2d] | type[nn.Conv3d]
    norm: type[nn.BatchNorm1d] | type[nn.BatchNorm2d] | type[nn.BatchNorm3d]
    pool: type[nn.AvgPool1d] | type[nn.AvgPool2d] | type[nn.AvgPool3d]


_TORCH_LAYERS: Mapping[int, TorchLayers] = MappingProxyType(
    {
        1: TorchLayers(nn.Conv1d, nn.BatchNorm1d, nn.AvgPool1d),
        2: TorchLayers(nn.Conv2d, nn.BatchNorm2d, nn.AvgPool2d),
        3: TorchLayers(nn.Conv3d, nn.BatchNorm3d, nn.AvgPool3d),
    }
)


def torch_layers(ndim: int) -> TorchLayers:
    """Return the torch classes for inputs ``(B, C, *size)`` with ``ndim`` spatial axes.

    Raises:
        ValueError: torch has no layers of that dimension.
    """
    if ndim not in _TORCH_LAYERS:
        raise ValueError(f"ndim must be one of {sorted(_TORCH_LAYERS)} (torch has no other layers), got {ndim!r}")
    return _TORCH_LAYERS[ndim]
