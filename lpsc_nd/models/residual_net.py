"""A small residual network for images, series and volumes, for any convolution."""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from lpsc_nd import _checks
from lpsc_nd.models.budget import widths_within
from lpsc_nd.models.builder import ConvBuilder, TorchLayers, torch_layers


class ResidualBlock(nn.Module):
    """Two convolutions with batch normalisation and a shortcut: ``relu(x' + bn(conv(relu(bn(conv(x))))))``.

    ``x'`` is ``x`` itself, or its 1x1 projection with batch normalisation when the number of channels changes.

    Args:
        conv: builder of the two convolutions.
        in_channels: channels of the input.
        out_channels: channels of the output.
        layers: torch classes of the dimension.

    Shape:
        ``(B, in_channels, *size)`` to ``(B, out_channels, *size)``.

    Raises:
        ValueError: in the forward pass, when the builder's convolution does not keep the spatial size.
    """

    def __init__(self, conv: ConvBuilder, in_channels: int, out_channels: int, layers: TorchLayers) -> None:
        super().__init__()
        self.conv1 = conv(in_channels, out_channels)
        self.norm1 = layers.norm(out_channels)
        self.conv2 = conv(out_channels, out_channels)
        self.norm2 = layers.norm(out_channels)
        self.relu = nn.ReLU()
        self.shortcut = nn.Identity() if in_channels == out_channels else _projection(in_channels, out_channels, layers)

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output, of the input's spatial size."""
        y: Tensor = self.relu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        if y.shape[2:] != x.shape[2:]:
            raise ValueError(
                f"conv must keep the spatial size: got {tuple(y.shape[2:])} from {tuple(x.shape[2:])}; "
                "use stride 1 and a padding of dilation * (kernel_size - 1) / 2"
            )
        out: Tensor = self.relu(self.shortcut(x) + y)
        return out


class ResidualNet(nn.Module):
    """A residual network whose convolution is passed in.

    One convolution as the stem, then one stage of residual blocks for each entry of ``widths``, average pooling by two
    between the stages, the mean over all positions, and one linear layer. Every convolution with a window comes from
    ``conv``; the 1x1 projections of the shortcuts are torch's own.

    Args:
        ndim: number of spatial axes: 1, 2 or 3.
        conv: builder of the convolutions, see :class:`ConvBuilder`.
        in_channels: channels of the input.
        num_classes: number of outputs.
        widths: channels of each stage.
        blocks: residual blocks in each stage.
        budget: parameters at most; ``widths`` then give the proportions, and are scaled by one factor to the largest
            network that has no more.

    Attributes:
        widths: channels of each stage, scaled if there is a budget.

    Shape:
        ``(B, in_channels, *size)`` to ``(B, num_classes)``.

    Raises:
        ValueError: ``ndim`` is not 1, 2 or 3, ``widths`` is empty, a count is below 1, or the smallest network
            exceeds the budget.
        TypeError: a count is not an integer.

    Example:
        >>> from functools import partial
        >>> import torch
        >>> net = ResidualNet(2, partial(nn.Conv2d, kernel_size=3, padding=1), in_channels=1, num_classes=10)
        >>> net(torch.zeros(4, 1, 8, 8)).shape
        torch.Size([4, 10])
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
                budget, self.widths, lambda scaled: ResidualNet(ndim, conv, in_channels, num_classes, scaled, blocks)
            )
        widths = self.widths
        layers = torch_layers(ndim)
        self.stem = nn.Sequential(conv(in_channels, widths[0]), layers.norm(widths[0]), nn.ReLU())
        self.stages = nn.Sequential(residual_stage(conv, widths[0], widths[0], blocks, layers))
        for before, after in pairwise(widths):
            self.stages.append(layers.pool(2, ceil_mode=True))
            self.stages.append(residual_stage(conv, before, after, blocks, layers))
        self.classifier = nn.Linear(widths[-1], num_classes)

    def features(self, x: Tensor) -> Tensor:
        """Return the last stage's map, ``(B, widths[-1], *size / 2 ** (stages - 1))``, each axis rounded up."""
        out: Tensor = self.stages(self.stem(x))
        return out

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores of the classes, ``(B, num_classes)``."""
        pooled = self.features(x).flatten(2).mean(dim=2)  # (B, widths[-1])
        scores: Tensor = self.classifier(pooled)
        return scores


def _projection(in_channels: int, out_channels: int, layers: TorchLayers) -> nn.Module:
    return nn.Sequential(layers.pointwise(in_channels, out_channels, 1, bias=False), layers.norm(out_channels))


def residual_stage(
    conv: ConvBuilder, in_channels: int, out_channels: int, blocks: int, layers: TorchLayers
) -> nn.Sequential:
    """Return ``blocks`` residual blocks, the first of which changes the number of channels."""
    channels = [in_channels] + [out_channels] * blocks
    return nn.Sequential(*(ResidualBlock(conv, before, after, layers) for before, after in pairwise(channels)))
