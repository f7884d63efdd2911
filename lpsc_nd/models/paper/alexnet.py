"""AlexNet for 32 x 32 images, as in the paper's Table 1."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from torch import Tensor, nn

from lpsc_nd import _checks
from lpsc_nd.models.builder import ConvBuilder
from lpsc_nd.models.paper.published import Field, conv2d, lpsc2d, pick

AlexNetVariant = Literal["conv", "dilated", "lpsc"]


class _Convs(NamedTuple):
    first: ConvBuilder
    second: ConvBuilder


def _conv(second_bias: bool) -> _Convs:
    first = conv2d(11, stride=4, bias=True)
    return _Convs(first, conv2d(5, bias=True))


def _dilated(second_bias: bool) -> _Convs:
    first = conv2d(5, stride=4, dilation=2, bias=True)
    return _Convs(first, conv2d(4, dilation=2, bias=True))


def _lpsc(second_bias: bool) -> _Convs:
    first = lpsc2d(Field(11, 3, 8, 2.0), stride=4, second_bias=second_bias)
    return _Convs(first, lpsc2d(Field(9, 2, 6, 3.0), second_bias=second_bias))


_VARIANTS: Mapping[str, Callable[[bool], _Convs]] = MappingProxyType(
    {"conv": _conv, "dilated": _dilated, "lpsc": _lpsc}
)


class AlexNet(nn.Module):
    """AlexNet for small images: five convolutions without normalisation, one linear layer (paper, Section 4.1).

    conv 64 / 4, pool, conv 192, pool, conv 384, conv 256, conv 256, pool, linear. On 32 x 32 images the last map is one
    cell; on larger ones its mean is taken.

    Args:
        num_classes: number of outputs.
        variant: which convolutions the first two layers are: "conv" 11 x 11 and 5 x 5; "dilated" 5 x 5 and 4 x 4, both
            spread by two; "lpsc" log-polar 11 x 11 (3 levels, 8 directions, growth 2) and 9 x 9 (2, 6, 3).
        in_channels: channels of the input.
        first: builder of the first convolution, its stride (4 in the paper) included; the variant's by default.
        second: builder of the second convolution; the variant's by default.
        separate_bias: give the variant's log-polar layers the authors' second bias.

    Shape:
        (B, in_channels, H, W) -> (B, num_classes), H and W at least 32 with stride 4.

    Raises:
        ValueError: an unknown variant, or a count below 1.

    >>> net = AlexNet(variant="lpsc")
    >>> sum(p.numel() for p in net.parameters())
    2306378
    """

    def __init__(
        self,
        num_classes: int = 10,
        variant: AlexNetVariant = "conv",
        in_channels: int = 3,
        first: ConvBuilder | None = None,
        second: ConvBuilder | None = None,
        separate_bias: bool = False,
    ) -> None:
        super().__init__()
        channels = _checks.integer("in_channels", in_channels, minimum=1)
        convs = pick(variant, _VARIANTS)(separate_bias)
        conv3 = conv2d(3, bias=True)
        self.features = nn.Sequential(
            (first or convs.first)(channels, 64), nn.ReLU(), nn.MaxPool2d(2),
            (second or convs.second)(64, 192), nn.ReLU(), nn.MaxPool2d(2),
            conv3(192, 384), nn.ReLU(),
            conv3(384, 256), nn.ReLU(),
            conv3(256, 256), nn.ReLU(), nn.MaxPool2d(2),
        )  # fmt: skip
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(256, _checks.integer("num_classes", num_classes, minimum=1))

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores of the classes, (B, num_classes)."""
        pooled: Tensor = self.pool(self.features(x))
        scores: Tensor = self.classifier(pooled.flatten(1))
        return scores
