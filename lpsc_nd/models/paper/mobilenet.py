"""MobileNetV2, the encoder of the paper's DeepLabv3+, with torchvision's parameter names."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional as F

from lpsc_nd import _checks
from lpsc_nd.models.paper.initial import draw_he


class _Stage(NamedTuple):
    expansion: int
    channels: int
    blocks: int
    stride: int


STAGES = (
    _Stage(1, 16, 1, 1),
    _Stage(6, 24, 2, 2),
    _Stage(6, 32, 3, 2),
    _Stage(6, 64, 4, 2),
    _Stage(6, 96, 3, 1),
    _Stage(6, 160, 3, 2),
    _Stage(6, 320, 1, 1),
)
"""The stages of inverted residual blocks."""


class ConvNormReLU(nn.Sequential):
    """Convolution without padding and bias, batch normalisation, rectifier cut off at 6."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, stride: int = 1, dilation: int = 1, groups: int = 1
    ) -> None:
        conv = partial(nn.Conv2d, stride=stride, dilation=dilation, groups=groups, bias=False)
        super().__init__(conv(in_channels, out_channels, kernel_size), nn.BatchNorm2d(out_channels), nn.ReLU6())


class InvertedResidual(nn.Module):
    """1 x 1 expansion, 3 x 3 depthwise convolution, 1 x 1 projection; the input is added where the shape stays.

    The zeros around the depthwise window are put on the block's input, so normalisation gives them a value.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        expansion: hidden channels per input channel; there is no expansion layer for 1.
        stride, dilation: of the depthwise convolution.

    Shape:
        (B, in_channels, H, W) -> (B, out_channels, H / stride, W / stride), rounded up.
    """

    def __init__(self, in_channels: int, out_channels: int, expansion: int, stride: int, dilation: int) -> None:
        super().__init__()
        hidden = in_channels * expansion
        layers: list[nn.Module] = [ConvNormReLU(in_channels, hidden, 1)] if expansion != 1 else []
        self.conv = nn.Sequential(
            *layers,
            ConvNormReLU(hidden, hidden, 3, stride, dilation, groups=hidden),
            nn.Conv2d(hidden, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        )
        self.padding = dilation
        self.adds_input = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        y: Tensor = self.conv(F.pad(x, (self.padding,) * 4))
        return x + y if self.adds_input else y


class MobileNetV2(nn.Module):
    """MobileNetV2 of width 1.

    The state dict has the names and shapes of torchvision's ``mobilenet_v2``, so its weights load. Padding is that of
    the public DeepLabv3+ program that the paper builds on: none in the first layer, and zeros on a block's input
    instead of on the expanded map, so that values near the border differ from torchvision's.

    Args:
        num_classes: number of outputs.
        output_stride: 32, 16 or 8; once it is reached, further strides become dilation.

    Shape:
        (B, 3, H, W) -> (B, num_classes).

    Raises:
        ValueError: another output stride, or ``num_classes`` below 1.

    >>> sum(p.numel() for p in MobileNetV2().parameters())
    3504872
    """

    def __init__(self, num_classes: int = 1000, output_stride: int = 32) -> None:
        super().__init__()
        if output_stride not in (8, 16, 32):
            raise ValueError(f"output_stride must be 8, 16 or 32, got {output_stride!r}")
        self.features = nn.Sequential(ConvNormReLU(3, 32, 3, stride=2), *_blocks(output_stride))
        self.features.append(ConvNormReLU(320, 1280, 1))
        self.classifier = nn.Sequential(
            nn.Dropout(0.2), nn.Linear(1280, _checks.integer("num_classes", num_classes, minimum=1))
        )
        draw_he(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores of the classes, (B, num_classes)."""
        features: Tensor = self.features(x)
        scores: Tensor = self.classifier(features.mean(dim=(2, 3)))
        return scores


def _blocks(output_stride: int) -> Iterator[InvertedResidual]:
    """Yield the blocks; the first block of a stage whose stride turns into dilation has the former stage's dilation."""
    channels, reached, dilation = 32, 2, 1
    for stage in STAGES:
        before = dilation
        stride = stage.stride if reached < output_stride else 1
        reached *= stride
        dilation *= stage.stride // stride
        for i in range(stage.blocks):
            first = i == 0
            yield InvertedResidual(
                channels, stage.channels, stage.expansion, stride if first else 1, before if first else dilation
            )
            channels = stage.channels
