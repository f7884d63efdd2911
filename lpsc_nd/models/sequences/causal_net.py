"""A residual network for forecasting, whose output at a time depends on the past alone."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lpsc_nd import _checks
from lpsc_nd.models.builder import ConvBuilder

_PROBE_LENGTH = 64


class CausalNet(nn.Module):
    """A network of causal convolutions: its output at a time depends on the input up to that time alone.

    One convolution as the stem, residual blocks ``x + conv(relu(norm(conv(relu(norm(x))))))`` of one width and one
    resolution, and a 1x1 convolution. Normalisation is over the channels of one time, in training too: a batch
    normalisation would mix in the future through its statistics, and pooling between the stages would look ahead.

    Args:
        conv: builder of the convolutions, which must be causal: ``LPSConv1d(..., causal=True)`` keeps the length.
        in_channels: channels of the input.
        out_channels: channels of the output.
        width: channels in between.
        blocks: residual blocks.

    Shape:
        ``(B, in_channels, L)`` to ``(B, out_channels, L)``.

    Raises:
        TypeError, ValueError: a count is no integer or below 1, or a convolution looks ahead or does not keep the
            length.

    Example:
        >>> from lpsc_nd import LPSConv1d
        >>> from functools import partial
        >>> conv = partial(LPSConv1d, kernel_size=33, padding=16, num_levels=4, causal=True)
        >>> CausalNet(conv, in_channels=1, out_channels=1)(torch.zeros(2, 1, 50)).shape
        torch.Size([2, 1, 50])
    """

    def __init__(
        self, conv: ConvBuilder, in_channels: int, out_channels: int, width: int = 16, blocks: int = 3
    ) -> None:
        super().__init__()
        _checks.integer("in_channels", in_channels, minimum=1)
        _checks.integer("out_channels", out_channels, minimum=1)
        _checks.integer("width", width, minimum=1)
        _checks.integer("blocks", blocks, minimum=1)
        self.stem = conv(in_channels, width)
        _check_causal(self.stem, in_channels)
        self.blocks = nn.Sequential(*(CausalBlock(conv, width) for _ in range(blocks)))
        self.head = nn.Conv1d(width, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the output at every time."""
        out: Tensor = self.head(self.blocks(self.stem(x)))
        return out


class CausalBlock(nn.Module):
    """Two causal convolutions beside a shortcut: ``x + conv(relu(norm(conv(relu(norm(x))))))``.

    Args:
        conv: builder of the convolutions.
        width: channels.

    Shape:
        ``(B, width, L)`` to the same.
    """

    def __init__(self, conv: ConvBuilder, width: int) -> None:
        super().__init__()
        self.norm1 = ChannelNorm(width)
        self.conv1 = conv(width, width)
        self.norm2 = ChannelNorm(width)
        self.conv2 = conv(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        y = self.conv1(self.norm1(x).relu())
        out: Tensor = x + self.conv2(self.norm2(y).relu())
        return out


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of each position by itself.

    Shape:
        ``(B, C, L)`` to the same.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the normalised map."""
        y = F.layer_norm(input.transpose(1, 2), self.normalized_shape, self.weight, self.bias, self.eps)
        return y.transpose(1, 2)


def _check_causal(conv: nn.Module, in_channels: int) -> None:
    """Look where the output at one time has a gradient; a convolution on the meta device has none to look at."""
    if any(parameter.is_meta for parameter in conv.parameters()):
        return
    like = next(conv.parameters(), torch.empty(()))
    times = torch.linspace(-1, 1, _PROBE_LENGTH, dtype=like.dtype, device=like.device)
    x = times.expand(1, in_channels, -1).clone().requires_grad_()
    with torch.enable_grad():
        y = conv(x)
        if y.shape[2:] != x.shape[2:]:
            raise ValueError(f"conv must keep the length, got {y.shape[2]} from {x.shape[2]}; give it a padding")
        middle = _PROBE_LENGTH // 2
        (gradient,) = torch.autograd.grad(y[..., middle].sum(), x)
    if gradient[..., middle + 1 :].any():
        raise ValueError(
            "conv must be causal, got one whose output depends on later input;"
            " use LPSConv1d(..., causal=True), or a convolution that pads before the series alone"
        )
