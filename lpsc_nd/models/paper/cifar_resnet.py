"""Residual networks for 32 x 32 images, as in the paper's Tables 1 and 2."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from torch import Tensor, nn

from lpsc_nd import _checks
from lpsc_nd.models.builder import ConvBuilder
from lpsc_nd.models.paper.basic_block import basic_stage
from lpsc_nd.models.paper.initial import draw_he
from lpsc_nd.models.paper.published import Field, conv2d, cross2d, lpsc2d, pick

CifarResNetVariant = Literal["conv", "dilated", "lpsc", "lpsc_5x5", "lpsc_cc", "lpsc_cc_text"]

_SMALL = Field(5, 2, 6, 3.0)


class _Convs(NamedTuple):
    first: ConvBuilder
    stage: tuple[ConvBuilder, ...] = ()  # of the first stage, two to a block; dense ones follow


def _conv(blocks: int, second_bias: bool) -> _Convs:
    return _Convs(conv2d(3))


def _dilated(blocks: int, second_bias: bool) -> _Convs:
    return _Convs(conv2d(4, dilation=3))


def _lpsc(blocks: int, second_bias: bool) -> _Convs:
    return _Convs(lpsc2d(Field(9, 2, 6, 3.0), second_bias=second_bias))


def _lpsc_5x5(blocks: int, second_bias: bool) -> _Convs:
    return _Convs(lpsc2d(_SMALL, second_bias=second_bias))


def _lpsc_cc(blocks: int, second_bias: bool) -> _Convs:
    return _Convs(cross2d(_SMALL, 3, 50, second_bias=second_bias), (cross2d(_SMALL, 3, 50), conv2d(3)) * blocks)


def _lpsc_cc_text(blocks: int, second_bias: bool) -> _Convs:
    return _Convs(cross2d(_SMALL, 3, 50, second_bias=second_bias), (cross2d(_SMALL, 3, 50),) * 2)


_VARIANTS: Mapping[str, Callable[[int, bool], _Convs]] = MappingProxyType(
    {
        "conv": _conv,
        "dilated": _dilated,
        "lpsc": _lpsc,
        "lpsc_5x5": _lpsc_5x5,
        "lpsc_cc": _lpsc_cc,
        "lpsc_cc_text": _lpsc_cc_text,
    }
)


class CifarResNet(nn.Module):
    """Residual network of ``depth`` = 6 n + 2 layers for small images (paper, Section 4.1; ResNet-20, ResNet-110).

    One convolution, three stages of n basic blocks with 16, 32 and 64 channels, the mean over all positions, one
    linear layer.

    Args:
        depth: number of layers, 6 n + 2: 20 and 110 in the paper.
        num_classes: number of outputs.
        variant: "conv" 3 x 3 throughout; "dilated" a first layer of 4 x 4 spread by three; "lpsc" a log-polar first
            layer of 9 x 9 (2 levels, 6 directions, growth 3), "lpsc_5x5" of 5 x 5, as the text has it for ResNet-110;
            "lpsc_cc" the first layer and the first convolution of every block of the first stage half log-polar 5 x 5,
            as the authors' program has it; "lpsc_cc_text" the first layer and both convolutions of the first block.
        in_channels: channels of the input.
        first: builder of the first layer; the variant's by default.
        cross: builder of the first convolution of every block of the first stage; the variant's by default.
        separate_bias: give the log-polar filters of the variant's first layer the authors' second bias.

    Shape:
        (B, in_channels, H, W) -> (B, num_classes).

    Raises:
        ValueError: a depth that is not 6 n + 2, an unknown variant, or a count below 1.

    >>> net = CifarResNet(20, variant="lpsc")
    >>> sum(p.numel() for p in net.parameters())
    272682
    """

    def __init__(
        self,
        depth: int = 20,
        num_classes: int = 10,
        variant: CifarResNetVariant = "conv",
        in_channels: int = 3,
        first: ConvBuilder | None = None,
        cross: ConvBuilder | None = None,
        separate_bias: bool = False,
    ) -> None:
        super().__init__()
        blocks, rest = divmod(_checks.integer("depth", depth, minimum=8) - 2, 6)
        if rest:
            raise ValueError(f"depth must be 6 n + 2, such as 20, 32, 44, 56 or 110, got {depth}")
        convs = pick(variant, _VARIANTS)(blocks, separate_bias)
        stage = convs.stage if cross is None else (cross, conv2d(3)) * blocks
        self.conv1 = (first or convs.first)(_checks.integer("in_channels", in_channels, minimum=1), 16)
        self.bn1 = nn.BatchNorm2d(16)
        self.relu = nn.ReLU()
        self.layer1 = basic_stage(16, 16, blocks, convs=stage)
        self.layer2 = basic_stage(16, 32, blocks, stride=2)
        self.layer3 = basic_stage(32, 64, blocks, stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(64, _checks.integer("num_classes", num_classes, minimum=1))
        draw_he(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores of the classes, (B, num_classes)."""
        y: Tensor = self.relu(self.bn1(self.conv1(x)))
        y = self.avgpool(self.layer3(self.layer2(self.layer1(y))))
        scores: Tensor = self.fc(y.flatten(1))
        return scores
