"""The cross convolution for one, two and three dimensions: thin faces of CrossConvNd with full signatures."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from numpy.typing import ArrayLike

from lpsc_nd.geometry import Convention, Partition, Reduction
from lpsc_nd.layers.cross_nd import CrossConvNd
from lpsc_nd.pooling.dispatch import Engine
from lpsc_nd.pooling.padding import PaddingMode


class CrossConv1d(CrossConvNd):
    """Conventional and log-polar filters side by side in a line: :class:`CrossConvNd` with ``ndim`` 1.

    Inputs are (B, C, L) or without B; 2 directions: + and - by default.

    >>> CrossConv1d(4, 8, 33, padding="same", num_levels=4)(torch.zeros(2, 4, 100)).shape
    torch.Size([2, 8, 100])
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
        conv_kernel_size: int | Sequence[int] = 3,
        ratio: float = 50,
        conv_bias: bool | None = None,
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
        engine: Engine = "auto",
    ) -> None:
        super().__init__(
            1, in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, device,
            dtype, conv_kernel_size=conv_kernel_size, ratio=ratio, conv_bias=conv_bias, num_levels=num_levels,
            num_directions=num_directions, growth=growth, eccentricity=eccentricity, angle=angle, spacing=spacing,
            radius=radius, convention=convention, center=center, reduction=reduction, partition=partition,
            engine=engine,
        )  # fmt: skip


class CrossConv2d(CrossConvNd):
    """Conventional and log-polar filters side by side in the plane: :class:`CrossConvNd` with ``ndim`` 2.

    Inputs are (B, C, H, W) or without B; 6 directions by default.

    >>> CrossConv2d(3, 16, 9, padding=4, ratio=25)(torch.zeros(1, 3, 32, 32)).shape
    torch.Size([1, 16, 32, 32])
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
        conv_kernel_size: int | Sequence[int] = 3,
        ratio: float = 50,
        conv_bias: bool | None = None,
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
            dtype, conv_kernel_size=conv_kernel_size, ratio=ratio, conv_bias=conv_bias, num_levels=num_levels,
            num_directions=num_directions, growth=growth, eccentricity=eccentricity, angle=angle, spacing=spacing,
            radius=radius, convention=convention, center=center, reduction=reduction, partition=partition,
            engine=engine,
        )  # fmt: skip


class CrossConv3d(CrossConvNd):
    """Conventional and log-polar filters side by side in space: :class:`CrossConvNd` with ``ndim`` 3.

    Inputs are (B, C, D, H, W) or without B; 2 polar bands x 6 azimuth sectors by default.

    >>> CrossConv3d(2, 4, 7, padding=3)(torch.zeros(1, 2, 8, 8, 8)).shape
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
        conv_kernel_size: int | Sequence[int] = 3,
        ratio: float = 50,
        conv_bias: bool | None = None,
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
            dtype, conv_kernel_size=conv_kernel_size, ratio=ratio, conv_bias=conv_bias, num_levels=num_levels,
            num_directions=num_directions, growth=growth, eccentricity=eccentricity, angle=angle, spacing=spacing,
            radius=radius, convention=convention, center=center, reduction=reduction, partition=partition,
            engine=engine,
        )  # fmt: skip
