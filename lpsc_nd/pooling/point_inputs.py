"""Checks of the values on a point set against a neighbourhood and a layer, before any engine sees them."""

from __future__ import annotations

from torch import Tensor

from lpsc_nd._checks import shape_text
from lpsc_nd.pooling.point_plan import Links


def check_sources(x: Tensor, links: Links, num_sources: int) -> None:
    """Refuse values that are not (S, C), of another number of sources, or on another device than the neighbourhood."""
    if not isinstance(x, Tensor):
        raise TypeError(f"input must be a Tensor, got {type(x).__name__}")
    if x.ndim != 2:
        raise RuntimeError(
            f"Expected 2D input (sources, channels) to a layer on points, but got input of size: {shape_text(x.shape)}"
        )
    if x.shape[0] != num_sources:
        raise RuntimeError(
            f"Given a neighborhood of {num_sources} sources and {links.num_queries} queries, expected "
            f"input{shape_text(x.shape)} to have {num_sources} rows, but got {x.shape[0]} rows instead"
        )
    if x.device != links.indices.device:
        raise RuntimeError(
            f"Input is on {x.device} and neighborhood on {links.indices.device}; both should be on the same device"
        )


def check_regions(weight: Tensor, links: Links) -> None:
    """Refuse a neighbourhood of another number of regions than the weight has."""
    if weight.shape[-1] != links.num_regions:
        raise RuntimeError(
            f"Given weight of size {shape_text(weight.shape)}, expected a neighborhood of {weight.shape[-1]} regions, "
            f"but got one of {links.num_regions} regions; build it with the layer's partition"
        )


def check_channels(x: Tensor, weight: Tensor, groups: int) -> None:
    """Refuse an input (S, C) with another number of channels than the weight expects."""
    expected = weight.shape[1] * groups
    if x.shape[1] != expected:
        raise RuntimeError(
            f"Given groups={groups}, weight of size {shape_text(weight.shape)}, expected input{shape_text(x.shape)} "
            f"to have {expected} channels, but got {x.shape[1]} channels instead"
        )
