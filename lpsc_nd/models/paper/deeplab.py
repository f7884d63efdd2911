"""DeepLabv3+ on MobileNetV2, as in the paper's Table 4."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal

import torch
from torch import Tensor, nn

from lpsc_nd import _checks
from lpsc_nd.models.builder import ConvBuilder
from lpsc_nd.models.paper.initial import draw_he
from lpsc_nd.models.paper.mobilenet import MobileNetV2
from lpsc_nd.models.paper.published import Field, conv2d, lpsc2d, pick
from lpsc_nd.models.paper.resize import Resize

DeepLabVariant = Literal["conv", "lpsc", "lpsc_center"]

_FIELD = Field(9, 2, 8, 2.0)


def _dilated(rate: int, second_bias: bool) -> ConvBuilder:
    return conv2d(3, dilation=rate)


def _lpsc(rate: int, second_bias: bool) -> ConvBuilder:
    return lpsc2d(_FIELD, center=False)


def _lpsc_center(rate: int, second_bias: bool) -> ConvBuilder:
    return lpsc2d(_FIELD, second_bias=second_bias)


_VARIANTS: Mapping[str, Callable[[int, bool], ConvBuilder]] = MappingProxyType(
    {"conv": _dilated, "lpsc": _lpsc, "lpsc_center": _lpsc_center}
)


class DeepLabV3Plus(nn.Module):
    """DeepLabv3+ with a MobileNetV2 backbone (paper, Section 4.2, Table 4).

    The state dict of the variant "conv" has the names of VainF's DeepLabV3Plus-Pytorch for ``deeplabv3plus_mobilenet``.
    For torchvision's weights of the backbone, load them into a :class:`MobileNetV2` and pass that.

    Args:
        num_classes: number of outputs per pixel.
        variant: the third atrous branch: "conv" 3 x 3 of the largest rate; "lpsc" log-polar 9 x 9 (2 levels,
            8 directions, growth 2) without a weight for the centre, as in the authors' program; "lpsc_center" with it.
        output_stride: 16, with rates 6, 12 and 18, or 8, with twice these.
        third: builder of the third atrous branch; the variant's by default.
        backbone: a network whose features are used; a new one of the same output stride by default.
        separate_bias: give the variant's log-polar layer, where it has a centre, the authors' second bias.

    Shape:
        (B, 3, H, W) -> (B, num_classes, H, W); training needs B of at least 2.

    Raises:
        ValueError: an unknown variant, another output stride, or ``num_classes`` below 1.

    >>> net = DeepLabV3Plus(variant="lpsc")
    >>> sum(p.numel() for p in net.parameters())
    5799413
    """

    def __init__(
        self,
        num_classes: int = 21,
        variant: DeepLabVariant = "conv",
        output_stride: Literal[8, 16] = 16,
        third: ConvBuilder | None = None,
        backbone: MobileNetV2 | None = None,
        separate_bias: bool = False,
    ) -> None:
        super().__init__()
        if output_stride not in (8, 16):
            raise ValueError(f"output_stride must be 8 or 16, got {output_stride!r}")
        rates = [rate * 16 // output_stride for rate in (6, 12, 18)]
        branches = [conv2d(3, dilation=rate) for rate in rates[:2]]
        branches.append(third or pick(variant, _VARIANTS)(rates[2], separate_bias))
        self.backbone = MobileNetBackbone(backbone or MobileNetV2(output_stride=output_stride))
        self.classifier = DeepLabHead(320, 24, _checks.integer("num_classes", num_classes, minimum=1), branches)
        self.resize = Resize()

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores of every pixel, (B, num_classes, H, W)."""
        scores: Tensor = self.classifier(*self.backbone(x))
        resized: Tensor = self.resize(scores, x.shape[2:])
        return resized


class MobileNetBackbone(nn.Module):
    """The layers of a MobileNetV2 up to its last inverted residual, cut where the map of stride 4 is.

    Batch normalisation follows the running statistics with momentum 0.01, as in the published recipe.

    Shape:
        (B, 3, H, W) -> (B, 24, H / 4, W / 4), (B, 320, H / stride, W / stride).
    """

    def __init__(self, network: MobileNetV2) -> None:
        super().__init__()
        self.low_level_features = network.features[:4]
        self.high_level_features = network.features[4:-1]
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = 0.01

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the map of stride 4 and the last one."""
        low: Tensor = self.low_level_features(x)
        return low, self.high_level_features(low)


class DeepLabHead(nn.Module):
    """Spatial pyramid, joined with the fine map, and a score for every position of the fine map.

    Args:
        in_channels: channels of the coarse map.
        low_channels: channels of the fine map.
        num_classes: number of outputs.
        branches: builders of the pyramid's atrous branches.

    Shape:
        (B, low_channels, H, W), (B, in_channels, h, w) -> (B, num_classes, H, W).
    """

    def __init__(self, in_channels: int, low_channels: int, num_classes: int, branches: list[ConvBuilder]) -> None:
        super().__init__()
        self.project = _normalised(conv2d(1), low_channels, 48)
        self.aspp = SpatialPyramid(in_channels, 256, branches)
        self.classifier = nn.Sequential(*_normalised(conv2d(3), 304, 256), nn.Conv2d(256, num_classes, 1))
        self.resize = Resize()
        draw_he(self, mode="fan_in")

    def forward(self, low: Tensor, high: Tensor) -> Tensor:
        """Return the scores on the fine map."""
        fine = self.project(low)
        coarse = self.resize(self.aspp(high), fine.shape[2:])
        scores: Tensor = self.classifier(torch.cat([fine, coarse], dim=1))
        return scores


class SpatialPyramid(nn.Module):
    """Atrous spatial pyramid pooling: 1 x 1, the given branches, and the image's mean, joined by 1 x 1.

    Shape:
        (B, in_channels, H, W) -> (B, out_channels, H, W).
    """

    def __init__(self, in_channels: int, out_channels: int, branches: list[ConvBuilder]) -> None:
        super().__init__()
        layers = [_normalised(build, in_channels, out_channels) for build in (conv2d(1), *branches)]
        self.convs = nn.ModuleList([*layers, ImageMean(in_channels, out_channels)])
        self.project = _normalised(conv2d(1), out_channels * len(self.convs), out_channels).append(nn.Dropout(0.1))

    def forward(self, x: Tensor) -> Tensor:
        """Join all branches."""
        joined: Tensor = self.project(torch.cat([branch(x) for branch in self.convs], dim=1))
        return joined


class ImageMean(nn.Sequential):
    """The mean of the whole map, through 1 x 1, at every position: (B, C, H, W) -> (B, C', H, W)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(nn.AdaptiveAvgPool2d(1), *_normalised(conv2d(1), in_channels, out_channels), Resize())

    def forward(self, x: Tensor) -> Tensor:
        """Spread the mean over the map."""
        *layers, resize = self
        y = x
        for layer in layers:
            y = layer(y)
        spread: Tensor = resize(y, x.shape[2:])
        return spread


def _normalised(conv: ConvBuilder, in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(conv(in_channels, out_channels), nn.BatchNorm2d(out_channels), nn.ReLU())
