"""The layers for one, two and three dimensions: nn.ConvNd's arguments, then the log-polar ones."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from numpy.typing import ArrayLike

from lpsc_nd.geometry import Convention, Partition, Reduction
from lpsc_nd.layers.conv_nd import LPSConvNd
from lpsc_nd.pooling.dispatch import Engine
from lpsc_nd.pooling.padding import PaddingMode


class LPSConv1d(LPSConvNd):
    """Log-polar space convolution in a line: :class:`LPSConvNd` with ``ndim`` 1, in place of nn.Conv1d.

    Inputs are (B, C, L) or without B; 2 directions: + and - by default. With ``causal`` the regions are the levels of
    the past alone, ``num_levels`` of them.

    >>> LPSConv1d(4, 8, 33, padding="same", num_levels=4)(torch.zeros(2, 4, 100)).shape
    torch.Size([2, 8, 100])
    >>> LPSConv1d(4, 8, 33, padding="same", num_levels=4, causal=True).weight.shape
    torch.Size([8, 4, 4])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int] | None = None,
        stride: int | Sequence[int] = 1,
        padding: str | int | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: PaddingMode = "zeros",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        num_levels: int = 2,
        num_directions: int = 2,
        growth: float = 2.0,
        eccentricity: float = 1.0,
        angle: float = 0.0,
        spacing: float | Sequence[float] | None = None,
        radius: float | None = None,
        convention: Convention = "paper",
        center: bool = True,
        reduction: Reduction = "mean",
        partition: Partition | None = None,
        causal: bool = False,
        engine: Engine = "auto",
    ) -> None:
        super().__init__(
            1, in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, device,
            dtype, num_levels=num_levels, num_directions=num_directions, growth=growth, eccentricity=eccentricity,
            angle=angle, spacing=spacing, radius=radius, convention=convention, center=center, reduction=reduction,
            partition=partition, causal=causal, engine=engine,
        )  # fmt: skip


class LPSConv2d(LPSConvNd):
    """Log-polar space convolution in the plane: :class:`LPSConvNd` with ``ndim`` 2, in place of nn.Conv2d.

    Inputs are (B, C, H, W) or without B; 6 directions by default.

    >>> LPSConv2d(3, 64, 9, padding=4, num_levels=2, num_directions=6, growth=3.0)(torch.zeros(1, 3, 32, 32)).shape
    torch.Size([1, 64, 32, 32])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int] | None = None,
        stride: int | Sequence[int] = 1,
        padding: str | int | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: PaddingMode = "zeros",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        num_levels: int = 2,
        num_directions: int | ArrayLike = 6,
        growth: float = 2.0,
        eccentricity: float = 1.0,
        angle: float = 0.0,
        spacing: float | Sequence[float] | None = None,
        radius: float | None = None,
        convention: Convention = "paper",
        center: bool = True,
        reduction: Reduction = "mean",
        partition: Partition | None = None,
        engine: Engine = "auto",
    ) -> None:
        super().__init__(
            2, in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, device,
            dtype, num_levels=num_levels, num_directions=num_directions, growth=growth, eccentricity=eccentricity,
            angle=angle, spacing=spacing, radius=radius, convention=convention, center=center, reduction=reduction,
            partition=partition, engine=engine,
        )  # fmt: skip


class LPSConv3d(LPSConvNd):
    """Log-polar space convolution in space: :class:`LPSConvNd` with ``ndim`` 3, in place of nn.Conv3d.

    Inputs are (B, C, D, H, W) or without B; 2 polar bands x 6 azimuth sectors by default.

    >>> LPSConv3d(2, 4, 7, padding=3, num_directions=(2, 4))(torch.zeros(1, 2, 8, 8, 8)).shape
    torch.Size([1, 4, 8, 8, 8])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int] | None = None,
        stride: int | Sequence[int] = 1,
        padding: str | int | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: PaddingMode = "zeros",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        num_levels: int = 2,
        num_directions: int | Sequence[int] | ArrayLike = (2, 6),
        growth: float = 2.0,
        eccentricity: float = 1.0,
        angle: float = 0.0,
        spacing: float | Sequence[float] | None = None,
        radius: float | None = None,
        convention: Convention = "paper",
        center: bool = True,
        reduction: Reduction = "mean",
        partition: Partition | None = None,
        engine: Engine = "auto",
    ) -> None:
        super().__init__(
            3, in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, device,
            dtype, num_levels=num_levels, num_directions=num_directions, growth=growth, eccentricity=eccentricity,
            angle=angle, spacing=spacing, radius=radius, convention=convention, center=center, reduction=reduction,
            partition=partition, engine=engine,
        )  # fmt: skip
