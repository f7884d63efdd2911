"""A small residual encoder and decoder for segmentation in any dimension, for any convolution."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lpsc_nd import _checks
from lpsc_nd.models.budget import widths_within
from lpsc_nd.models.builder import ConvBuilder, torch_layers
from lpsc_nd.models.residual_net import ResidualBlock, residual_stage


class UNet(nn.Module):
    """A residual encoder and decoder with skip connections, whose convolution is passed in.

    The encoder is that of :class:`~lpsc_nd.models.ResidualNet`: a stem, then one stage of residual blocks for each
    entry of ``widths``, average pooling by two between them. The decoder goes back up: the nearest cell's values of
    the coarser map, beside the encoder's map of that size, go through one residual block. A 1x1 convolution gives
    the scores. Every convolution with a window comes from ``conv``.

    Args:
        ndim: number of spatial axes: 1, 2 or 3.
        conv: builder of the convolutions, see :class:`ConvBuilder`.
        in_channels: channels of the input.
        num_classes: number of scores per cell.
        widths: channels of each stage, the finest first.
        blocks: residual blocks in each stage of the encoder.
        budget: parameters at most; ``widths`` then give the proportions, and are scaled by one factor to the largest
            network that has no more.

    Attributes:
        widths: channels of each stage, scaled if there is a budget.

    Shape:
        ``(B, in_channels, *size)`` to ``(B, num_classes, *size)``, ``2 ** (len(widths) - 1)`` cells or more per axis.

    Raises:
        ValueError: ``ndim`` is not 1, 2 or 3, ``widths`` is empty, a count is below 1, or the smallest network
            exceeds the budget.
        TypeError: a count is not an integer.

    Example:
        >>> from functools import partial
        >>> import torch
        >>> net = UNet(2, partial(nn.Conv2d, kernel_size=3, padding=1), in_channels=3, num_classes=1)
        >>> net(torch.zeros(2, 3, 20, 15)).shape
        torch.Size([2, 1, 20, 15])
    """

    def __init__(
        self,
        ndim: int,
        conv: ConvBuilder,
        in_channels: int,
        num_classes: int,
        widths: Sequence[int] = (16, 32),
        blocks: int = 1,
        budget: int | None = None,
    ) -> None:
        super().__init__()
        _checks.integer("in_channels", in_channels, minimum=1)
        _checks.integer("num_classes", num_classes, minimum=1)
        _checks.integer("blocks", blocks, minimum=1)
        self.widths = _checks.integers("widths", widths, len(widths), minimum=1)
        if budget is not None:
            self.widths = widths_within(
                budget, self.widths, lambda scaled: UNet(ndim, conv, in_channels, num_classes, scaled, blocks)
            )
        widths = self.widths
        layers = torch_layers(ndim)
        self.stem = nn.Sequential(conv(in_channels, widths[0]), layers.norm(widths[0]), nn.ReLU())
        self.encoder = nn.ModuleList(
            residual_stage(conv, before, after, blocks, layers) for before, after in pairwise([widths[0], *widths])
        )
        self.pool = layers.pool(2, ceil_mode=True)
        self.decoder = nn.ModuleList(
            ResidualBlock(conv, coarse + fine, fine, layers) for fine, coarse in reversed([*pairwise(widths)])
        )
        self.classifier = layers.pointwise(widths[0], num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores of every cell."""
        x = self.encoder[0](self.stem(x))
        skips = []
        for stage in self.encoder[1:]:
            skips.append(x)
            x = stage(self.pool(x))
        for block in self.decoder:
            skip = skips.pop()
            x = block(torch.cat([F.interpolate(x, size=skip.shape[2:]), skip], dim=1))
        scores: Tensor = self.classifier(x)
        return scores
