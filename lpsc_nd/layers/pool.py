"""Log-polar pooling for one, two and three dimensions."""

from __future__ import annotations

from collections.abc import Sequence

import torch  # noqa: F401  (used by the doctests)
from numpy.typing import ArrayLike

from lpsc_nd.geometry import Convention, Partition, Reduction
from lpsc_nd.layers.pool_nd import Layout, LogPolarPoolNd
from lpsc_nd.pooling.dispatch import Engine
from lpsc_nd.pooling.padding import PaddingMode


class LogPolarPool1d(LogPolarPoolNd):
    """Pool the log-polar regions around every position of a line: :class:`LogPolarPoolNd` with ``ndim`` 1.

    >>> LogPolarPool1d(9, padding=4, layout="map")(torch.zeros(1, 3, 20)).shape
    torch.Size([1, 3, 80])
    """

    def __init__(
        self,
        kernel_size: int | Sequence[int] | None = None,
        stride: int | Sequence[int] = 1,
        padding: str | int | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        padding_mode: PaddingMode = "zeros",
        *,
        num_levels: int = 2,
        num_directions: int = 2,
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
        super().__init__(
            1, kernel_size, stride, padding, dilation, padding_mode, num_levels=num_levels,
            num_directions=num_directions, growth=growth, eccentricity=eccentricity, angle=angle, spacing=spacing,
            radius=radius, convention=convention, reduction=reduction, layout=layout, partition=partition,
            engine=engine,
        )  # fmt: skip


class LogPolarPool2d(LogPolarPoolNd):
    """Pool the log-polar regions around every position of the plane: :class:`LogPolarPoolNd` with ``ndim`` 2.

    >>> LogPolarPool2d(9, padding=4, layout="map")(torch.zeros(1, 3, 20, 20)).shape
    torch.Size([1, 3, 80, 60])
    """

    def __init__(
        self,
        kernel_size: int | Sequence[int] | None = None,
        stride: int | Sequence[int] = 1,
        padding: str | int | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        padding_mode: PaddingMode = "zeros",
        *,
        num_levels: int = 2,
        num_directions: int | ArrayLike = 6,
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
        super().__init__(
            2, kernel_size, stride, padding, dilation, padding_mode, num_levels=num_levels,
            num_directions=num_directions, growth=growth, eccentricity=eccentricity, angle=angle, spacing=spacing,
            radius=radius, convention=convention, reduction=reduction, layout=layout, partition=partition,
            engine=engine,
        )  # fmt: skip


class LogPolarPool3d(LogPolarPoolNd):
    """Pool the log-polar regions around every position of space: :class:`LogPolarPoolNd` with ``ndim`` 3.

    >>> LogPolarPool3d(7, padding=3, num_directions=(2, 4), layout="map")(torch.zeros(1, 1, 6, 6, 6)).shape
    torch.Size([1, 1, 12, 24, 12])
    """

    def __init__(
        self,
        kernel_size: int | Sequence[int] | None = None,
        stride: int | Sequence[int] = 1,
        padding: str | int | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        padding_mode: PaddingMode = "zeros",
        *,
        num_levels: int = 2,
        num_directions: int | Sequence[int] | ArrayLike = (2, 6),
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
        super().__init__(
            3, kernel_size, stride, padding, dilation, padding_mode, num_levels=num_levels,
            num_directions=num_directions, growth=growth, eccentricity=eccentricity, angle=angle, spacing=spacing,
            radius=radius, convention=convention, reduction=reduction, layout=layout, partition=partition,
            engine=engine,
        )  # fmt: skip
