"""VGG-19 with batch normalisation for 32 x 32 images, as in the paper's Table 1."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import Literal

from torch import Tensor, nn

from lpsc_nd import _checks
from lpsc_nd.models.builder import ConvBuilder
from lpsc_nd.models.paper.initial import draw_he
from lpsc_nd.models.paper.published import Field, conv2d, lpsc2d, pick

VGGVariant = Literal["conv", "dilated", "lpsc"]

STAGES = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))
"""Channels and convolutions of each stage: configuration E."""


def _conv(second_bias: bool) -> tuple[ConvBuilder, ...]:
    return ()


def _dilated(second_bias: bool) -> tuple[ConvBuilder, ...]:
    return (conv2d(4, dilation=2, bias=True),)


def _lpsc(second_bias: bool) -> tuple[ConvBuilder, ...]:
    return (lpsc2d(Field(5, 2, 6, 3.0), second_bias=second_bias),)


_VARIANTS: Mapping[str, Callable[[bool], tuple[ConvBuilder, ...]]] = MappingProxyType(
    {"conv": _conv, "dilated": _dilated, "lpsc": _lpsc}
)


class VGG19(nn.Module):
    """VGG-19 with batch normalisation for small images (paper, Section 4.1).

    Sixteen 3 x 3 convolutions in five stages, each with normalisation and rectifier, a maximum over 2 x 2 after each
    stage, one linear layer. The paper does not replace a layer here but puts one more in front.

    Args:
        num_classes: number of outputs.
        variant: the layer in front: "conv" none; "dilated" 4 x 4 spread by two; "lpsc" log-polar 5 x 5 (2 levels,
            6 directions, growth 3).
        in_channels: channels of the input.
        first: builder of a layer in front; the variant's by default.
        separate_bias: give the variant's log-polar layer the authors' second bias.

    Shape:
        (B, in_channels, H, W) -> (B, num_classes), H and W at least 32.

    Raises:
        ValueError: an unknown variant, or a count below 1.

    >>> net = VGG19(variant="lpsc")
    >>> sum(p.numel() for p in net.parameters())
    20078346
    """

    def __init__(
        self,
        num_classes: int = 10,
        variant: VGGVariant = "conv",
        in_channels: int = 3,
        first: ConvBuilder | None = None,
        separate_bias: bool = False,
    ) -> None:
        super().__init__()
        channels = _checks.integer("in_channels", in_channels, minimum=1)
        front = pick(variant, _VARIANTS)(separate_bias) if first is None else (first,)
        self.features = nn.Sequential()
        for stage, (width, depth) in enumerate(STAGES):
            convs = [*(front if stage == 0 else ()), *(conv2d(3, bias=True),) * depth]
            widths = [channels, *(width,) * len(convs)]
            for conv, (before, after) in zip(convs, pairwise(widths), strict=True):
                self.features.extend([conv(before, after), nn.BatchNorm2d(after), nn.ReLU()])
            self.features.append(nn.MaxPool2d(2))
            channels = width
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(channels, _checks.integer("num_classes", num_classes, minimum=1))
        self._draw()

    def _draw(self) -> None:
        draw_he(self.features)
        nn.init.normal_(self.classifier.weight, 0.0, 0.01)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores of the classes, (B, num_classes)."""
        pooled: Tensor = self.pool(self.features(x))
        scores: Tensor = self.classifier(pooled.flatten(1))
        return scores
