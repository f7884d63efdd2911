"""Log-polar pooling as a layer, in any number of dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from lpsc_nd import _checks
from lpsc_nd.functional import check_modes, make_window
from lpsc_nd.geometry import Convention, Partition, Reduction, Stencil, map_layout
from lpsc_nd.geometry._types import IntArray
from lpsc_nd.layers.options import LogPolarOptions, choose_partition, choose_window, warn_of_empty_regions
from lpsc_nd.pooling import execute
from lpsc_nd.pooling.dispatch import Engine, check_engine
from lpsc_nd.pooling.padding import PaddingMode

Layout = Literal["regions", "map"]


class LogPolarPoolNd(nn.Module):
    r"""Pool the log-polar regions around every position (Section 3.2 of the paper), in any number of dimensions.

    Args:
        ndim: number of spatial axes.
        kernel_size, stride, padding, dilation, padding_mode: as in nn.ConvNd.
        num_levels, num_directions, growth, eccentricity, angle, spacing, radius, convention, partition, engine:
            as in :class:`LPSConvNd`.
        reduction: "mean", "sum" or "max" over a region; a region without cells gives 0.
        layout: "regions" keeps one axis of regions; "map" lays the regions of each position out as a tile that shows
            where they are, 2 L x A / 2 in 2-D (Fig. 3), see :func:`lpsc_nd.geometry.map_layout`.

    Shape:
        (B, C, \*size) -> (B, C, R, \*out) with "regions"; with "map" (B, C, \*(out x tile)), in 2-D
        (B, C, H' 2 L, W' A / 2). B may be missing.

    Raises:
        ValueError, TypeError: an argument out of its range or of another type; "map" with a partition that has no
            tile, such as an odd number of directions.
        RuntimeError: an input of another rank, or smaller than the window.

    >>> LogPolarPoolNd(2, 9, padding=4, num_directions=6)(torch.zeros(1, 3, 32, 32)).shape
    torch.Size([1, 3, 12, 32, 32])
    """

    def __init__(
        self,
        ndim: int,
        kernel_size: int | Sequence[int] | None = None,
        stride: int | Sequence[int] = 1,
        padding: str | int | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        padding_mode: PaddingMode = "zeros",
        *,
        num_levels: int = 2,
        num_directions: int | Sequence[int] | ArrayLike | None = None,
        growth: float = 2.0,
        eccentricity: float = 1.0,
        angle: float = 0.0,
        spacing: float | Sequence[float] | None = None,
        radius: float | None = None,
        convention: Convention = "paper",
        reduction: Reduction = "mean",
        layout: Layout = "regions",
        partition: Partition | None = None,
        engine: Engine = "auto",
    ) -> None:
        super().__init__()
        self.ndim = _checks.integer("ndim", ndim, minimum=1)
        self.kernel_size = choose_window(self.ndim, kernel_size, radius, spacing)
        check_modes(padding_mode, reduction, engine)
        options = LogPolarOptions(num_levels, num_directions, growth, eccentricity, angle, convention, radius)
        self.partition = choose_partition(options, partition, self.kernel_size, spacing)
        self.stencil = Stencil.build(self.partition, self.kernel_size, spacing=spacing)
        self.window = make_window(self.stencil, stride, padding, dilation, center=False)
        check_engine(engine, self.window, reduction)
        self.padding_mode: PaddingMode = padding_mode
        self.reduction: Reduction = reduction
        self.engine: Engine = engine
        self.layout = _checks.choice("layout", layout, get_args(Layout))
        self._tile = map_layout(self.partition) if layout == "map" else None
        warn_of_empty_regions(self.stencil)

    @property
    def mask(self) -> IntArray:
        """Region of each cell of the window, int64 array of shape ``kernel_size``; a fresh copy."""
        return self.stencil.mask.copy()

    def forward(self, input: Tensor) -> Tensor:
        """Pool (B, C, *size) or (C, *size)."""
        pooled = execute.pool(input, self.window, self.padding_mode, self.reduction, self.engine)
        return pooled if self._tile is None else spread_tiles(pooled, self._tile)

    def extra_repr(self) -> str:
        """Write window, layout and partition."""
        return (
            f"kernel_size={self.kernel_size}, stride={self.window.stride}, padding={self.window.padding}, "
            f"dilation={self.window.dilation}, reduction={self.reduction!r}, layout={self.layout!r}, "
            f"partition={self.partition!r}"
        )


def spread_tiles(pooled: Tensor, tile: IntArray) -> Tensor:
    """Put each position's regions where ``tile`` has them: (..., R, *out) -> (..., *(out x tile))."""
    ndim = tile.ndim
    lead = pooled.ndim - ndim - 1
    index = torch.from_numpy(tile.ravel() - 1).to(pooled.device)
    tiles = pooled.index_select(lead, index).unflatten(lead, tile.shape)  # (..., *tile, *out)
    axes = [axis for i in range(ndim) for axis in (lead + ndim + i, lead + i)]
    interleaved = tiles.permute(*range(lead), *axes)
    sizes = [n * t for n, t in zip(pooled.shape[lead + 1 :], tile.shape, strict=True)]
    return interleaved.reshape(*pooled.shape[:lead], *sizes)
