"""The parameters of a layer, as its module holds them."""

from __future__ import annotations

from torch import Tensor, nn


def own_parameters(layer: nn.Module) -> tuple[Tensor | None, ...] | None:
    """Return weight, centre weight and bias, or None if one of these names stands for anything but a parameter.

    Python asks a module for a parameter last, by ``__getattr__``; three names take a tenth of all that a small call
    costs around its convolution. What a property, a buffer or a plain attribute gives in place of a parameter, only
    asking by name tells.
    """
    held, attributes, kind = layer._parameters, layer.__dict__, type(layer)
    if "weight" in attributes or "center_weight" in attributes or "bias" in attributes:
        return None
    if hasattr(kind, "weight") or hasattr(kind, "center_weight") or hasattr(kind, "bias"):
        return None
    try:
        return held["weight"], held["center_weight"], held["bias"]
    except KeyError:
        return None
