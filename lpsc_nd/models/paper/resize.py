"""Bilinear resizing as a module, so that tables of a network's layers show it."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F


class Resize(nn.Module):
    """Interpolate bilinearly between the centres of cells: (B, C, H, W) -> (B, C, *size)."""

    def forward(self, x: Tensor, size: Sequence[int]) -> Tensor:
        """Return the map at the given size."""
        return F.interpolate(x, tuple(size), mode="bilinear", align_corners=False)
