"""The small network whose receptive field the paper estimates in Fig. 5."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Literal, NamedTuple

from torch import Tensor, nn

from lpsc_nd import _checks
from lpsc_nd.layers import LPSConv2d
from lpsc_nd.models.builder import ConvBuilder
from lpsc_nd.models.paper.published import pick

SimpleVGGVariant = Literal["conv", "lpsc"]

_CONV3 = partial(nn.Conv2d, kernel_size=3)
_LPSC = partial(LPSConv2d, num_levels=2, num_directions=6, growth=3.0, convention="official")


class _Convs(NamedTuple):
    first: ConvBuilder
    second: ConvBuilder


_VARIANTS: Mapping[str, _Convs] = MappingProxyType(
    {
        "conv": _Convs(_CONV3, _CONV3),
        "lpsc": _Convs(partial(_LPSC, kernel_size=9), partial(_LPSC, kernel_size=5)),
    }
)


class SimpleVGG(nn.Module):
    """conv 64, conv 64, average of 2 x 2, conv 128, conv 128, without padding (paper, Section 4.3, Fig. 5).

    One position of the output sees 14 x 14 cells with convolutions of 3 x 3, and (k1 + k2 + 8) x (k1 + k2 + 8) with
    windows of k1 and k2 in the first two layers.

    Args:
        variant: "conv" 3 x 3 throughout; "lpsc" log-polar 9 x 9 and 5 x 5 (2 levels, 6 directions, growth 3) in the
            first two layers, which see the paper's 22 x 22.
        in_channels: channels of the input.
        first: builder of the first convolution; the variant's by default.
        second: builder of the second convolution; the variant's by default.

    Shape:
        (B, in_channels, H, W) -> (B, 128, H', W'), with 96 x 96 and convolutions 42 x 42.

    Raises:
        ValueError: an unknown variant, or ``in_channels`` below 1.

    >>> import torch
    >>> SimpleVGG(variant="lpsc")(torch.zeros(1, 3, 32, 32)).shape
    torch.Size([1, 128, 6, 6])
    """

    def __init__(
        self,
        variant: SimpleVGGVariant = "conv",
        in_channels: int = 3,
        first: ConvBuilder | None = None,
        second: ConvBuilder | None = None,
    ) -> None:
        super().__init__()
        convs = pick(variant, _VARIANTS)
        self.features = nn.Sequential(
            (first or convs.first)(_checks.integer("in_channels", in_channels, minimum=1), 64), nn.ReLU(),
            (second or convs.second)(64, 64), nn.ReLU(),
            nn.AvgPool2d(2),
            _CONV3(64, 128), nn.ReLU(),
            _CONV3(128, 128), nn.ReLU(),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """Return the last map."""
        y: Tensor = self.features(x)
        return y
