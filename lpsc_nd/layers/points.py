"""The log-polar space convolution on point sets."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lpsc_nd import _checks
from lpsc_nd.functional import check_groups, check_point_modes, lps_point_conv
from lpsc_nd.geometry import CausalPartition, CellPartition, LogPolarPartition, Partition, Reduction, Stencil
from lpsc_nd.layers.conv_nd import LPSConvNd
from lpsc_nd.layers.initial import draw_parameters
from lpsc_nd.layers.whole_state import WholeStateModule
from lpsc_nd.points import Neighborhood
from lpsc_nd.pooling.padding import PaddingMode
from lpsc_nd.pooling.point_execute import Normalize, PointEngine


class LPSPointConv(WholeStateModule):
    """Convolution with one weight per log-polar region on point sets (Eq. 3 of the paper, in N dimensions).

        y[q] = W0 x[center(q)] + sum_r W_r * mean(x over the sources in region r around q) + b

    A region without sources contributes 0, and so does the centre of a query at which no source lies. The geometry is
    in the neighbourhood, built once from the layer's partition and shared by all layers and steps on the same points.

    Parameters are drawn uniformly within 1 / sqrt(fan), nn.Conv's law, the fan being C / groups times the number of
    weights per channel.

    Args:
        in_channels: C.
        out_channels: C'.
        partition: any object with ``num_regions`` and ``region(offsets)``; neighbourhoods are built from it.
        groups: blocks of channels that do not see each other.
        bias: whether there is a bias.
        device, dtype: of the parameters.
        center: whether the source at a query has its own weight.
        reduction: "mean", "sum" or "max" over a region.
        normalize: what the mean divides by: "present", the sources that are there; "grid", ``region_sizes``.
        region_sizes: cells of each region on the grid that the weights come from, ``Stencil.counts``.
        engine: "auto", or an engine by name for every call.

    Shape:
        (S, C) and a neighbourhood of Q queries among S sources -> (Q, C').

    Attributes:
        weight: (C', C / groups, R).
        center_weight: (C', C / groups), or None.
        bias: (C',), or None.

    Raises:
        ValueError, TypeError: an argument out of its range or of another type, at construction.
        RuntimeError: an input or a neighbourhood whose size, type or device does not fit.

    >>> partition = LogPolarPartition(3, 0.5, num_levels=2, num_directions=(2, 4), growth=2.0)
    >>> neighborhood = Neighborhood.build(partition, torch.rand(100, 3))
    >>> LPSPointConv(16, 32, partition)(torch.zeros(100, 16), neighborhood).shape
    torch.Size([100, 32])
    """

    center_weight: nn.Parameter | None
    bias: nn.Parameter | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        partition: Partition,
        groups: int = 1,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        center: bool = True,
        reduction: Reduction = "mean",
        normalize: Normalize = "present",
        region_sizes: Sequence[int] | None = None,
        engine: PointEngine = "auto",
    ) -> None:
        super().__init__()
        self.in_channels = _checks.integer("in_channels", in_channels, minimum=1)
        self.out_channels = _checks.integer("out_channels", out_channels, minimum=1)
        self.groups = check_groups(groups, in_channels=self.in_channels, out_channels=self.out_channels)
        self.num_regions = _check_partition(partition)
        self.partition = partition
        self.region_sizes = check_point_modes(reduction, normalize, region_sizes, engine, self.num_regions)
        self.reduction: Reduction = reduction
        self.normalize: Normalize = normalize
        self.engine: PointEngine = engine
        shape = (self.out_channels, self.in_channels // self.groups, self.num_regions)
        self.weight = nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
        self.register_parameter(
            "center_weight", nn.Parameter(torch.empty(shape[:2], device=device, dtype=dtype)) if center else None
        )
        self.register_parameter(
            "bias", nn.Parameter(torch.empty(self.out_channels, device=device, dtype=dtype)) if bias else None
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all parameters anew, uniformly within 1 / sqrt(C / groups * weights per channel)."""
        gain = self.num_regions + (self.center_weight is not None)
        draw_parameters(self.parameters(recurse=False), self.in_channels // self.groups, gain)

    def forward(self, input: Tensor, neighborhood: Neighborhood) -> Tensor:
        """Convolve values (S, C) of the neighbourhood's sources."""
        return lps_point_conv(
            input,
            neighborhood,
            self.weight,
            self.center_weight,
            self.bias,
            groups=self.groups,
            reduction=self.reduction,
            normalize=self.normalize,
            region_sizes=self.region_sizes,
            engine=self.engine,
        )

    @classmethod
    def from_grid(cls, layer: LPSConvNd, normalize: Normalize = "grid") -> LPSPointConv:
        """Return the point layer of a grid layer; both share their parameters, so training one trains the other.

        With "grid" it equals the grid layer on lattice points at ``spacing * dilation``, zeros being outside; with
        "present" where no region reaches outside. Stride, padding and padding mode are the queries' business.

        Args:
            layer: any LPSConv; its dilation widens the partition.
            normalize: what the mean divides by: "grid", the cells of each region; "present", the sources there.

        Raises:
            TypeError: ``layer`` is no grid layer.
            ValueError: a field that its window cuts off, the convention "official", or a dilation that cannot be
                expressed as a wider partition.
        """
        if not isinstance(layer, LPSConvNd):
            raise TypeError(f"layer must be an LPSConvNd, got {type(layer).__name__}")
        _check_partition(layer.partition)
        _check_field_is_whole(layer)
        points = cls(
            layer.in_channels,
            layer.out_channels,
            _widened(layer.partition, layer.dilation),
            layer.groups,
            device="meta",
            reduction=layer.reduction,
            normalize=normalize,
            region_sizes=layer.stencil.counts.tolist() if normalize == "grid" else None,
        )
        return _share(layer, points)

    def to_grid(
        self,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] = 1,
        padding: str | int | Sequence[int] = 0,
        padding_mode: PaddingMode = "zeros",
        *,
        spacing: float | Sequence[float] | None = None,
    ) -> LPSConvNd:
        """Return the grid layer with this layer's partition; both share their parameters.

        Args:
            kernel_size: window; the field is cut off where it is larger.
            stride, padding, padding_mode: as in nn.ConvNd.
            spacing: distance of the grid's cells, per axis, in the unit of the partition.

        Raises:
            ValueError, TypeError: an argument out of its range or of another type; ``region_sizes`` that are not those
                of the partition on this window, by which a grid layer divides.
        """
        ndim = getattr(self.partition, "ndim", None) or len(tuple(np.atleast_1d(kernel_size)))
        layer = LPSConvNd(
            ndim, self.in_channels, self.out_channels, kernel_size, stride, padding, 1, self.groups,
            padding_mode=padding_mode, device="meta", spacing=spacing, reduction=self.reduction,
            partition=self.partition,
        )  # fmt: skip
        sizes = tuple(layer.stencil.counts.tolist())
        if self.region_sizes not in (None, sizes):
            raise ValueError(
                f"a grid layer divides by the cells of each region, {sizes} for kernel_size {layer.kernel_size}, "
                f"but region_sizes are {self.region_sizes}; give the window and the spacing that they come from"
            )
        return _share(self, layer)

    def extra_repr(self) -> str:
        """Write the arguments that differ from their defaults, and the partition."""
        optional: dict[str, tuple[Any, Any]] = {
            "groups": (self.groups, 1),
            "bias": (self.bias is not None, True),
            "center": (self.center_weight is not None, True),
            "reduction": (self.reduction, "mean"),
            "normalize": (self.normalize, "present"),
            "region_sizes": (self.region_sizes, None),
            "engine": (self.engine, "auto"),
        }
        parts = [f"{name}={value!r}" for name, (value, default) in optional.items() if value != default]
        return ", ".join([f"{self.in_channels}, {self.out_channels}", *parts, f"partition={self.partition!r}"])


def _check_partition(partition: Any) -> int:
    """Return the number of regions of a partition that point sets can have."""
    if not isinstance(partition, Partition):
        raise TypeError(
            f"partition must have num_regions and region(offsets), got an object of type {type(partition).__name__}"
        )
    if getattr(partition, "convention", None) == "official":
        raise ValueError(
            "partition must not have the convention 'official' on point sets: its field is the square window of a "
            "grid, got 'official'; use convention='paper'"
        )
    return _checks.integer("partition.num_regions", partition.num_regions, minimum=0)


def _check_field_is_whole(layer: LPSConvNd) -> None:
    """Refuse a window outside of which the partition goes on: points would see all of it."""
    wider = Stencil.build(layer.partition, tuple(k + 2 for k in layer.kernel_size), spacing=layer.spacing)
    inner = tuple(slice(1, -1) for _ in layer.kernel_size)
    if np.count_nonzero(wider.mask) > np.count_nonzero(wider.mask[inner]):
        raise ValueError(
            f"kernel_size {layer.kernel_size} cuts off the field of the partition, which a point layer has as a whole; "
            f"use an odd window that holds the field, got {layer.partition!r}"
        )


def _widened(partition: Partition, dilation: tuple[int, ...]) -> Partition:
    """Return the partition whose regions are ``dilation`` times as wide."""
    if all(step == 1 for step in dilation):
        return partition
    if isinstance(partition, CellPartition):
        cell = _checks.numbers("spacing", partition.spacing, partition.ndim)
        return dataclasses.replace(partition, spacing=tuple(s * d for s, d in zip(cell, dilation, strict=True)))
    if isinstance(partition, CausalPartition):
        return CausalPartition(_scaled(partition.partition, dilation[0]))
    if isinstance(partition, LogPolarPartition) and len(set(dilation)) == 1:
        return _scaled(partition, dilation[0])
    raise ValueError(
        f"dilation must be 1, or the same along every axis of a LogPolarPartition, to be carried over to points: a "
        f"stretched field has other directions; got {dilation} and a {type(partition).__name__}"
    )


def _scaled(partition: LogPolarPartition, step: int) -> LogPolarPartition:
    axes = None if partition.axes is None else tuple(step * axis for axis in partition.axes)
    radius, inner = step * partition.radius, step * partition.min_inner_radius
    return dataclasses.replace(partition, radius=radius, axes=axes, min_inner_radius=inner)


def _share(source: nn.Module, target: Any) -> Any:
    """Give ``target`` the parameters of ``source``, and its mode."""
    for name in ("weight", "center_weight", "bias"):
        setattr(target, name, getattr(source, name))
    return target.train(source.training)
