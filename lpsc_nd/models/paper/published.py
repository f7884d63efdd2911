"""Builders of the layers of the published experiments: two-dimensional, "official" regions, (k - 1) // 2 padding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from torch import Tensor, nn
from torch.nn import functional as F

from lpsc_nd import _checks
from lpsc_nd.layers import CrossConv2d, LPSConv2d
from lpsc_nd.models.builder import ConvBuilder
from lpsc_nd.models.paper.second_bias import SecondBias

T = TypeVar("T")


def pick(variant: str, variants: Mapping[str, T]) -> T:
    """Return the entry of a network's table of variants.

    Raises:
        ValueError: there is no such variant.
    """
    return variants[_checks.choice("variant", variant, variants)]


def conv2d(kernel_size: int, stride: int = 1, *, dilation: int = 1, bias: bool = False) -> ConvBuilder:
    """Return a builder of dense convolutions whose padding keeps the size, up to the stride."""
    reach = dilation * (kernel_size - 1)
    build = nn.Conv2d if reach % 2 == 0 else EvenConv2d
    return partial(build, kernel_size=kernel_size, stride=stride, padding=reach // 2, dilation=dilation, bias=bias)


class EvenConv2d(nn.Conv2d):
    """A convolution whose window spans an even number of cells: one more zero after each axis keeps the size."""

    def forward(self, input: Tensor) -> Tensor:
        """Convolve (B, C, H, W)."""
        return super().forward(F.pad(input, (0, 1, 0, 1)))


@dataclass(frozen=True)
class Field:
    """A log-polar field as the experiments write it: window, levels, directions, growth."""

    kernel_size: int
    num_levels: int
    num_directions: int
    growth: float

    @property
    def arguments(self) -> dict[str, Any]:
        """Keywords of the layers."""
        return {
            "kernel_size": self.kernel_size,
            "padding": (self.kernel_size - 1) // 2,
            "num_levels": self.num_levels,
            "num_directions": self.num_directions,
            "growth": self.growth,
            "convention": "official",
        }


def lpsc2d(field: Field, stride: int = 1, *, center: bool = True, second_bias: bool = False) -> ConvBuilder:
    """Return a builder of log-polar layers with bias, the second one if asked for."""
    build = partial(LPSConv2d, stride=stride, center=center, **field.arguments)
    return _then_second_bias(build) if second_bias else build


def cross2d(
    field: Field, conv_kernel_size: int, ratio: float, stride: int = 1, *, second_bias: bool = False
) -> ConvBuilder:
    """Return a builder of cross convolutions: only the log-polar filters have a bias, the second one if asked for."""
    build = partial(
        CrossConv2d,
        stride=stride,
        conv_kernel_size=conv_kernel_size,
        ratio=ratio,
        conv_bias=False,
        **field.arguments,
    )
    return _then_second_bias_in_cross(build) if second_bias else build


def _then_second_bias(build: partial[LPSConv2d]) -> ConvBuilder:
    def conv(in_channels: int, out_channels: int) -> nn.Module:
        return SecondBias(build(in_channels, out_channels))

    return conv


def _then_second_bias_in_cross(build: partial[CrossConv2d]) -> ConvBuilder:
    def conv(in_channels: int, out_channels: int) -> nn.Module:
        cross = build(in_channels, out_channels)
        if cross.lpsc is not None:
            cross.add_module("lpsc", SecondBias(cross.lpsc))
        return cross

    return conv
