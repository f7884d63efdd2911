"""CE-Net for vessels in retina photographs, as in the paper's Table 5."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from lpsc_nd import _checks
from lpsc_nd.models.builder import ConvBuilder
from lpsc_nd.models.paper.published import Field, conv2d, lpsc2d, pick
from lpsc_nd.models.paper.resize import Resize
from lpsc_nd.models.paper.resnet_encoder import ResNetEncoder

CENetVariant = Literal["conv", "lpsc_1", "lpsc_2", "lpsc_1_no_center", "lpsc_2_no_center"]


class _Convs(NamedTuple):
    middle: ConvBuilder
    wide: ConvBuilder


def _conv(second_bias: bool) -> _Convs:
    return _Convs(conv2d(3, dilation=3, bias=True), conv2d(3, dilation=5, bias=True))


def _lpsc(middle: Field, wide: Field) -> Callable[[bool], _Convs]:
    def convs(second_bias: bool) -> _Convs:
        return _Convs(lpsc2d(middle, second_bias=second_bias), lpsc2d(wide, second_bias=second_bias))

    return convs


def _without_center(middle: Field, wide: Field) -> Callable[[bool], _Convs]:
    def convs(second_bias: bool) -> _Convs:
        return _Convs(lpsc2d(middle, center=False), lpsc2d(wide, center=False))

    return convs


_FIRST = Field(5, 2, 6, 3.0), Field(11, 2, 6, 3.0)
_SECOND = Field(9, 3, 8, 1.5), Field(15, 3, 8, 1.5)
_VARIANTS: Mapping[str, Callable[[bool], _Convs]] = MappingProxyType(
    {
        "conv": _conv,
        "lpsc_1": _lpsc(*_FIRST),
        "lpsc_2": _lpsc(*_SECOND),
        "lpsc_1_no_center": _without_center(*_FIRST),
        "lpsc_2_no_center": _without_center(*_SECOND),
    }
)


class CENet(nn.Module):
    """CE-Net with a ResNet-34 encoder (paper, Section 4.2, Table 5).

    Encoder, dense atrous convolution, residual multi-kernel pooling, four decoder blocks with the encoder's maps added,
    and a score for every pixel. The published network puts a sigmoid on the scores; here that belongs to the loss. The
    encoder's state dict has the names of torchvision's ``resnet34`` without ``fc.*``.

    Args:
        num_classes: number of outputs per pixel.
        variant: the wide convolutions of the context module: "conv" 3 x 3 of dilation 3 and 5; "lpsc_1" log-polar 5 x 5
            and 11 x 11 (2 levels, 6 directions, growth 3); "lpsc_2" 9 x 9 and 15 x 15 (3, 8, 1.5); "_no_center"
            without a weight for the centre.
        in_channels: channels of the input.
        middle: builder of the convolution of dilation 3; the variant's by default.
        wide: builder of the convolution of dilation 5; the variant's by default.
        separate_bias: give the variant's log-polar layers, where they have a centre, the authors' second bias.

    Shape:
        (B, in_channels, H, W) -> (B, num_classes, H, W), H and W at least 161. Where they are no multiples of 32, the
        decoder's maps are cut to the sizes of the encoder's.

    Raises:
        ValueError: an unknown variant, a count below 1, or in the forward pass an input that is too small.

    >>> net = CENet(variant="lpsc_1")
    >>> sum(p.numel() for p in net.parameters())
    31100245
    """

    def __init__(
        self,
        num_classes: int = 1,
        variant: CENetVariant = "conv",
        in_channels: int = 3,
        middle: ConvBuilder | None = None,
        wide: ConvBuilder | None = None,
        separate_bias: bool = False,
    ) -> None:
        super().__init__()
        convs = pick(variant, _VARIANTS)(separate_bias)
        classes = _checks.integer("num_classes", num_classes, minimum=1)
        self.encoder = ResNetEncoder(34, in_channels)
        self.dblock = DenseAtrousConv(512, middle or convs.middle, wide or convs.wide)
        self.spp = MultiKernelPool(512)
        self.decoder4 = DecoderBlock(512 + len(self.spp.pools), 256)
        self.decoder3 = DecoderBlock(256, 128)
        self.decoder2 = DecoderBlock(128, 64)
        self.decoder1 = DecoderBlock(64, 64)
        self.head = nn.Sequential(
            nn.ConvTranspose2d(64, 32, 4, stride=2, padding=1), nn.ReLU(),
            nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(),
            nn.Conv2d(32, classes, 3, padding=1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores of every pixel, (B, num_classes, H, W)."""
        first, second, third, fourth = self.encoder(x)
        y: Tensor = self.spp(self.dblock(fourth))
        for decoder, skip in ((self.decoder4, third), (self.decoder3, second), (self.decoder2, first)):
            y = _cut(decoder(y), skip.shape[2:]) + skip
        stem = [-(-extent // 2) for extent in x.shape[2:]]
        return _cut(self.head(_cut(self.decoder1(y), stem)), x.shape[2:])


class DenseAtrousConv(nn.Module):
    """Four cascades of convolutions that share their weights, added to the input.

        x + r(d1 x) + r(p d3 x) + r(p d3 d1 x) + r(p d5 d3 d1 x),    r = relu

    d1 is a 3 x 3 convolution and p a 1 x 1 one; d3 and d5 come from the builders.

    Args:
        channels: channels of input and output.
        middle: builder of d3.
        wide: builder of d5.

    Shape:
        (B, channels, H, W) -> (B, channels, H, W).
    """

    def __init__(self, channels: int, middle: ConvBuilder, wide: ConvBuilder) -> None:
        super().__init__()
        self.dilate1 = conv2d(3, bias=True)(channels, channels)
        self.dilate2 = middle(channels, channels)
        self.dilate3 = wide(channels, channels)
        self.conv1x1 = conv2d(1, bias=True)(channels, channels)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Add the four cascades to the input."""
        near = self.dilate1(x)
        cascade = self.dilate2(near)
        out: Tensor = x + self.relu(near)
        for y in (self.dilate2(x), cascade, self.dilate3(cascade)):
            out = out + self.relu(self.conv1x1(y))
        return out


class MultiKernelPool(nn.Module):
    """Residual multi-kernel pooling: the input joined with one channel for each of several maxima.

    Args:
        channels: channels of the input.
        windows: sizes and strides of the maxima.

    Shape:
        (B, channels, H, W) -> (B, len(windows) + channels, H, W), H and W at least the largest window.

    Raises:
        ValueError: in the forward pass, a map smaller than the largest window.
    """

    def __init__(self, channels: int, windows: Sequence[int] = (2, 3, 5, 6)) -> None:
        super().__init__()
        self.pools = nn.ModuleList(nn.MaxPool2d(window) for window in windows)
        self.conv = conv2d(1, bias=True)(channels, 1)
        self.resize = Resize()
        self.smallest = max(windows)

    def forward(self, x: Tensor) -> Tensor:
        """Join the pooled maps, then the input."""
        if min(x.shape[2:]) < self.smallest:
            raise ValueError(
                f"input must give a map of at least {self.smallest} x {self.smallest} before multi-kernel pooling "
                f"(CE-Net: images of at least {32 * self.smallest - 31}), got {tuple(x.shape[2:])}"
            )
        pooled = [self.resize(self.conv(pool(x)), x.shape[2:]) for pool in self.pools]
        return torch.cat([*pooled, x], dim=1)


class DecoderBlock(nn.Module):
    """1 x 1 to a quarter of the channels, transposed 3 x 3 that doubles the size, 1 x 1, each normalised and rectified.

    Shape:
        (B, in_channels, H, W) -> (B, out_channels, 2 H, 2 W).
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        hidden = in_channels // 4
        self.conv1 = nn.Conv2d(in_channels, hidden, 1)
        self.norm1 = nn.BatchNorm2d(hidden)
        self.deconv2 = nn.ConvTranspose2d(hidden, hidden, 3, stride=2, padding=1, output_padding=1)
        self.norm2 = nn.BatchNorm2d(hidden)
        self.conv3 = nn.Conv2d(hidden, out_channels, 1)
        self.norm3 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Return the map of twice the size."""
        y = self.relu(self.norm1(self.conv1(x)))
        y = self.relu(self.norm2(self.deconv2(y)))
        out: Tensor = self.relu(self.norm3(self.conv3(y)))
        return out


def _cut(x: Tensor, size: Sequence[int]) -> Tensor:
    return x[..., : size[0], : size[1]]
