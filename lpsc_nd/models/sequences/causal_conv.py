"""The conventional convolution that looks back only, to compare with."""

from torch import Tensor, nn
from torch.nn import functional as F

from lpsc_nd import _checks


class CausalConv1d(nn.Conv1d):
    """nn.Conv1d of stride 1 that keeps the length and reads the present and the past: zeros pad the beginning alone.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: cells of the window, the last of which is the present.
        dilation: distance of neighbouring cells.
        bias: whether there is a bias.

    Shape:
        ``(B, in_channels, L)`` to ``(B, out_channels, L)``.

    Raises:
        TypeError, ValueError: an argument is no integer or below 1.

    Example:
        >>> import torch
        >>> CausalConv1d(1, 8, kernel_size=9, dilation=4)(torch.zeros(2, 1, 50)).shape
        torch.Size([2, 8, 50])
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, dilation: int = 1, bias: bool = True
    ) -> None:
        _checks.integer("kernel_size", kernel_size, minimum=1)
        _checks.integer("dilation", dilation, minimum=1)
        super().__init__(in_channels, out_channels, kernel_size, dilation=dilation, bias=bias)
        self.num_before = dilation * (kernel_size - 1)

    def forward(self, input: Tensor) -> Tensor:
        """Return the convolution of the input with zeros before it."""
        return super().forward(F.pad(input, (self.num_before, 0)))
