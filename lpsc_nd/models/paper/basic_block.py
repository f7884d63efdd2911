"""The residual block of two 3 x 3 convolutions, with torchvision's parameter names."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from lpsc_nd.models.builder import ConvBuilder
from lpsc_nd.models.paper.published import conv2d


class BasicBlock(nn.Module):
    """``relu(x' + bn2(conv2(relu(bn1(conv1(x))))))``, x' being x or its strided 1 x 1 projection ``downsample``.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        conv1: builder of the first convolution, the stride included.
        conv2: builder of the second one.
        stride: of the shortcut; a projection is made where it is not 1 or the channels change.

    Shape:
        (B, in_channels, H, W) -> (B, out_channels, H / stride, W / stride), rounded up.
    """

    def __init__(
        self, in_channels: int, out_channels: int, conv1: ConvBuilder, conv2: ConvBuilder, stride: int = 1
    ) -> None:
        super().__init__()
        self.conv1 = conv1(in_channels, out_channels)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU()
        self.conv2 = conv2(out_channels, out_channels)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or in_channels != out_channels:
            self.downsample = nn.Sequential(conv2d(1, stride)(in_channels, out_channels), nn.BatchNorm2d(out_channels))

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        y: Tensor = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        out: Tensor = self.relu(y + (x if self.downsample is None else self.downsample(x)))
        return out


def basic_stage(
    in_channels: int, out_channels: int, blocks: int, stride: int = 1, convs: Sequence[ConvBuilder] = ()
) -> nn.Sequential:
    """Return a stage of blocks, the first of them with the stride.

    Args:
        in_channels: channels of the input.
        out_channels: channels of all blocks.
        blocks: number of blocks.
        stride: of the first block.
        convs: builders of the stage's first convolutions, two to a block; the rest are dense 3 x 3 ones.
    """
    dense = [conv2d(3, stride), *(conv2d(3),) * (2 * blocks - 1)]
    builders = [*convs, *dense[len(convs) :]]
    channels = [in_channels, *(out_channels,) * blocks]
    strides = [stride, *(1,) * (blocks - 1)]
    return nn.Sequential(
        *(
            BasicBlock(before, after, conv1, conv2, step)
            for before, after, conv1, conv2, step in zip(
                channels[:-1], channels[1:], builders[::2], builders[1::2], strides, strict=True
            )
        )
    )
