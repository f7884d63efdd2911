"""Layers whose calls are repeated, and whether one would be."""

from __future__ import annotations

from lpsc_nd import LPSConv2d


def stem(**options) -> LPSConv2d:
    return LPSConv2d(3, 4, 5, padding=2, num_directions=4, engine="expand", **options)


def depthwise(kernel_size: int = 5, **options) -> LPSConv2d:
    return LPSConv2d(4, 4, kernel_size, padding="same", num_directions=4, groups=4, **options)


def pooled(**options) -> LPSConv2d:
    return LPSConv2d(5, 6, 5, padding=2, num_directions=4, engine="bags", **options)


def repeats(layer, x) -> bool:
    """Tell whether a call would be answered by what the layer remembers."""
    settings = (layer.window, layer.groups, layer.padding_mode, layer.reduction, layer.engine)
    return layer._last_call.repeat(x, (layer.weight, layer.center_weight, layer.bias), settings) is not None
