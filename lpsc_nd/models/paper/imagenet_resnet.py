"""ResNet-18 and ResNet-34 for ImageNet, as in the paper's Table 3."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from torch import Tensor, nn

from lpsc_nd import _checks
from lpsc_nd.models.builder import ConvBuilder
from lpsc_nd.models.paper.published import Field, conv2d, cross2d, lpsc2d, pick
from lpsc_nd.models.paper.resnet_encoder import BLOCKS, ResNetDepth, ResNetTrunk

ImageNetResNetVariant = Literal["conv", "lpsc", "lpsc_cc_25", "lpsc_cc_50"]

_LARGE, _SMALL = Field(9, 3, 8, 2.0), Field(5, 2, 6, 3.0)


class _Convs(NamedTuple):
    first: ConvBuilder
    cross: ConvBuilder  # first convolution of each block of the first stage


def _conv(second_bias: bool) -> _Convs:
    return _Convs(conv2d(7, stride=2), conv2d(3))


def _lpsc(second_bias: bool) -> _Convs:
    return _Convs(lpsc2d(_LARGE, stride=2, second_bias=second_bias), conv2d(3))


def _lpsc_cc(ratio: float) -> Callable[[bool], _Convs]:
    def convs(second_bias: bool) -> _Convs:
        return _Convs(cross2d(_LARGE, 7, ratio, stride=2, second_bias=second_bias), cross2d(_SMALL, 3, ratio))

    return convs


_VARIANTS: Mapping[str, Callable[[bool], _Convs]] = MappingProxyType(
    {"conv": _conv, "lpsc": _lpsc, "lpsc_cc_25": _lpsc_cc(25), "lpsc_cc_50": _lpsc_cc(50)}
)


class ImageNetResNet(ResNetTrunk):
    """ResNet-18 or ResNet-34 (paper, Section 4.1, Table 3).

    The state dict of the variant "conv" has the names and shapes of torchvision's ``resnet18`` and ``resnet34``, so
    their weights load; the other variants differ in the layers that they replace.

    Args:
        depth: 18 (the paper's) or 34.
        num_classes: number of outputs.
        variant: "conv"; "lpsc" a log-polar first layer of 9 x 9 (3 levels, 8 directions, growth 2); "lpsc_cc_25" a
            quarter of the filters of the first layer so, and a quarter of those of the first convolution of each block
            of the first stage log-polar 5 x 5 (2, 6, 3); "lpsc_cc_50" half of them.
        in_channels: channels of the input.
        first: builder of the first layer, stride 2 included; the variant's by default.
        cross: builder of the first convolution of every block of the first stage; the variant's by default.
        separate_bias: give the log-polar filters of the variant's first layer the authors' second bias.

    Shape:
        (B, in_channels, H, W) -> (B, num_classes).

    Raises:
        ValueError: another depth, an unknown variant, or a count below 1.

    >>> net = ImageNetResNet(18, variant="lpsc")
    >>> sum(p.numel() for p in net.parameters())
    11684968
    """

    def __init__(
        self,
        depth: ResNetDepth = 18,
        num_classes: int = 1000,
        variant: ImageNetResNetVariant = "conv",
        in_channels: int = 3,
        first: ConvBuilder | None = None,
        cross: ConvBuilder | None = None,
        separate_bias: bool = False,
    ) -> None:
        convs = pick(variant, _VARIANTS)(separate_bias)
        stage = (cross or convs.cross, conv2d(3)) * BLOCKS.get(depth, (0,))[0]
        super().__init__(depth, in_channels, first or convs.first, stage)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(512, _checks.integer("num_classes", num_classes, minimum=1))

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores of the classes, (B, num_classes)."""
        pooled: Tensor = self.avgpool(self.maps(x)[-1])
        scores: Tensor = self.fc(pooled.flatten(1))
        return scores
