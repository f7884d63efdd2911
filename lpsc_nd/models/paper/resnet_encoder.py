"""The convolutional part of ResNet-18 and ResNet-34, with torchvision's parameter names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal

from torch import Tensor, nn

from lpsc_nd import _checks
from lpsc_nd.models.builder import ConvBuilder
from lpsc_nd.models.paper.basic_block import basic_stage
from lpsc_nd.models.paper.initial import draw_he
from lpsc_nd.models.paper.published import conv2d

ResNetDepth = Literal[18, 34]

BLOCKS: Mapping[int, tuple[int, int, int, int]] = MappingProxyType({18: (2, 2, 2, 2), 34: (3, 4, 6, 3)})
"""Basic blocks of each stage, by depth."""


class ResNetTrunk(nn.Module):
    """The layers that :class:`ResNetEncoder` and :class:`ImageNetResNet` share.

    Args:
        depth: 18 or 34.
        in_channels: channels of the input.
        first: builder of the first layer, stride 2 included; 7 x 7 by default.
        convs: builders of the first stage's first convolutions, two to a block; dense 3 x 3 ones by default.

    Raises:
        ValueError: another depth, or ``in_channels`` below 1.
    """

    def __init__(
        self,
        depth: ResNetDepth = 34,
        in_channels: int = 3,
        first: ConvBuilder | None = None,
        convs: Sequence[ConvBuilder] = (),
    ) -> None:
        super().__init__()
        if depth not in BLOCKS:
            raise ValueError(f"depth must be one of {sorted(BLOCKS)}, got {depth!r}")
        blocks = BLOCKS[depth]
        self.conv1 = (first or conv2d(7, stride=2))(_checks.integer("in_channels", in_channels, minimum=1), 64)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = basic_stage(64, 64, blocks[0], convs=convs)
        self.layer2 = basic_stage(64, 128, blocks[1], stride=2)
        self.layer3 = basic_stage(128, 256, blocks[2], stride=2)
        self.layer4 = basic_stage(256, 512, blocks[3], stride=2)
        draw_he(self)

    def maps(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the maps of the four stages, the finest first."""
        stem: Tensor = self.relu(self.bn1(self.conv1(x)))
        first: Tensor = self.layer1(self.maxpool(stem))
        second: Tensor = self.layer2(first)
        third: Tensor = self.layer3(second)
        return first, second, third, self.layer4(third)


class ResNetEncoder(ResNetTrunk):
    """ResNet-18 or ResNet-34 without its classifier: maps of stride 4, 8, 16 and 32.

    The state dict has the names of torchvision's ``resnet18`` and ``resnet34`` without ``fc.*``, so their weights load.

    Shape:
        (B, in_channels, H, W) -> four maps (B, 64 * 2^i, H / 2^(i+2), W / 2^(i+2)), i = 0 to 3, rounded up.

    >>> import torch
    >>> [tuple(y.shape[1:]) for y in ResNetEncoder(18)(torch.zeros(1, 3, 64, 64))]
    [(64, 16, 16), (128, 8, 8), (256, 4, 4), (512, 2, 2)]
    """

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the maps of the four stages, the finest first."""
        return self.maps(x)
